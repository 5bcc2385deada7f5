// Liars against consent on chain: real Groth16 proofs, the generated verifier, and transactions that are mined and refused.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PolicyProof } from '../../engines/chain/consent-registry.ts';
import { BASE_FIELD_ORDER } from '../../engines/proof/base-field.ts';
import { type ClaimBounds, policyClaimInput, type SaltedPolicy } from '../../engines/proof/claim.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Bucket } from '../../protocol/consent/bucket.ts';
import { ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import {
  claimContext,
  FIELD_ORDER,
  NO_PRIVACY_CAP,
  requirementKey,
  requirementOf,
} from '../../protocol/consent/policy.ts';
import {
  addressOf,
  BASE,
  commitOf,
  firstAttempts,
  hash,
  openRound,
  type Party,
  PUBLICATION,
  REQUIREMENT,
  selectionOf,
  stateOf,
  TASK,
  witnessed,
} from '../contracts/world.ts';
import {
  BUCKETS,
  FAR,
  FIRST,
  FLOORED,
  NO_BOUNDS,
  SECOND,
  STRICT,
  STRICT_BUCKETS,
} from '../helpers/consent-wire/rules.ts';
import { openProvingWorld, type ProvingWorld, refusedClaim, refusedSelection } from '../helpers/consent-wire/world.ts';

const KEY = requirementKey(REQUIREMENT);
const GAS = { gasLimit: 500_000 };

let world: ProvingWorld;
let [dealer, coordinator] = [] as unknown as [Party, Party];
/** When the claim of dealer-1 ends. */
let validUntil = 0;
/** Shared by all tests: dealer-1's own, what it also could have proven, and the others' own. */
let own: PolicyProof;
let [elsewhere, otherRegistry] = [] as unknown as [PolicyProof, PolicyProof];
const others = new Map<string, PolicyProof>();

beforeAll(async () => {
  world = await openProvingWorld();
  validUntil = (await world.now()) + 50_000;
  const { chainId } = world.chain;
  const { registry, ledger } = world.at;
  const prove = (context: bigint, policies: readonly SaltedPolicy[], bounds: ClaimBounds) =>
    world.prover.prove(policyClaimInput({ context, requirement: REQUIREMENT, bounds, policies }));
  const contextOf = (name: string) => claimContext(chainId, registry, addressOf(name));
  const mine = addressOf('dealer-1');
  const startedMs = performance.now();
  own = await prove(contextOf('dealer-1'), [FIRST, SECOND], { ...NO_BOUNDS, validUntil });
  elsewhere = await prove(claimContext(1, registry, mine), [FIRST, SECOND], NO_BOUNDS);
  otherRegistry = await prove(claimContext(chainId, ledger, mine), [FIRST, SECOND], NO_BOUNDS);
  for (const name of ['dealer-2', 'dealer-3']) {
    others.set(name, await prove(contextOf(name), [FIRST, SECOND], NO_BOUNDS));
  }
  const { accuracyFloorBps, privacyCapMilli } = STRICT.conditions;
  const strict = { validUntil: FAR, accuracyFloorBps, privacyCapMilli };
  others.set('dealer-4', await prove(contextOf('dealer-4'), [FLOORED], strict));
  console.log(`6 proofs in ${Math.round(performance.now() - startedMs)} ms`);
}, 120_000);
beforeEach(async () => {
  await world.reset();
  dealer = await world.party('dealer-1');
  coordinator = await world.party('coordinator');
});
afterAll(() => world?.stop());

const proofOf = (name: string): PolicyProof => {
  const proof = name === 'dealer-1' ? own : others.get(name);
  if (proof === undefined) throw new Error(`nothing is proven for ${name}`);
  return proof;
};
const withSignal = (proof: PolicyProof, position: number, value: bigint): PolicyProof => ({
  ...proof,
  publicSignals: proof.publicSignals.with(position, value),
});
const signalOf = ({ publicSignals }: PolicyProof, position: number): bigint => {
  const signal = publicSignals[position];
  if (signal === undefined) throw new Error(`no signal ${position}`);
  return signal;
};
const claims = (party: Party) =>
  Promise.all([...BUCKETS, ...STRICT_BUCKETS].map(({ digest }) => party.registry.claimOf(party.address, KEY, digest)));
const NONE = [undefined, undefined, undefined, undefined];

async function anchor(party: Party, epoch: number, buckets: readonly Bucket[]): Promise<Hex> {
  const state = stateOf(epoch, buckets);
  await party.registry.anchor(state, witnessed(world, party.address, state, ['witness-1', 'witness-2']));
  return (await party.registry.currentAnchor(party.address))?.root ?? ZERO_WORD;
}

/** Anchored, proven, selected: from here on the party's commits stand. */
async function consent(party: Party, buckets: readonly Bucket[] = BUCKETS, chosen = buckets): Promise<Hex> {
  const root = await anchor(party, 1, buckets);
  await party.registry.admitPolicies(proofOf(party.name));
  await party.registry.admitSelection(selectionOf(buckets, chosen));
  return root;
}

describe('a claim', () => {
  test('proven by its sender for this chain and registry is taken', async () => {
    const { gasUsed } = await dealer.registry.admitPolicies(own);
    const bounds = { ...NO_BOUNDS, validUntil };
    expect(await claims(dealer)).toEqual([bounds, bounds, undefined, bounds]);
    console.log(`admitPolicies: ${gasUsed} gas`);
  });

  test('of another dealer is refused, in its own words and in the thief’s', async () => {
    const thief = await world.party('dealer-2');
    const expected = signalOf(proofOf('dealer-2'), 0);
    expect(await refusedClaim(thief, own)).toMatchObject({
      reason: 'WrongContext',
      args: { given: String(signalOf(own, 0)), expected: String(expected) },
    });
    expect(await refusedClaim(thief, withSignal(own, 0, expected))).toMatchObject({ reason: 'ProofInvalid' });
    expect(await claims(thief)).toEqual(NONE);
  });

  test.each([
    ['another chain', () => elsewhere],
    ['another registry', () => otherRegistry],
  ])('for %s is refused, and so is its proof under this one’s context', async (_, foreign) => {
    expect(await refusedClaim(dealer, foreign())).toMatchObject({
      reason: 'WrongContext',
      args: { given: String(signalOf(foreign(), 0)), expected: String(signalOf(own, 0)) },
    });
    const renamed = withSignal(foreign(), 0, signalOf(own, 0));
    expect(await refusedClaim(dealer, renamed)).toMatchObject({ reason: 'ProofInvalid' });
    expect(await claims(dealer)).toEqual(NONE);
  });

  test('with any public signal altered is refused', async () => {
    for (const position of own.publicSignals.keys()) {
      const altered = withSignal(own, position, signalOf(own, position) ^ 1n);
      const reason = position === 0 ? 'WrongContext' : 'ProofInvalid';
      expect(await refusedClaim(dealer, altered), `signal ${position}`).toMatchObject({ reason });
    }
    expect(await claims(dealer)).toEqual(NONE);
  });

  test('is refused when it says what the dealer would rather have proven', async () => {
    const strict = await world.party('dealer-4');
    const theirs = proofOf('dealer-4');
    const stronger = requirementOf('lead-scoring', ['demographics', 'area-statistics', 'insurance'], 2);
    const wishes: readonly (readonly [Party, PolicyProof, number, bigint])[] = [
      [strict, theirs, 5, 0n], // no floor
      [strict, theirs, 5, 9_199n],
      [strict, theirs, 6, BigInt(NO_PRIVACY_CAP)],
      [strict, theirs, 8, BUCKETS[0].digest], // a policy more, in a free slot
      [dealer, own, 7, STRICT_BUCKETS[0].digest], // another policy
      [dealer, own, 8, 0n], // a policy less
      [dealer, own, 4, BigInt(FAR)], // for longer
      [dealer, own, 1, stronger.required & (2n ** 96n - 1n)], // more classes
      [dealer, own, 3, 2n], // better evidence
    ];
    for (const [party, proof, position, value] of wishes) {
      expect(signalOf(proof, position)).not.toBe(value);
      const wish = withSignal(proof, position, value);
      expect(await refusedClaim(party, wish), `signal ${position}`).toMatchObject({ reason: 'ProofInvalid' });
    }
    expect([await claims(dealer), await claims(strict)]).toEqual([NONE, NONE]);
  });

  test('whose signal is the same number plus the field’s order is refused, in every place', async () => {
    for (const position of own.publicSignals.keys()) {
      const alias = withSignal(own, position, signalOf(own, position) + FIELD_ORDER);
      expect(await refusedClaim(dealer, alias)).toMatchObject({
        reason: 'SignalOutOfRange',
        args: { position: String(position) },
      });
    }
    expect(await claims(dealer)).toEqual(NONE);
  });
});

describe('proof points', () => {
  type Points = Pick<PolicyProof, 'a' | 'b' | 'c'>;
  const coordinates = ({ a, b, c }: Points): bigint[] => [...a, ...b[0], ...b[1], ...c];
  const pointsOf = (values: readonly bigint[]): Points => {
    const [ax = 0n, ay = 0n, b0 = 0n, b1 = 0n, b2 = 0n, b3 = 0n, cx = 0n, cy = 0n] = values;
    return { a: [ax, ay], b: [[b0, b1], [b2, b3]], c: [cx, cy] }; // biome-ignore format: three points
  };
  const changed = (change: (values: bigint[]) => bigint[]): PolicyProof => ({
    ...own,
    ...pointsOf(change(coordinates(own))),
  });
  const refused = async (proof: PolicyProof, what: string) =>
    expect(await refusedClaim(dealer, proof), what).toMatchObject({ reason: 'ProofInvalid' });
  const negated = (y: bigint) => BASE_FIELD_ORDER - y;

  test('altered by one, off the curve, are refused; so is the same number plus the base field’s order', async () => {
    for (let i = 0; i < 8; i++) {
      await refused(
        changed((values) => values.with(i, (values[i] ?? 0n) + 1n)),
        `coordinate ${i} + 1`,
      );
      await refused(
        changed((values) => values.with(i, (values[i] ?? 0n) + BASE_FIELD_ORDER)),
        `coordinate ${i} + q`,
      );
    }
  });

  test('good points in the wrong place are refused', async () => {
    const foreign = proofOf('dealer-2');
    await refused({ ...own, a: foreign.a }, 'another’s A');
    await refused({ ...own, b: foreign.b }, 'another’s B');
    await refused({ ...own, c: foreign.c }, 'another’s C');
    await refused({ ...own, a: own.c, c: own.a }, 'A and C exchanged');
    await refused({ ...own, b: [[own.b[0][1], own.b[0][0]], [own.b[1][1], own.b[1][0]]] }, 'B as (real, imaginary)'); // biome-ignore format: one point
    await refused({ ...own, a: [own.a[0], negated(own.a[1])] }, '−A');
    await refused({ ...own, c: [own.c[0], negated(own.c[1])] }, '−C');
    for (const zero of [pointsOf([]), { ...own, a: [0n, 0n] as const }, { ...own, c: [0n, 0n] as const }]) {
      await refused({ ...own, ...zero }, 'the point at infinity');
    }
    expect(await claims(dealer)).toEqual(NONE);
  });

  test('a malleated proof is true, and no new identity: it claims what was claimed, for whom it was', async () => {
    const [[x0, x1], [y0, y1]] = own.b;
    // e(−A, −B) = e(A, B)
    const malleated: PolicyProof = {
      ...own,
      a: [own.a[0], negated(own.a[1])],
      b: [[x0, x1], [negated(y0), negated(y1)]], // biome-ignore format: one point
    };
    const root = await consent(dealer);
    const round = await openRound(world, coordinator);
    const before = [await claims(dealer), await dealer.registry.selectionOf(dealer.address, KEY)];
    await dealer.registry.admitPolicies(malleated);
    expect([await claims(dealer), await dealer.registry.selectionOf(dealer.address, KEY)]).toEqual(before);
    const heavier = await dealer.ledger.commitExpectingRefusal(commitOf(round, root, { weight: 20 }));
    expect(heavier).toMatchObject({ reason: 'WeightExceedsConsent', args: { memberCount: '10' } });
    const thief = await world.party('dealer-2');
    expect(await refusedClaim(thief, malleated)).toMatchObject({ reason: 'WrongContext' });
    await refused(withSignal(malleated, 4, BigInt(FAR)), 'malleated, for longer');
  });
});

describe('a selection', () => {
  test('of buckets under an older root is refused, in the block of the attempt', async () => {
    await consent(dealer);
    const before = selectionOf(BUCKETS);
    const moved = [{ ...BUCKETS[0], memberCount: 6, membersRoot: hash('one withdrew') }, BUCKETS[1]];
    await anchor(dealer, 2, moved);
    const refused = await refusedSelection(dealer, before);
    const { bucketsRoot } = stateOf(2, moved);
    expect(refused).toMatchObject({ reason: 'BucketsNotUnderRoot', args: { bucketsRoot } });
    expect(refused.blockNumber).toBe(await dealer.client.blockNumber());
    await dealer.registry.admitSelection(selectionOf(moved));
    expect((await dealer.registry.selectionOf(dealer.address, KEY))?.memberCount).toBe(9);
  });

  test('that counts a bucket twice is refused', async () => {
    await consent(dealer);
    const { buckets, ...proof } = selectionOf(BUCKETS);
    const [low, high] = buckets as [Bucket, Bucket];
    for (const [twice, position] of [
      [[low, low], '1'],
      [[low, high, high], '2'],
      [[low, high, low], '2'],
    ] as const) {
      const refused = await refusedSelection(dealer, { ...proof, buckets: twice });
      expect(refused).toMatchObject({ reason: 'BucketsNotAscending', args: { position } });
    }
  });

  test.each([
    ['more classes', requirementOf('lead-scoring', ['demographics', 'area-statistics', 'insurance'], 1)],
    ['better evidence', requirementOf('lead-scoring', ['demographics', 'insurance'], 2)],
  ])('for a task with %s finds no claim, though the rules would allow it', async (_, stronger) => {
    const root = await consent(dealer);
    const refused = await refusedSelection(dealer, selectionOf(BUCKETS, BUCKETS, stronger));
    expect(refused).toMatchObject({ reason: 'PolicyNotClaimed' });
    // nor does the selection that stands serve such a round
    const round = await openRound(world, coordinator, { requirement: stronger });
    const commit = await dealer.ledger.commitExpectingRefusal(commitOf(round, root));
    expect(commit).toMatchObject({ reason: 'StaleRoot', args: { given: ZERO_WORD, current: root } });
  });

  test('by another dealer, of the very same buckets, finds no claim', async () => {
    await consent(dealer);
    const thief = await world.party('dealer-2');
    await anchor(thief, 1, BUCKETS);
    expect(await refusedSelection(thief, selectionOf(BUCKETS))).toMatchObject({ reason: 'PolicyNotClaimed' });
  });
});

describe('a commit', () => {
  test('under a root that has moved on is refused, whatever it names', async () => {
    const root = await consent(dealer);
    const round = await openRound(world, coordinator);
    const current = await anchor(dealer, 2, BUCKETS);
    for (const named of [root, current]) {
      const refused = await dealer.ledger.commitExpectingRefusal(commitOf(round, named));
      expect(refused).toMatchObject({ reason: 'StaleRoot', args: { given: root, current } });
    }
    await dealer.registry.admitSelection(selectionOf(BUCKETS));
    await dealer.ledger.commit(commitOf(round, current));
  });

  test('is taken a second before the claim ends, and refused from its end on', async () => {
    const root = await consent(dealer);
    await world.nextBlockAt(validUntil - 300);
    const round = await openRound(world, coordinator, { deadline: validUntil + 300 });
    await world.nextBlockAt(validUntil - 1);
    await dealer.ledger.commit(commitOf(round, root), GAS);
    for (const late of [0, 1]) {
      await world.nextBlockAt(validUntil + late);
      const refused = await dealer.ledger.commitExpectingRefusal(commitOf(round, root, { attempt: 2 + late }));
      expect(refused).toMatchObject({ reason: 'ConsentExpired', args: { validUntil: String(validUntil) } });
    }
  });
});

describe('conditions on the next commit', () => {
  let strict: Party;
  let root: Hex;
  let rooted: readonly (readonly [Party, Hex])[];
  let published = 0;
  beforeEach(async () => {
    published = 0;
    strict = await world.party('dealer-4');
    root = await consent(strict, STRICT_BUCKETS, [STRICT_BUCKETS[0]]);
    const parties = await Promise.all(['dealer-1', 'dealer-2', 'dealer-3'].map(world.party));
    rooted = await Promise.all(parties.map(async (party) => [party, await consent(party)] as const));
  });
  const model = (number: number): Hex => (number === 0 ? BASE : hash(`model ${number}`));
  const next = async (change: Parameters<typeof openRound>[2] = {}) =>
    openRound(world, coordinator, { baseModelHash: model(published), ...change });

  /** The three dealers without a floor publish one more model, of this accuracy. */
  async function publish(accuracyBps: number): Promise<void> {
    const round = await next();
    for (const [party, theirs] of rooted) await party.ledger.commit(commitOf(round, theirs));
    await coordinator.ledger.finaliseSet(round, firstAttempts(rooted.map(([{ address }]) => address)));
    published += 1;
    await coordinator.ledger.publish({ ...PUBLICATION, round, modelHash: model(published), accuracyBps });
  }

  test('0.9199 attested freezes whose floor is 92 %, and nobody else; 0.9200 does not, and thaws', async () => {
    await publish(9_200);
    await strict.ledger.commit(commitOf(await next(), root));
    await publish(9_199);
    const frozen = await next();
    const refused = await strict.ledger.commitExpectingRefusal(commitOf(frozen, root));
    expect(refused).toMatchObject({ reason: 'AccuracyUnderFloor', args: { accuracyBps: '9199', floorBps: '9200' } });
    for (const [party, theirs] of rooted) await party.ledger.commit(commitOf(frozen, theirs));
    await publish(9_200);
    await strict.ledger.commit(commitOf(await next(), root));
  });

  test('no metric freezes, and so does one that is a second too old', async () => {
    const missing = await strict.ledger.commitExpectingRefusal(commitOf(await next(), root));
    expect(missing).toMatchObject({ reason: 'MetricStale', args: { attestedAt: '0', maxAgeSeconds: '3600' } });
    await publish(9_900);
    const attestedAt = (await strict.ledger.attestationOf(TASK))?.attestedAt ?? 0;
    const round = await next({ deadline: attestedAt + 7_200 });
    await world.nextBlockAt(attestedAt + 3_600);
    await strict.ledger.commit(commitOf(round, root), GAS);
    await world.nextBlockAt(attestedAt + 3_601);
    const stale = await strict.ledger.commitExpectingRefusal(commitOf(round, root, { attempt: 2 }));
    expect(stale).toMatchObject({ reason: 'MetricStale', args: { attestedAt: String(attestedAt) } });
    // measured for another task is not measured
    const elsewhere = await openRound(world, coordinator, { taskHash: hash('another task') });
    const other = await strict.ledger.commitExpectingRefusal(commitOf(elsewhere, root));
    expect(other).toMatchObject({ reason: 'MetricStale', args: { attestedAt: '0' } });
  });

  test('a round that spends a thousandth of ε more than the cap is refused, exactly the cap is not', async () => {
    await publish(9_900);
    await strict.ledger.commit(commitOf(await next({ epsilonAfterMilli: 1_500 }), root));
    for (const epsilonAfterMilli of [1_501, NO_PRIVACY_CAP]) {
      const round = await next({ epsilonAfterMilli });
      const refused = await strict.ledger.commitExpectingRefusal(commitOf(round, root));
      const args = { epsilonAfterMilli: String(epsilonAfterMilli), capMilli: '1500' };
      expect(refused).toMatchObject({ reason: 'PrivacyCapExceeded', args });
    }
  });
});
