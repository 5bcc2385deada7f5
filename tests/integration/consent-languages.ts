// The circuit and the contract, asked the question that evaluate.ts answers: may this policy be used, now, for this task?
import { readFile } from 'node:fs/promises';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { type ClaimBounds, type PolicyClaim, policyClaimInput } from '../../engines/proof/claim.ts';
import { loadWitnessCalculator } from '../../engines/proof/witness.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { DenialReason } from '../../protocol/consent/evaluate.ts';
import {
  claimContext,
  type Policy,
  packConditions,
  policyDigest,
  type Requirement,
  splitGrants,
} from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { CACHE_DIR as CIRCUIT_CACHE } from '../circuits/small-circuit.ts';
import {
  commitOf,
  consent,
  firstAttempts,
  hash,
  openRound,
  openWorld,
  type Party,
  PUBLICATION,
  selectionOf,
  stateOf,
  type World,
  witnessed,
} from '../contracts/world.ts';

/** The salt is beside the point here. */
const SALT = 1_000_003n;

export type CircuitLanguage = (policy: Policy, requirement: Requirement, bounds: ClaimBounds) => boolean;

/** Whether a witness exists for a claim of this one policy: the wasm that circom wrote beside the circuit as shipped. */
export async function openCircuit(): Promise<CircuitLanguage> {
  const { wasmFile } = await preparePolicyCircuit({ cacheDir: CIRCUIT_CACHE });
  const calculator = await loadWitnessCalculator(await readFile(wasmFile));
  return (policy, requirement, bounds) => {
    const claim: PolicyClaim = { context: 1n, requirement, bounds, policies: [] };
    // past the claim builder, which would refuse in words: an honest claim about nothing, and the policy put in by hand
    const { signals } = policyClaimInput(claim);
    const first = (column: readonly bigint[] | undefined, value: bigint) => (column ?? []).with(0, value);
    const [g0, g1] = splitGrants(policy.grants);
    const forced = {
      ...signals,
      used: first(signals.used, 1n),
      g0: first(signals.g0, g0),
      g1: first(signals.g1, g1),
      cond: first(signals.cond, packConditions(policy.conditions)),
      salt: first(signals.salt, SALT),
      digest: first(signals.digest, policyDigest(policy, SALT)),
    };
    return accepts(() => calculator.calculate(forced));
  };
}

/** Whether the claim builder takes the same claim. */
export const builderTakes: CircuitLanguage = (policy, requirement, bounds) =>
  accepts(() => policyClaimInput({ context: 1n, requirement, bounds, policies: [{ policy, salt: SALT }] }));

function accepts(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'PROOF_UNSATISFIABLE') return false;
    throw error;
  }
}

/** One use of one policy, times relative to the commit. */
export interface ChainUse {
  readonly policy: Policy;
  readonly requirement: Requirement;
  /** Public bounds of the claim; `validUntil` on the same clock as the policy's expiry. */
  readonly bounds: ClaimBounds;
  readonly nowSeconds: number;
  readonly metric: { readonly accuracyBps: number; readonly ageSeconds: number } | undefined;
  readonly epsilonAfterMilli: number;
}

export interface ChainLanguage {
  /** 'allow' when the commit stands, else what the contract's refusal means; any other refusal is thrown. */
  ask(use: ChainUse): Promise<'allow' | DenialReason>;
  stop(): Promise<void>;
}

const MEANS: Readonly<Record<string, DenialReason>> = {
  ConsentExpired: 'expired',
  MetricStale: 'metric-stale',
  AccuracyUnderFloor: 'accuracy-under-floor',
  PrivacyCapExceeded: 'privacy-cap',
};

/** Seconds of chain time to prepare a use in. */
const PREPARATION = 600;
const GAS = { gasLimit: 500_000 };

