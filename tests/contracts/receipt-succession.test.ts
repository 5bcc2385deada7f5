// `audit receipt` of a federation that another one carries on: a receipt is judged by the deployment in force, whichever it names.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ReceiptReport } from '../../auditor/receipt.ts';
import { runReceiptAudit } from '../../auditor/receipt-file.ts';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import { createAnchoring } from '../../edge-node/consent/anchoring.ts';
import { createReceiptDesk, type ReceiptDesk } from '../../edge-node/consent/receipts.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { createLog } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Receipt } from '../../protocol/consent/receipt.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import {
  customer,
  memoryLogStore,
  memoryProposalStore,
  openBook,
  RELYING_PARTY,
  TRAINING,
} from '../unit/consent-world.ts';
import { addressOf, deployHeir, keyOf, openWorld, type Party, type World, witnessed } from './world.ts';

const log = createLog('dealer', 'silent');
/** A witness of the new one alone. */
const NEW_WITNESS = 'witness-of-the-new-one';

let world: World;
let dir: string;
let dealer: Party;
let heir: Hex;
let old: Receipt;
let state: ConsentState;
let promiseOf: Receipt;
let deskOf: (federation: Hex) => Promise<ReceiptDesk>;

beforeAll(async () => {
  world = await openWorld();
  dir = await mkdtemp(join(tmpdir(), 'concordat-receipts-'));
});
beforeEach(async () => {
  await world.reset();
  dealer = await world.party('dealer-1');
  const { address } = dealer;
  const book = await openBook(memoryLogStore(), address);
  deskOf = async (federation) =>
    createReceiptDesk({
      book,
      chain: await connectFederation(world.chain.rpcUrl, federation, dealer.privateKey),
      identity: { ...dealer, secret: new Uint8Array(32) },
      relyingParty: RELYING_PARTY,
    });
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, memoryProposalStore(), undefined),
    registry: dealer.registry,
    coSign: async ({ anchor }) => witnessed(world, address, anchor, ['witness-1', 'witness-2']),
    onRootMoved: () => undefined,
    log,
  });
  promiseOf = await book.submit(customer('anna', address).submission(TRAINING));
  ({ state } = await anchoring.flush());
  old = await receiptUnder(world.at.federation, 1);
  heir = await deployHeir(world, { dealer: dealer.address, witness: addressOf(NEW_WITNESS) });
});
afterAll(async () => {
  await world?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function receiptUnder(federation: Hex, epoch: number): Promise<Receipt> {
  const desk = await deskOf(federation);
  const [receipt] = desk.promise([promiseOf]);
  if (receipt === undefined) throw new Error('no receipt');
  return desk.complete(receipt, { state, epoch });
}

const succeed = async () => (await world.party('operator')).federation.nameSuccessor(heir);

/** As the dealer's node does first under the new deployment. */
async function moveDealer(): Promise<void> {
  const { registry, client } = await connectFederation(world.chain.rpcUrl, heir, dealer.privateKey);
  const last = await registry.currentAnchor(dealer.address);
  if (last === undefined) throw new Error('nothing is anchored');
  const { bucketsRoot, subjectsRoot, logHead, operationCount } = last;
  const next = { epoch: 2, bucketsRoot, subjectsRoot, logHead, operationCount };
  const domain = { chainId: client.chainId, federation: heir };
  const signed = signTypedStruct(keyOf(NEW_WITNESS), domain, 'Anchor', { dealer: dealer.address, ...next });
  await registry.anchor(next, [signed]);
}

async function audit(receipt: Receipt, options = {}): Promise<ReceiptReport> {
  const file = join(dir, 'receipt.json');
  await writeFile(file, JSON.stringify(receipt));
  return runReceiptAudit(file, { rpc: world.chain.rpcUrl, ...options });
}
const failing = ({ checks }: ReceiptReport) => checks.filter(({ holds }) => !holds).map(({ id }) => id);
const findingOf = ({ checks }: ReceiptReport, id: string) => checks.find((one) => one.id === id)?.finding;

describe('a receipt of the deployment that ended', () => {
  test('is current while nothing has been handed over: to be named by a new one changes nothing', async () => {
    const report = await audit(old);
    expect(failing(report)).toEqual([]);
    expect(findingOf(report, 'anchor')).toMatch(/, current$/);
    expect(report.inForce).toBe(world.at.federation);
  });

  test('[P-28] is not called current, and says which one is in force, before the dealer has moved', async () => {
    await succeed();
    const report = await audit(old);
    expect(failing(report)).toEqual([]);
    expect(findingOf(report, 'place')).toMatch(new RegExp(`ended at 20.*: in force is ${heir}$`));
    expect(findingOf(report, 'anchor')).toContain(`the dealer’s last under ${world.at.federation}, which ended at`);
    expect(findingOf(report, 'anchor')).not.toContain('current');
    expect(report.inForce).toBe(heir);
  });

  test('[P-31] is superseded by the anchor with which the dealer moved, whichever of the two is asked for', async () => {
    await succeed();
    await moveDealer();
    for (const federation of [undefined, world.at.federation, heir]) {
      const report = await audit(old, federation && { federation });
      expect(failing(report)).toEqual([]);
      expect(findingOf(report, 'anchor')).toMatch(new RegExp(`superseded by epoch 2 at 20.*, under ${heir}`));
    }
  });
});

describe('a receipt of the deployment that carries on', () => {
  test('holds: under the anchor from before, by the witnesses from before, then under its own', async () => {
    await succeed();
    const before = await audit(await receiptUnder(heir, 1));
    expect(failing(before)).toEqual([]);
    await moveDealer();
    const after = await audit(await receiptUnder(heir, 2));
    expect(failing(after)).toEqual([]);
    expect(findingOf(after, 'anchor')).toMatch(/epoch 2, anchored at .*, current$/);
    expect(findingOf(after, 'witnesses')).toBe(`co-signed by ${addressOf(NEW_WITNESS)}`);
  });

  test('a witness of the old one alone does not count for an anchor of the new one', async () => {
    await succeed();
    await moveDealer();
    const receipt = await receiptUnder(heir, 2);
    const { anchored } = receipt;
    if (anchored === undefined) throw new Error('not anchored');
    const domain = { chainId: world.chain.chainId, federation: heir };
    const witnessSignatures = [signTypedStruct(keyOf('witness-1'), domain, 'Anchor', anchored.anchor)];
    expect(failing(await audit({ ...receipt, anchored: { ...anchored, witnessSignatures } }))).toEqual(['witnesses']);
  });

  test('[P-27] is worth nothing while the old one has not named it: anybody may deploy such a one', async () => {
    const forged = await receiptUnder(heir, 1);
    const report = await audit(forged);
    expect(failing(report)).toContain('place');
    expect(findingOf(report, 'place')).toContain(`${world.at.federation} has not named it as its successor`);
    expect(report.inForce).toBeUndefined();
    const known = await audit(forged, { federation: world.at.federation });
    expect(failing(known)).toContain('place');
  });
});
