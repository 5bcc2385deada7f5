// The selection: which buckets a task may use now. New policies are proven once; the rest is a Merkle multiproof.
import type { Bounds, ConsentRegistry } from '../../engines/chain/consent-registry.ts';
import { policyClaimInput } from '../../engines/proof/claim.ts';
import type { PolicyProver } from '../../engines/proof/prove.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { type Requirement, requirementKey } from '../../protocol/consent/policy.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Anchoring } from './anchoring.ts';
import type { ConsentBook } from './book.ts';
import { type PlannedClaim, planClaims } from './claim-plan.ts';
import type { Quotes } from './quotes.ts';

export interface SelectionParts {
  readonly dealer: Hex;
  readonly book: ConsentBook;
  readonly quotes: Quotes;
  readonly anchoring: Anchoring;
  readonly registry: ConsentRegistry;
  readonly prover: PolicyProver;
  /** Ties proofs to this chain, registry and dealer. */
  readonly context: bigint;
  readonly log: Log;
}

/** What stands on chain for the dealer, and whom it covers. */
export interface LiveSelection {
  readonly root: Hex;
  /** Members of the selected buckets: the most a commit may weigh. */
  readonly memberCount: number;
  /** Customer id -> subject. */
  readonly customers: ReadonlyMap<string, Hex>;
}

export interface SelectionCosts {
  proofs: number;
  provenPolicies: number;
  /** While proofs were being made, whether one at a time or several. */
  proofMs: number;
  readonly gas: { admitPolicies: number; admitSelection: number; admittedSelections: number };
}

export interface SelectionKeeper {
  /** Proves what will be needed for the requirement, whatever the metric says: done ahead of the rounds. */
  prepare(access: Access): Promise<void>;
  /** Makes the selection on chain current for this access; undefined when nobody is covered. */
  ensure(access: Access): Promise<LiveSelection | undefined>;
  readonly costs: SelectionCosts;
}

/** Questions under way to the chain's endpoint. */
const ASKED_AT_ONCE = 16;

