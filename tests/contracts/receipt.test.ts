// `audit receipt`: a receipt from a dealer's own software against a real chain, and every way to make it say something else.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ABIS } from '../../auditor/chain/decode.ts';
import { topicOf } from '../../auditor/chain/logs.ts';
import { createReader } from '../../auditor/chain/rpc.ts';
import type { EventName } from '../../auditor/history.ts';
import type { ReceiptReport } from '../../auditor/receipt.ts';
import { receiptText, runReceiptAudit } from '../../auditor/receipt-file.ts';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import { createAnchoring } from '../../edge-node/consent/anchoring.ts';
import { createReceiptDesk } from '../../edge-node/consent/receipts.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { createLog } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { LinkedTree } from '../../protocol/consent/linked-tree.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { promised, type Receipt } from '../../protocol/consent/receipt.ts';
import { type Lie, lyingEndpoint } from '../helpers/audit/lying-endpoint.ts';
import {
  customer,
  faultOf,
  memoryLogStore,
  memoryProposalStore,
  NOTHING,
  openBook,
  RELYING_PARTY,
  TRAINING,
} from '../unit/consent-world.ts';
import {
  addressOf,
  claimOf,
  commitOf,
  hash,
  keyOf,
  openRound,
  openWorld,
  REQUIREMENT,
  type World,
  witnessed,
} from './world.ts';

const COMMIT_OF = ABIS.RoundLedger.getFunction('commitOf')?.selector ?? '';

let world: World;
let dir: string;
let dealer: Hex;
/** Of a member, of one who left, and of one whose operation is in the log but not anchored. */
let [member, leaver, waiting] = [] as unknown as [Receipt, Receipt, Receipt];
const log = createLog('dealer', 'silent');

beforeAll(async () => {
  world = await openWorld();
  dir = await mkdtemp(join(tmpdir(), 'concordat-receipt-'));
  const party = await world.party('dealer-1');
  dealer = party.address;
  const chain = await connectFederation(world.chain.rpcUrl, world.at.federation, party.privateKey);
  const book = await openBook(memoryLogStore(), dealer);
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, memoryProposalStore(), undefined),
    registry: chain.registry,
    coSign: async ({ anchor }) => witnessed(world, dealer, anchor, ['witness-1', 'witness-2']),
    onRootMoved: () => undefined,
    log,
  });
  const identity = { address: dealer, privateKey: party.privateKey, secret: new Uint8Array(32) };
  const desk = createReceiptDesk({ book, chain, identity, relyingParty: RELYING_PARTY });
  const [anna, bert, cara] = ['anna', 'bert', 'cara'].map((name) => customer(name, dealer)) as never as [
    ReturnType<typeof customer>,
    ReturnType<typeof customer>,
    ReturnType<typeof customer>,
  ];
  const enrolments = await book.submitAll([
    anna.submission(TRAINING),
    bert.submission(TRAINING),
    cara.submission(TRAINING),
  ]);
  await anchoring.flush();
  const left = await book.submit(bert.submission(NOTHING));
  const { state, epoch } = await anchoring.flush();
  const [first] = enrolments;
  if (!first?.accepted) throw new Error('refused');
  const [one, two] = desk.promise([first.receipt, left]) as [Receipt, Receipt];

  // a round in which anna's record was used, and one in which it was not
  await chain.registry.admitPolicies(claimOf(world, dealer, { digests: state.digests() }));
  await chain.registry.admitSelection({ requirement: REQUIREMENT, ...state.selectionProof(state.digests()) });
  const root = (await chain.registry.currentAnchor(dealer))?.root ?? ZERO_WORD;
  const { subject } = decodeOperation(anna.submission(NOTHING).operation);
  const coordinator = await world.party('coordinator');
  const rounds = [];
  for (const used of [true, false]) {
    const tree = LinkedTree.of(used ? [[subject, hash('her record')]] : [[hash('another'), hash('a record')]]);
    const round = await openRound(world, coordinator);
    await chain.ledger.commit(commitOf(round, root, { weight: 1, recordsRoot: tree.root }));
    const proof = used ? tree.presenceProof(subject) : tree.absenceProof(subject);
    if (proof === undefined) throw new Error('no proof');
    rounds.push({ round, used, recordsRoot: tree.root, proof: { leaf: proof.leaf, proof: [...proof.proof] } });
  }
  member = { ...(await desk.complete(one, { state, epoch })), rounds };
  leaver = await desk.complete(two, { state, epoch });
  const [late] = desk.promise([await book.submit(customer('dora', dealer).submission(TRAINING))]);
  if (late === undefined) throw new Error('no receipt');
  waiting = await desk.complete(late, anchoring.anchored());
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
  await world.stop();
});

