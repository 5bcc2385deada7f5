// A dealer that trains on a customer who has withdrawn: what the chain refuses, what the customer's receipt shows, and what
// neither can see.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReceiptReport } from '../../auditor/receipt.ts';
import { readReceiptChain } from '../../auditor/receipt-chain.ts';
import { runReceiptAudit } from '../../auditor/receipt-file.ts';
import type { LiveSelection } from '../../edge-node/consent/selection.ts';
import { readEvents, topicOf } from '../../engines/chain/events.ts';
import { request, requestJson } from '../../kit/http.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import { abiWords, MAX_WORD, ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { type LinkedLeaf, type LinkedProof, LinkedTree, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { leafHash, MerkleTree } from '../../protocol/consent/merkle.ts';
import { operationHash } from '../../protocol/consent/operation.ts';
import type { Policy } from '../../protocol/consent/policy.ts';
import { quarterStart } from '../../protocol/consent/quarter.ts';
import type { Receipt } from '../../protocol/consent/receipt.ts';
import { commitOf, openRound, type Party } from '../contracts/world.ts';
import { run } from '../helpers/command.ts';
import { openProvingDealer, type ProvingDealer } from '../helpers/consent-wire/dealer.ts';
import { openProvingWorld, type ProvingWorld } from '../helpers/consent-wire/world.ts';
import { customer, faultOf, NOTHING, type TestCustomer, TRAINING } from '../unit/consent-world.ts';

const NAMES = ['anna', 'bert', 'cara'] as const;
type Round = NonNullable<Receipt['rounds']>[number];

let world: ProvingWorld;
let dealer: ProvingDealer;
let coordinator: Party;
let anna: TestCustomer;
/** While anna was still in, and the round that was open then. */
let before: LiveSelection;
let openBefore = 0;
/** Since she left. */
let after: LiveSelection;
/** Hers. */
let subject: Hex;

beforeAll(async () => {
  world = await openProvingWorld();
  dealer = await openProvingDealer(world, await world.party('dealer-1'));
  coordinator = await world.party('coordinator');
  const nowSeconds = await world.now();
  const expiry = quarterStart(nowSeconds, 4);
  const rules: Policy = { ...TRAINING, conditions: { ...TRAINING.conditions, expiry } };
  const customers = NAMES.map((name) => customer(name, dealer.party.address));
  [anna] = customers as [TestCustomer];
  for (const one of customers) await dealer.book.submit(one.submission(rules, { nowSeconds }));
  subject = dealer.book.subjectOf('anna') ?? ZERO_WORD;
  before = await dealer.select();
  openBefore = await openRound(world, coordinator);
  await dealer.book.submit(anna.submission({ ...NOTHING, conditions: rules.conditions }, { nowSeconds }));
  await dealer.anchoring.flush();
}, 120_000);
afterAll(async () => {
  await dealer?.stop();
  await world?.stop();
});

/** Commits to these records, weighs two, and keeps the books as an edge node does. */
async function commitTo(customers: ReadonlyMap<string, Hex>): Promise<{ round: number; recordsRoot: Hex }> {
  const round = await openRound(world, coordinator);
  const { root: recordsRoot, leaves } = dealer.commitRecords(customers);
  await dealer.party.ledger.commit(commitOf(round, after.root, { recordsRoot, weight: 2 }));
  const usage = { attempt: 1, anchoredRoot: after.root, recordsRoot, weight: 2, committed: true };
  await dealer.participations.write(round, {
    ...usage,
    leaves: leaves.map(([key, value]): [Hex, Hex] => [key, value]),
  });
  return { round, recordsRoot };
}

async function audit(receipt: Receipt): Promise<ReceiptReport> {
  const file = join(world.directory, 'receipt.json');
  await writeFile(file, JSON.stringify(receipt));
  return runReceiptAudit(file, { rpc: world.chain.rpcUrl, federation: world.at.federation });
}
const failing = ({ checks }: ReceiptReport) => checks.filter(({ holds }) => !holds).map(({ id }) => id);
const findingOf = ({ checks }: ReceiptReport, id: string) => checks.find((check) => check.id === id)?.finding;

