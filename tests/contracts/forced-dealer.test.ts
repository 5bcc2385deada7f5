// A dealer's own consent software against a real chain: what is forced is taken in once, whenever it is killed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Submission } from '../../edge-node/consent/admission.ts';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import { createAnchoring } from '../../edge-node/consent/anchoring.ts';
import { createForcedWithdrawals, watchForced } from '../../edge-node/consent/forced.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import type { AnchorState, ConsentRegistry } from '../../engines/chain/consent-registry.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLog } from '../../kit/log.ts';
import type { Progress } from '../../kit/progress.ts';
import { sha256, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import { decodeAssertion } from '../../protocol/consent/assertion.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import { blobPathOf, entryName } from '../../protocol/transcript/bundle.ts';
import { encodeEntry, GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import { forceWithdraw } from '../../scripts/consent/force-withdraw.ts';
import {
  ACCESS,
  customer,
  FLOORED,
  faultOf,
  type MemoryLogStore,
  memoryLogStore,
  memoryProposalStore,
  NOTHING,
  openBook,
  type TestCustomer,
  TRAINING,
} from '../unit/consent-world.ts';
import { commitOf, expectRefusal, openRound, openWorld, type Party, type World, witnessed } from './world.ts';

let world: World;
let dealer: Party;
let stranger: Party;
let logStore: MemoryLogStore;
let cuts: ReturnType<typeof memoryProposalStore>;
let [anna, bert] = [] as unknown as [TestCustomer, TestCustomer];
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  dealer = await world.party('dealer-1');
  stranger = await world.party('stranger');
  [logStore, cuts] = [memoryLogStore(), memoryProposalStore()];
  [anna, bert] = [customer('anna', dealer.address), customer('bert', dealer.address)];
});
afterAll(() => world.stop());

const log = createLog('dealer', 'silent');

/** The dealer's process, from what it has stored and what is on chain. `over`: its registry, with a fault planted. */
async function start(over: Partial<ConsentRegistry> = {}) {
  const book = await openBook(logStore, dealer.address);
  const chain = await connectFederation(world.chain.rpcUrl, world.at.federation, dealer.privateKey);
  const registry = { ...chain.registry, ...over };
  const last = await chain.registry.currentAnchor(dealer.address);
  const anchor = last && { dealer: dealer.address, ...anchorIn(last) };
  const parts = { book, chain: { client: chain.client, registry }, log };
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, cuts, anchor),
    registry,
    coSign: async ({ anchor: proposed }) => witnessed(world, dealer.address, proposed, ['witness-1', 'witness-2']),
    onRootMoved: () => undefined,
    forced: createForcedWithdrawals(parts),
    log,
  });
  return { book, anchoring, parts };
}