async function audit(receipt: unknown, options = {}): Promise<ReceiptReport> {
  const file = join(dir, 'receipt.json');
  await writeFile(file, JSON.stringify(receipt));
  return runReceiptAudit(file, { rpc: world.chain.rpcUrl, ...options });
}
const failing = ({ checks }: ReceiptReport) => checks.filter(({ holds }) => !holds).map(({ id }) => id);

describe('a true receipt', () => {
  test('of a member holds, the rounds with it; every check is named', async () => {
    const report = await audit(member, { federation: world.at.federation });
    const ids = ['chain', 'place', 'passkey', 'dealer', 'anchor', 'witnesses', 'log', 'path', 'rounds'];
    expect(report.checks.map(({ id }) => id)).toEqual([...ids, 'round 1', 'round 2']);
    expect(failing(report)).toEqual([]);
    expect(report).toMatchObject({ checksFailed: 0, dealer, withdrawal: false, seq: 1, logIndex: 0 });
    const finding = (id: string) => report.checks.find((one) => one.id === id)?.finding;
    expect(finding('anchor')).toMatch(/epoch 2, anchored at .*, current/);
    expect(finding('log')).toBe('entry 0 of 4');
    expect([finding('round 1'), finding('round 2')]).toEqual(['used', 'not used']);
    expect(receiptText(report)).toMatch(/Everything it says holds/);
  });

  test('of one who left says so', async () => {
    const report = await audit(leaver);
    expect(failing(report)).toEqual([]);
    expect(report.withdrawal).toBe(true);
    expect(report.checks.find(({ id }) => id === 'path')?.finding).toBe('the subject is in no bucket');
  });

  test('is no more than the dealer’s word before the anchor', async () => {
    expect(waiting.anchored).toBeUndefined();
    expect(failing(await audit(waiting))).toEqual(['anchor']);
  });
});