describe('on chain', () => {
  test('the withdrawal is anchored: under the root she was in, nothing is committed, in a round opened before either', async () => {
    expect(before.customers.get('anna')).toBe(subject);
    const current = (await dealer.party.registry.currentAnchor(dealer.party.address))?.root ?? ZERO_WORD;
    expect(current).not.toBe(before.root);
    const recordsRoot = dealer.commitRecords(before.customers).root;
    for (const round of [openBefore, await openRound(world, coordinator)]) {
      for (const named of [before.root, current]) {
        const terms = commitOf(round, named, { recordsRoot, weight: 3 });
        const refused = await dealer.party.ledger.commitExpectingRefusal(terms);
        expect(refused).toMatchObject({ reason: 'StaleRoot', args: { given: before.root, current } });
      }
    }
  });

  test('under the new root she does not count: who weighs her in is refused', async () => {
    after = await dealer.select();
    expect([...after.customers.keys()].sort()).toEqual(['bert', 'cara']);
    const recordsRoot = dealer.commitRecords(before.customers).root;
    const terms = commitOf(openBefore, after.root, { recordsRoot, weight: 3 });
    const refused = await dealer.party.ledger.commitExpectingRefusal(terms);
    expect(refused).toMatchObject({ reason: 'WeightExceedsConsent', args: { weight: '3', memberCount: '2' } });
  });
});

describe('a record kept in recordsRoot, and two weighed', () => {
  let round = 0;
  let recordsRoot: Hex;
  let receipt: Receipt;
  beforeAll(async () => {
    after = await dealer.select();
    // the chain sees a root and a weight: it has to take this
    ({ round, recordsRoot } = await commitTo(before.customers));
    receipt = await dealer.receiptOf(subject);
  });
  const claiming = (claimed: readonly Round[] | undefined): Receipt => ({
    ...receipt,
    ...(claimed === undefined ? { rounds: undefined } : { rounds: [...claimed] }),
  });
  const notUsed = ({ leaf, proof }: LinkedProof): Receipt =>
    claiming([{ round, used: false, recordsRoot, proof: { leaf, proof: [...proof] } }]);

  test('the receipt she asks for shows the use, under the very root that says she is in no bucket', async () => {
    const file = join(world.directory, 'anna.json');
    await writeFile(file, JSON.stringify(receipt));
    const where = ['--rpc', world.chain.rpcUrl, '--federation', world.at.federation];
    const { code, output } = await run(['audit', 'receipt', file, ...where, '--json']);
    expect(code).toBe(1);
    const report = JSON.parse(output.split('\n').find((line) => line.startsWith('{')) ?? '') as ReceiptReport;
    expect(report).toMatchObject({ withdrawal: true, dealer: dealer.party.address, subject, seq: 2 });
    expect(findingOf(report, 'path')).toBe('the subject is in no bucket');
    expect(failing(report)).toEqual([`round ${round}`]);
    expect(findingOf(report, `round ${round}`)).toMatch(/^used under epoch \d+, after this withdrawal was anchored/);
    const topics = [topicOf('Committed'), null, null];
    const { ledger, client } = dealer.party;
    const events = await readEvents(client, { address: ledger.address, fromBlock: 0, topics });
    const commit = events.find((event) => event.name === 'Committed' && event.round === round);
    if (receipt.anchored === undefined) throw new Error('not anchored');
    expect(commit).toMatchObject({ anchoredRoot: anchoredRoot(receipt.anchored.anchor), recordsRoot });
  });

  test('the dealer cannot prove that she was not used: no absence proof of an honest list exists, and others fail', async () => {
    const { leaves } = dealer.commitRecords(before.customers);
    const tree = LinkedTree.of(leaves);
    expect(tree.root).toBe(recordsRoot);
    expect(tree.absenceProof(subject)).toBeUndefined();
    const presence = tree.presenceProof(subject);
    if (presence === undefined) throw new Error('she is not in the list');
    const without = LinkedTree.of(leaves.filter(([key]) => key !== subject));
    const absence = without.absenceProof(subject);
    if (absence === undefined) throw new Error('she is in the list without her');
    const neighbours = [...before.customers.values()].filter((key) => key !== subject);
    const lies = [
      notUsed(presence),
      notUsed(absence),
      notUsed({ ...presence, leaf: { ...presence.leaf, key: ZERO_WORD } }),
      ...neighbours.flatMap((key) => tree.presenceProof(key) ?? []).map(notUsed),
      ...neighbours
        .flatMap((key) => tree.presenceProof(key) ?? [])
        .map((proof) => notUsed({ ...proof, leaf: { ...proof.leaf, key: ZERO_WORD, next: MAX_WORD } })),
      claiming([{ round, used: false, recordsRoot: without.root, proof: { ...absence, proof: [...absence.proof] } }]),
    ];
    for (const lie of lies) expect(failing(await audit(lie))).toContain(`round ${round}`);
  });

  test('a receipt that leaves the round out between others is caught', async () => {
    const { round: later } = await commitTo(after.customers);
    const whole = await dealer.receiptOf(subject);
    const without = (whole.rounds ?? []).filter((one) => one.round !== round);
    expect(without.at(-1)?.round).toBe(later);
    expect(failing(await audit({ ...whole, rounds: without }))).toEqual(['rounds']);
  });

  test('a receipt without the round: the chain still says that there was one', async () => {
    const silent = await audit(claiming(undefined));
    expect(silent.checks.map(({ id }) => id)).not.toContain(`round ${round}`);
    const chain = await readReceiptChain(world.chain.rpcUrl, {
      federation: world.at.federation,
      dealer: dealer.party.address,
    });
    expect(chain.recordsRoots.get(round)).toBe(recordsRoot);
  });

  test('who was in which round is not for everybody: without the dealer’s token the door is shut, the public one is silent', async () => {
    const [subjects, operations] = [`${dealer.url}/v1/subjects`, `${dealer.url}/v1/consent/receipts`];
    for (const headers of [{}, { authorization: 'Bearer not the operator' }]) {
      expect(await faultOf(() => request(`${subjects}/${subject}/receipt`, { headers }))).toBe('SIGNATURE_INVALID');
    }
    const signed = toHex(operationHash(fromHex(receipt.operation)));
    const open = await requestJson<Receipt>(`${operations}/${signed}`);
    expect(open).toMatchObject({ operation: receipt.operation, anchored: receipt.anchored });
    expect(open.rounds).toBeUndefined();
  });
});