function anchorIn({ epoch, bucketsRoot, subjectsRoot, logHead, operationCount }: AnchorState): AnchorState {
  return { epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
}

const pending = () => stranger.registry.pendingWithdrawals(dealer.address);

/** As `consent force-withdraw` does it, from the dealer's anchored state. */
async function force(submission: Submission): Promise<number> {
  const { book } = await start();
  const anchored = await stranger.registry.currentAnchor(dealer.address);
  const { subject } = decodeOperation(submission.operation);
  const state = ConsentState.replay(dealer.address, book.entries(0, anchored?.operationCount ?? 0));
  const membership = state.membershipProof(subject);
  if (membership === undefined) throw new Error('not a member');
  const assertion = decodeAssertion(submission.assertion);
  return (await stranger.registry.forceWithdraw({ operation: submission.operation, assertion, membership })).gasUsed;
}

async function enrolled() {
  const node = await start();
  await node.book.submitAll([anna.submission(TRAINING), bert.submission(TRAINING)]);
  await node.anchoring.flush();
  return node;
}

/** Everything that must hold in the end, however it came about. */
async function expectSettled(withdrawal: Submission): Promise<void> {
  expect(await pending()).toEqual([]);
  const { book } = await start();
  const taken = book.entries(0).filter(({ operation }) => toHex(operation) === toHex(withdrawal.operation));
  expect(taken).toEqual([{ operation: withdrawal.operation, assertion: withdrawal.assertion }]);
  expect(book.decide('anna', ACCESS)).toEqual({ allow: false, reason: 'not-granted' });
  expect(book.decide('bert', ACCESS)?.allow).toBe(true);
  const anchored = await stranger.registry.currentAnchor(dealer.address);
  expect(anchored?.logHead).toBe(book.state().logHead);
}

describe('taking in', () => {
  test('byte for byte as the customer signed it, anchored and acknowledged; then nothing is left to do', async () => {
    const { book, anchoring } = await enrolled();
    const withdrawal = anna.submission(NOTHING);
    const gasUsed = await force(withdrawal);
    const before = await stranger.registry.currentAnchor(dealer.address);
    const round = await openRound(world, await world.party('coordinator'));
    const commit = dealer.ledger.commit(commitOf(round, before?.root ?? '0x'));
    await expectRefusal(commit, 'ForcedWithdrawalPending', { count: '1' });
    const { epoch } = await anchoring.flush();
    expect(epoch).toBe(2);
    await expectSettled(withdrawal);
    const block = await stranger.client.blockNumber();
    await anchoring.flush();
    expect(await stranger.client.blockNumber()).toBe(block);
    expect(book.recordOf('anna')).toBeUndefined();
    console.log(`forceWithdraw: ${gasUsed} gas, the whole signed operation in its event`);
  });

  test('whoever was taken out by force may come back by the ordinary door', async () => {
    const { book, anchoring } = await enrolled();
    await force(anna.submission(NOTHING));
    await anchoring.flush();
    await book.submit(anna.submission(FLOORED));
    await anchoring.flush();
    const reopened = (await start()).book;
    expect(reopened.decide('anna', ACCESS)?.allow).toBe(true);
    expect(reopened.recordOf('anna')?.seq).toBe(3);
  });

  test('behind a log longer than one epoch takes', async () => {
    const { book, anchoring } = await enrolled();
    const crowd = Array.from({ length: 501 }, (_, i) => customer(`crowd ${i}`, dealer.address));
    await book.submitAll(crowd.map((one) => one.submission(TRAINING)));
    const withdrawal = anna.submission(NOTHING);
    await force(withdrawal);
    expect((await anchoring.flush()).epoch).toBe(3);
    await expectSettled(withdrawal);
  }, 120_000);

  test('what the log has already is not taken twice; a customer who came back meanwhile stays', async () => {
    const { book, anchoring } = await enrolled();
    const [withdrawal, again] = [anna.submission(NOTHING), bert.submission(NOTHING)];
    await book.submitAll([withdrawal, again, bert.submission(TRAINING)]);
    await force(withdrawal);
    await force(again);
    expect(await pending()).toHaveLength(2);
    await anchoring.flush();
    await expectSettled(withdrawal);
  });

  test('a change of rules with the same number, taken in before, does not keep the customer in', async () => {
    const { book, anchoring } = await enrolled();
    const head = anna.head();
    if (head === undefined) throw new Error('no head');
    await book.submit(anna.submission(FLOORED, { head }));
    const withdrawal = anna.submission(NOTHING, { head });
    expect(await faultOf(() => book.submit(withdrawal))).toMatch(/CONSENT_OPERATION_REFUSED/);
    await force(withdrawal);
    await anchoring.flush();
    await expectSettled(withdrawal);
  });
});

describe('killed anywhere', () => {
  const die = async (): Promise<never> => {
    throw new Error('killed');
  };
  /** A registry that dies before or after it has sent this. */
  const dying = (method: 'anchor' | 'acknowledge', when: 'before' | 'after'): Partial<ConsentRegistry> => {
    const real = dealer.registry as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    return {
      [method]: async (...args: unknown[]) => {
        if (when === 'after') await real[method]?.(...args);
        return die();
      },
    };
  };

  test.each([
    ['anchor', 'before'],
    ['anchor', 'after'],
    ['acknowledge', 'before'],
    ['acknowledge', 'after'],
  ] as const)('at %s, %s it is sent', async (method, when) => {
    await enrolled();
    const withdrawal = anna.submission(NOTHING);
    await force(withdrawal);
    const { anchoring } = await start(dying(method, when));
    await expect(anchoring.flush()).rejects.toThrow('killed');
    await (await start()).anchoring.flush();
    await expectSettled(withdrawal);
  });

  test.each(['before', 'after'] as const)('%s the log is written', async (when) => {
    const { anchoring } = await enrolled();
    const withdrawal = anna.submission(NOTHING);
    await force(withdrawal);
    logStore.failNext = when;
    await anchoring.flush();
    await (await start()).anchoring.flush();
    await expectSettled(withdrawal);
  });

  test('with an anchor on its way that witnesses have signed and that does not know of it', async () => {
    const { book } = await enrolled();
    await book.submit(bert.submission(FLOORED));
    const { anchoring } = await start(dying('anchor', 'before'));
    await expect(anchoring.flush()).rejects.toThrow('killed');
    const cut = cuts.cut;
    const withdrawal = anna.submission(NOTHING);
    await force(withdrawal);
    // the witnesses will sign no other anchor for epoch 2: it goes out as it is, and the next one brings the withdrawal
    expect((await (await start()).anchoring.flush()).epoch).toBe(3);
    expect(cut).toEqual({ epoch: 2, operationCount: 3 });
    await expectSettled(withdrawal);
  });
});

test('an idle node notices', async () => {
  const { anchoring, parts } = await enrolled();
  const withdrawal = anna.submission(NOTHING);
  await force(withdrawal);
  const noticed = new Promise<void>((resolve) => {
    const watch = watchForced(parts, { clock: systemClock, onPending: () => void watch.stop().then(resolve) });
  });
  await noticed;
  await anchoring.flush();
  await expectSettled(withdrawal);
});

describe('the command', () => {
  const quiet: Progress = { step: (_, run) => run({ update: () => undefined, line: () => undefined }) };
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'concordat-forced-'));
  });

  /** A bundle with the consent operations of one epoch, and the two files that a customer holds. */
  async function files(withdrawal: Submission) {
    const { book } = await start();
    const anchored = await stranger.registry.currentAnchor(dealer.address);
    const entries = book.entries(0, anchored?.operationCount ?? 0);
    const blob = encodeCbor(entries.map(({ operation, assertion }) => [operation, assertion]));
    const operations = toHex(sha256(blob));
    const entry = encodeEntry(0, GENESIS_PREV, { type: 'consent', dealer: dealer.address, epoch: 1, operations });
    await mkdir(join(dir, 'entries'));
    await mkdir(join(dir, 'blobs'));
    await writeFile(join(dir, 'entries', entryName(0)), entry.bytes);
    await writeFile(join(dir, blobPathOf(operations)), blob);
    await writeFile(join(dir, 'operation.cbor'), withdrawal.operation);
    await writeFile(join(dir, 'assertion.hex'), `${toHex(withdrawal.assertion)}\n`);
    return {
      rpc: world.chain.rpcUrl,
      federation: world.at.federation,
      bundle: dir,
      operation: join(dir, 'operation.cbor'),
      assertion: join(dir, 'assertion.hex'),
      waitSeconds: 0,
    };
  }

  test('finds the path in public data, sends, and waits for the dealer', async () => {
    const { anchoring } = await enrolled();
    const withdrawal = anna.submission(NOTHING);
    const options = await files(withdrawal);
    const first = await forceWithdraw(options, quiet);
    expect(first).toMatchObject({ dealer: dealer.address, seq: 2, acknowledged: null });
    expect(first.transaction?.gasUsed).toBeGreaterThan(100_000);
    expect(await forceWithdraw(options, quiet)).toMatchObject({ transaction: null, acknowledged: null });

    const waiting = forceWithdraw({ ...options, waitSeconds: 30 }, quiet);
    setTimeout(() => void anchoring.flush(), 500);
    expect(await waiting).toMatchObject({ transaction: null, acknowledged: { epoch: 2 } });
    await expectSettled(withdrawal);
    await rm(dir, { recursive: true });
  });

  test('says what is wrong: other rules, a bundle that leads elsewhere, a payer that is none, nobody there', async () => {
    const { book, anchoring } = await enrolled();
    const change = await files(anna.submission(FLOORED));
    const fault = (options: typeof change & { key?: string }) => faultOf(() => forceWithdraw(options, quiet));
    expect(await fault(change)).toBe('CONSENT_OPERATION_REFUSED');
    const withdrawal = customer('cara', dealer.address).submission(NOTHING);
    await writeFile(change.operation, withdrawal.operation);
    await writeFile(change.assertion, withdrawal.assertion);
    expect(await fault(change)).toBe('NOT_FOUND');
    await writeFile(join(dir, 'key'), 'no key');
    expect(await fault({ ...change, key: join(dir, 'key') })).toBe('FILE_UNREADABLE');
    expect(await fault({ ...change, bundle: join(dir, 'elsewhere') })).toBe('ANCHOR_MISMATCH');
    await book.submit(bert.submission(FLOORED));
    await anchoring.flush();
    expect(await fault(change)).toBe('ANCHOR_MISMATCH');
    await rm(dir, { recursive: true });
  }, 120_000);
});