describe('a false receipt fails by name', () => {
  type Anchored = NonNullable<Receipt['anchored']>;
  const anchoredOf = (receipt: Receipt): Anchored => {
    if (receipt.anchored === undefined) throw new Error('not anchored');
    return receipt.anchored;
  };
  const change = (edit: (anchored: Anchored) => Partial<Anchored>): Receipt => {
    const anchored = anchoredOf(member);
    return { ...member, anchored: { ...anchored, ...edit(anchored) } };
  };
  const inLog = (edit: (log: NonNullable<Anchored['log']>) => object): Receipt =>
    change(({ log: own }) => ({ log: { ...own, ...edit(own as NonNullable<Anchored['log']>) } as Anchored['log'] }));
  type Round = NonNullable<Receipt['rounds']>[number];
  const round = (edit: Partial<Round>, i = 0): Receipt => ({
    ...member,
    rounds: (member.rounds ?? []).slice(i, i + 1).map((one) => ({ ...one, ...edit })),
  });
  const domain = () => ({ chainId: world.chain.chainId, federation: world.at.federation });
  const signedBy = (name: string, receipt: Receipt) =>
    promised([receipt], (root) => signTypedStruct(keyOf(name), domain(), 'Receipts', { dealer, root }))[0];

  const cases: readonly (readonly [string, readonly string[], () => unknown])[] = [
    ['another registry', ['place'], () => ({ ...member, place: { ...member.place, registry: world.at.ledger } })],
    ['another chain', ['place'], () => ({ ...member, place: { ...member.place, chainId: 1 } })],
    ['another customer’s signature', ['passkey', 'dealer', 'log'], () => ({ ...member, assertion: leaver.assertion })],
    [
      'other pages',
      ['passkey'],
      () => ({ ...member, relyingParty: { rpId: 'x.example', origins: ['https://x.example'] } }),
    ],
    ['signed by another dealer', ['dealer'], () => signedBy('dealer-2', member)],
    ['not signed', ['dealer'], () => ({ ...member, promise: undefined })],
    ['an index the dealer did not sign', ['dealer', 'log'], () => ({ ...member, logIndex: 1 })],
    ['an index the dealer did sign', ['log'], () => signedBy('dealer-1', { ...member, logIndex: 1 })],
    ['a head the dealer did sign', ['log'], () => signedBy('dealer-1', { ...member, logHead: hash('x') })],
    ['without the log', ['log'], () => change(() => ({ log: undefined }))],
    ['an entry less in the log', ['log'], () => inLog(({ following }) => ({ following: following.slice(1) }))],
    ['entries in another order', ['log'], () => inLog(({ following }) => ({ following: following.toReversed() }))],
    ['another past', ['log'], () => inLog(() => ({ previousHead: hash('x') }))],
    [
      'an epoch that is not on chain',
      ['anchor', 'witnesses'],
      () => change(({ anchor }) => ({ anchor: { ...anchor, epoch: 3 } })),
    ],
    [
      'another root for its epoch',
      ['anchor', 'witnesses', 'path'],
      () => change(({ anchor }) => ({ anchor: { ...anchor, bucketsRoot: hash('x') } })),
    ],
    [
      'too few witnesses',
      ['witnesses'],
      () => change(({ witnessSignatures = [] }) => ({ witnessSignatures: witnessSignatures.slice(1) })),
    ],
    [
      'one witness twice',
      ['witnesses'],
      () => change(({ witnessSignatures: [one = '0x'] = [] }) => ({ witnessSignatures: [one, one] })),
    ],
    [
      'a witness nobody registered',
      ['witnesses'],
      () =>
        change(({ anchor }) => ({
          witnessSignatures: ['witness-1', 'stranger'].map((name) =>
            signTypedStruct(keyOf(name), domain(), 'Anchor', anchor),
          ),
        })),
    ],
    ['another’s path', ['path'], () => change(() => ({ subject: anchoredOf(leaver).subject }))],
    ['membership left out', ['path'], () => change(() => ({ membership: undefined }))],
    ['a round the dealer sat out', ['rounds', 'round 7'], () => round({ round: 7 })],
    ['another records root', ['round 1'], () => round({ recordsRoot: hash('x') })],
    ['used, it says, and keeps silent about the round before', ['rounds', 'round 2'], () => round({ used: true }, 1)],
    ['not used, it says', ['round 1'], () => round({ used: false })],
  ];
  test.each(cases)('%s', async (_, ids, receipt) => {
    expect(failing(await audit(receipt()))).toEqual(ids);
  });

  test('a federation that is not the one the customer knows', async () => {
    expect(await faultOf(() => audit(member, { federation: world.at.ledger }))).toMatch(/^CHAIN_/);
    expect(await faultOf(() => audit({ ...member, place: undefined }))).toBe('FILE_MISSING');
    expect(await faultOf(() => audit({ ...member, extra: 1 }))).toBe('MESSAGE_MALFORMED');
    expect(await faultOf(() => audit({ ...member, operation: '0x00' }))).toBe('MESSAGE_MALFORMED');
    expect(addressOf('dealer-1')).toBe(dealer);
  });
});