export function createSelectionKeeper(parts: SelectionParts): SelectionKeeper {
  const { book, registry, dealer, log } = parts;
  const claims = new Map<string, Bounds>();
  const admitted = new Map<Hex, { readonly root: Hex; readonly digests: string }>();
  const costs: SelectionCosts = {
    proofs: 0,
    provenPolicies: 0,
    proofMs: 0,
    gas: { admitPolicies: 0, admitSelection: 0, admittedSelections: 0 },
  };

  async function claimOf(key: Hex, digest: bigint): Promise<Bounds | undefined> {
    const id = `${key}/${digest}`;
    const known = claims.get(id) ?? (await registry.claimOf(dealer, key, digest));
    if (known !== undefined) claims.set(id, known);
    return known;
  }

  /** Claims on chain of the digests, asked for a few at a time. */
  async function claimsOf(key: Hex, digests: readonly bigint[]): Promise<(readonly [bigint, Bounds | undefined])[]> {
    const found: (readonly [bigint, Bounds | undefined])[] = [];
    for (let from = 0; from < digests.length; from += ASKED_AT_ONCE) {
      const some = digests.slice(from, from + ASKED_AT_ONCE);
      found.push(...(await Promise.all(some.map(async (digest) => [digest, await claimOf(key, digest)] as const))));
    }
    return found;
  }

  /** Digests of the list that have no claim on chain yet, or one that has run out. */
  async function unproven(key: Hex, digests: readonly bigint[], nowSeconds: number): Promise<bigint[]> {
    return (await claimsOf(key, digests))
      .filter(([, claim]) => claim === undefined || claim.validUntil <= nowSeconds)
      .map(([digest]) => digest);
  }

  /** @returns when the proof was there */
  async function proveAndAdmit(requirement: Requirement, { policies, bounds }: PlannedClaim): Promise<number> {
    const input = policyClaimInput({ context: parts.context, requirement, bounds, policies });
    const proof = await parts.prover.prove(input);
    const provenAtMs = performance.now();
    costs.proofs += 1;
    costs.provenPolicies += policies.length;
    const receipt = await registry.admitPolicies(proof);
    costs.gas.admitPolicies += receipt.gasUsed;
    for (const { digest } of policies) claims.set(`${requirementKey(requirement)}/${digest}`, bounds);
    log.info({ policies: policies.length, txHash: receipt.txHash }, 'policies admitted');
    return provenAtMs;
  }

  async function prove(requirement: Requirement, digests: readonly bigint[]): Promise<void> {
    const policies = digests.map((digest) => {
      const opening = parts.quotes.openingOf(digest);
      if (opening === undefined) throw new ConcordatError('STATE_CORRUPT', 'a bucket without a known policy');
      return { digest, ...opening };
    });
    const startedMs = performance.now();
    // all at once: the prover queues them, and one is admitted while the next is made
    const outcomes = await Promise.allSettled(
      planClaims(policies).map((planned) => proveAndAdmit(requirement, planned)),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const provenAtMs = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : startedMs));
    costs.proofMs += Math.max(startedMs, ...provenAtMs) - startedMs;
  }

  /**
   * Those of the live digests whose *claim* does not stand: a proof's bounds are the strictest of its policies', so one
   * policy's tripped floor takes the others of its proof along.
   */
  async function tripped(key: Hex, live: readonly bigint[], access: Access): Promise<bigint[]> {
    return (await claimsOf(key, live))
      .filter(([, claim]) => claim === undefined || !claimStands(claim, access))
      .map(([digest]) => digest);
  }

  async function admit(requirement: Requirement, state: ConsentState, root: Hex, digests: readonly bigint[]) {
    const key = requirementKey(requirement);
    const wanted = [...digests].sort().join(',');
    const last = admitted.get(key);
    if (last?.root === root && last.digests === wanted) return;
    const receipt = await registry.admitSelection({ requirement, ...state.selectionProof(digests) });
    admitted.set(key, { root, digests: wanted });
    costs.gas.admitSelection += receipt.gasUsed;
    costs.gas.admittedSelections += 1;
    log.info({ buckets: digests.length, root, txHash: receipt.txHash }, 'selection admitted');
  }

  async function prepare(access: Access): Promise<void> {
    const { state } = await parts.anchoring.flush();
    const key = requirementKey(access.requirement);
    // the best metric there could be: what a floor will ever let through
    const eventually = book.liveDigests({ ...access, attestedAccuracyBps: 10_000 });
    const anchored = new Set(state.digests());
    const candidates = eventually.filter((digest) => anchored.has(digest));
    await prove(access.requirement, await unproven(key, candidates, access.nowSeconds));
  }

  async function ensure(access: Access): Promise<LiveSelection | undefined> {
    await prepare(access);
    const { state, epoch } = await parts.anchoring.flush();
    const anchored = new Set(state.digests());
    const digests = book.liveDigests(access).filter((digest) => anchored.has(digest));
    if (digests.length === 0) return undefined;
    // proven again among themselves, all of them live, their bounds stand
    await prove(access.requirement, await tripped(requirementKey(access.requirement), digests, access));
    const root = anchoredRoot(state.anchor(epoch));
    await admit(access.requirement, state, root, digests);
    const memberCount = digests.reduce((sum, digest) => sum + state.membersOf(digest).length, 0);
    return { root, memberCount, customers: book.customersCoveredBy(digests, state) };
  }

  /** One at a time: two callers must not prove the same policies. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work, work);
    queue = result.catch(() => undefined);
    return result;
  };

  return {
    costs,
    prepare: (access) => inTurn(() => prepare(access)),
    ensure: (access) => inTurn(() => ensure(access)),
  };
}

/** The contract's own rule for a selection, on one claim. */
function claimStands(claim: Bounds, access: Access): boolean {
  const { attestedAccuracyBps, epsilonAfterMilli, nowSeconds } = access;
  if (claim.validUntil <= nowSeconds || claim.privacyCapMilli < epsilonAfterMilli) return false;
  return claim.accuracyFloorBps === 0 || (attestedAccuracyBps ?? -1) >= claim.accuracyFloorBps;
}