describe('what neither the chain nor a receipt can see', () => {
  beforeEach(async () => {
    after = await dealer.select();
  });

  test('a record trained on and left out of recordsRoot: every check holds', async () => {
    const { round } = await commitTo(after.customers);
    const report = await audit(await dealer.receiptOf(subject));
    expect(failing(report)).not.toContain(`round ${round}`);
    expect(findingOf(report, `round ${round}`)).toBe('not used');
  });

  test('a list that contradicts itself proves both; whoever is shown its records sees it', async () => {
    const { leaves } = dealer.commitRecords(before.customers);
    const honest = LinkedTree.of(leaves);
    const inside = honest.presenceProof(subject);
    if (inside === undefined) throw new Error('she is not in the list');
    // her own leaf, and beside it the one that says the list is empty
    const leap: LinkedLeaf = { key: ZERO_WORD, value: ZERO_WORD, next: MAX_WORD };
    const hashes = [leap, inside.leaf].map(({ key, value, next }) => leafHash(abiWords(key, value, next)));
    const forged = MerkleTree.of(hashes);
    const round = await openRound(world, coordinator);
    await dealer.party.ledger.commit(commitOf(round, after.root, { recordsRoot: forged.root, weight: 2 }));
    const receipt = await dealer.receiptOf(subject);
    const saying = (used: boolean, leaf: LinkedLeaf, i: number): Receipt => {
      const proof = { leaf, proof: forged.proofOf(hashes[i] ?? new Uint8Array(32)) };
      return { ...receipt, rounds: [{ round, used, recordsRoot: forged.root, proof }] };
    };
    // that the other rounds are left out is seen; not that this root proves both
    expect(failing(await audit(saying(false, leap, 0)))).toEqual(['rounds']);
    expect(
      verifyPresence(forged.root, subject, {
        leaf: inside.leaf,
        proof: forged.proofOf(hashes[1] ?? new Uint8Array(32)),
      }),
    ).toBe(true);
    // an opening is a list of (subject, record): no list of these leads to that root
    const openings = [leaves, leaves.filter(([key]) => key !== subject), leaves.filter(([key]) => key === subject), []];
    for (const opening of openings) expect(LinkedTree.of(opening).root).not.toBe(forged.root);
  });
});