test('an anchor that another has superseded is said with its time', async () => {
  const party = await world.party('dealer-1');
  const last = await party.registry.currentAnchor(dealer);
  if (last === undefined) throw new Error('no anchor');
  const { epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = last;
  const next = { epoch: epoch + 1, bucketsRoot, subjectsRoot, logHead, operationCount };
  await party.registry.anchor(next, witnessed(world, dealer, next, ['witness-2', 'witness-3']));
  const report = await audit(member);
  expect(failing(report)).toEqual([]);
  expect(report.checks.find(({ id }) => id === 'anchor')?.finding).toMatch(/superseded by epoch 3 at 20/);
});

describe('an endpoint that lies about the dealer', () => {
  type Log = { readonly topics: readonly string[]; readonly data: string };
  const isOf = (name: EventName, log: Log): boolean => log.topics[0] === topicOf(name);
  const inLogs =
    (change: (logs: readonly Log[]) => readonly Log[]): Lie =>
    (method, result) =>
      method === 'eth_getLogs' ? change(result as Log[]) : result;
  const without = (name: EventName, which: (all: readonly Log[]) => Log | undefined): Lie =>
    inLogs((logs) => {
      const left = which(logs.filter((log) => isOf(name, log)));
      return logs.filter((log) => log !== left);
    });
  /** In the first of its name. */
  const withWord = (name: EventName, at: number, word: Hex): Lie =>
    inLogs((logs) => {
      const place = logs.findIndex((log) => isOf(name, log));
      const from = 2 + 64 * at;
      return logs.map((log, i) =>
        i === place ? { ...log, data: log.data.slice(0, from) + word.slice(2) + log.data.slice(from + 64) } : log,
      );
    });

  const lies: readonly (readonly [string, RegExp, Lie])[] = [
    ['keeps a commit back', /commits, number 2/, without('Committed', (all) => all.at(-1))],
    ['keeps an old anchor back', /anchors in the events/, without('Anchored', (all) => all[0])],
    ['keeps the last anchor back', /against the contracts’ answer/, without('Anchored', (all) => all.at(-1))],
    ['keeps a witness back', /witnesses/, without('WitnessRegistered', (all) => all[0])],
    ['changes what was committed to', /logs, against its receipts/, withWord('Committed', 4, hash('x'))],
    ['changes the root of an old anchor', /logs, against its receipts/, withWord('Anchored', 0, hash('x'))],
    [
      'says that a round was answered otherwise',
      /commits, number 1/,
      (method, result, [call]) => {
        const { data = '' } = (call ?? {}) as { readonly data?: string };
        const asked =
          method === 'eth_call' &&
          data.startsWith(COMMIT_OF) &&
          BigInt(data.slice(0, 74).replace(COMMIT_OF, '0x')) === 1n;
        return asked ? String(result).replace(/.$/, '7') : result;
      },
    ],
  ];
  test.each(lies)('%s', async (_, seenAs, lie) => {
    const { url, close } = await lyingEndpoint(world.chain.rpcUrl, lie);
    try {
      const report = await audit(member, { rpc: url });
      expect(failing(report)).toContain('chain');
      expect(report.checks.find(({ id }) => id === 'chain')?.finding).toMatch(seenAs);
    } finally {
      await close();
    }
  });

  test('to a customer who knows the last block: everything leads to it, or nothing is audited', async () => {
    const reader = createReader(world.chain.rpcUrl);
    const { hash: head } = (await reader.ask('eth_getBlockByNumber', ['latest', false])) as { readonly hash: Hex };
    const report = await audit(member, { head });
    expect(failing(report)).toEqual([]);
    expect(report.checks[0]?.finding).toMatch(
      /each header to the next up to block \d+, 0x\w{64}, which you trust, and the code to its state$/,
    );
    expect(await faultOf(() => audit(member, { head: hash('x') }))).toBe('CHAIN_WRONG');
  });

  test('and not the other one, which is asked too', async () => {
    const { url, close } = await lyingEndpoint(world.chain.rpcUrl, withWord('Committed', 4, hash('x')));
    try {
      const report = await audit(member, { rpc: [world.chain.rpcUrl, url] });
      expect(failing(report)).toEqual(['chain']);
      expect(report.checks[0]?.finding).toMatch(/endpoint 2 \(.*\): eth_getLogs/);
    } finally {
      await close();
    }
  });
});