/** A federation whose verifier takes every proof: three dealers measure the model, the fourth is the one asked about. */
export async function openChain(): Promise<ChainLanguage> {
  const world = await openWorld();
  const coordinator = await world.party('coordinator');
  const asked = await world.party('dealer-4');
  const measuring: (readonly [Party, Hex])[] = [];
  for (const name of ['dealer-1', 'dealer-2', 'dealer-3']) {
    const dealer = await world.party(name);
    measuring.push([dealer, await consent(world, dealer)]);
  }
  let uses = 0;

  /** Publishes the task's first model with this accuracy in the block of `atSeconds`. Returns the model's hash. */
  async function measure(taskHash: Hex, accuracyBps: number, atSeconds: number): Promise<Hex> {
    const round = await openRound(world, coordinator, { taskHash });
    for (const [dealer, root] of measuring) await dealer.ledger.commit(commitOf(round, root));
    const dealers = measuring.map(([{ address }]) => address);
    await coordinator.ledger.finaliseSet(round, firstAttempts(dealers));
    const modelHash = hash(`first model of ${taskHash}`);
    await world.nextBlockAt(atSeconds);
    await coordinator.ledger.publish({ ...PUBLICATION, round, modelHash, accuracyBps });
    return modelHash;
  }

  async function ask(use: ChainUse): Promise<'allow' | DenialReason> {
    uses += 1;
    const taskHash = hash(`task ${uses}`);
    const publishAt = (await world.now()) + PREPARATION;
    const commitAt = publishAt + (use.metric?.ageSeconds ?? 60);
    const root = await select(world, asked, uses, shifted(use, commitAt - use.nowSeconds));
    const model = use.metric && (await measure(taskHash, use.metric.accuracyBps, publishAt));
    const { requirement, epsilonAfterMilli } = use;
    const base = model === undefined ? {} : { baseModelHash: model };
    const deadline = commitAt + 1;
    const round = await openRound(world, coordinator, { taskHash, requirement, epsilonAfterMilli, deadline, ...base });
    await world.nextBlockAt(commitAt);
    try {
      await asked.ledger.commit(commitOf(round, root), GAS);
      return 'allow';
    } catch (error) {
      const reason = error instanceof ConcordatError ? MEANS[String(error.fields.reason)] : undefined;
      if (reason === undefined) throw error;
      return reason;
    }
  }

  return { ask, stop: () => world.stop() };
}

/** The use on the chain's clock. */
function shifted(use: ChainUse, seconds: number): ChainUse {
  const { policy, bounds } = use;
  const conditions = { ...policy.conditions, expiry: policy.conditions.expiry + seconds };
  return {
    ...use,
    policy: { ...policy, conditions },
    bounds: { ...bounds, validUntil: bounds.validUntil + seconds },
  };
}

/** Anchor of a bucket of this policy, the claim's own public signals, selection. Returns the anchored root. */
async function select(world: World, dealer: Party, epoch: number, use: ChainUse): Promise<Hex> {
  const { policy, requirement, bounds } = use;
  const context = claimContext(world.chain.chainId, world.at.registry, dealer.address);
  const { publicSignals } = policyClaimInput({ context, requirement, bounds, policies: [{ policy, salt: SALT }] });
  const bucket = { digest: policyDigest(policy, SALT), membersRoot: hash(`members ${epoch}`), memberCount: 10 };
  const others = { digest: 1n, membersRoot: hash('others'), memberCount: 1 };
  const state = stateOf(epoch, [bucket, others]);
  await dealer.registry.anchor(state, witnessed(world, dealer.address, state, ['witness-1', 'witness-2']));
  await dealer.registry.admitPolicies({ a: [1n, 0n], b: [[0n, 0n], [0n, 0n]], c: [0n, 0n], publicSignals }); // biome-ignore format: three points
  await dealer.registry.admitSelection(selectionOf([bucket, others], [bucket], requirement));
  const anchored = await dealer.registry.currentAnchor(dealer.address);
  if (anchored === undefined) throw new Error('the anchor is not there');
  return anchored.root;
}
