// A dealer that moves to the deployment which carries its federation on: the edge node's own parts, and a witness that is new there.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import { type Anchoring, createAnchoring } from '../../edge-node/consent/anchoring.ts';
import type { ConsentBook } from '../../edge-node/consent/book.ts';
import { createForcedWithdrawals } from '../../edge-node/consent/forced.ts';
import { createWitnesses } from '../../edge-node/witnesses.ts';
import { type ChainConnection, connectFederation } from '../../engines/chain/connect.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { openStore } from '../../engines/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { createApp, listen, problemHandler } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeAssertion } from '../../protocol/consent/assertion.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { assembleWitness } from '../../witness/assemble.ts';
import {
  ACCESS,
  customer,
  type MemoryLogStore,
  memoryLogStore,
  memoryProposalStore,
  NOTHING,
  openBook,
  RELYING_PARTY,
  type TestCustomer,
  TRAINING,
} from '../unit/consent-world.ts';
import { deployHeir, expectRefusal, openWorld, type Party, type World, witnessed } from './world.ts';

const log = createLog('dealer', 'silent');

let world: World;
let directory: string;
let dealer: Party;
let anna: TestCustomer;
let bert: TestCustomer;
let logStore: MemoryLogStore;
let cuts: ReturnType<typeof memoryProposalStore>;
/** Of the new deployment; started for each test anew, with no memory. */
let heir: Hex;
let witnessUrl: string;
let closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  world = await openWorld();
  directory = await mkdtemp(join(tmpdir(), 'concordat-moving-'));
});
beforeEach(async () => {
  for (const close of closing) await close();
  closing = [];
  await world.reset();
  dealer = await world.party('dealer-1');
  [logStore, cuts] = [memoryLogStore(), memoryProposalStore()];
  [anna, bert] = [customer('anna', dealer.address), customer('bert', dealer.address)];
  const before = await connectFederation(world.chain.rpcUrl, world.at.federation, dealer.privateKey);
  const { book, anchoring } = await startNode(before);
  await book.submitAll([anna.submission(TRAINING), bert.submission(TRAINING)]);
  await anchoring.flush();
  heir = await startHeir();
});
afterAll(async () => {
  for (const close of closing) await close();
  await world?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** With this dealer in it, and one witness that has seen nothing yet. */
async function startHeir(): Promise<Hex> {
  // the chain was set back: the same address again, and yet a witness without memory
  const folder = await mkdtemp(join(directory, 'witness-'));
  const identity = await loadOrCreateIdentity(folder);
  const federation = await deployHeir(world, { dealer: dealer.address, witness: identity.address });
  const store = await openStore(join(folder, 'store'));
  const app = createApp();
  const chain = await connectFederation(world.chain.rpcUrl, federation);
  app.use(assembleWitness({ identity, chain, store, relyingParty: RELYING_PARTY }));
  app.use(problemHandler(log));
  const http = await listen(app, 0);
  witnessUrl = http.url;
  closing.push(http.close, store.close);
  return federation;
}

interface Node {
  readonly book: ConsentBook;
  readonly anchoring: Anchoring;
  readonly chain: ChainConnection;
}

/** As edge-node/node.ts does, from what the dealer has stored and what is on chain. */
async function startNode(chain: ChainConnection, urls: readonly string[] = [], over = {}): Promise<Node> {
  const book = await openBook(logStore, dealer.address);
  const registry = { ...chain.registry, ...over };
  const last = await registry.currentAnchor(dealer.address);
  const carriedOver = await registry.hasAnchored(dealer.address);
  const anchor = last && { dealer: dealer.address, ...stateIn(last) };
  const identity = { ...dealer, secret: new Uint8Array(32) };
  const entries = book.entries;
  const witnesses = createWitnesses({ urls, chain, identity, entries, clock: systemClock, log, patienceMs: 5_000 });
  closing.push(async () => witnesses.stop());
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, cuts, anchor, carriedOver),
    registry,
    coSign:
      urls.length > 0
        ? witnesses.coSign
        : async ({ anchor: proposed }) => witnessed(world, dealer.address, proposed, ['witness-1', 'witness-2']),
    onRootMoved: () => undefined,
    forced: createForcedWithdrawals({ book, chain: { client: chain.client, registry }, log }),
    log,
  });
  return { book, anchoring, chain };
}

const stateIn = ({
  epoch,
  bucketsRoot,
  subjectsRoot,
  logHead,
  operationCount,
}: Awaited<ReturnType<typeof lastOf>>) => ({
  epoch,
  bucketsRoot,
  subjectsRoot,
  logHead,
  operationCount,
});

async function lastOf(chain: ChainConnection) {
  const last = await chain.registry.currentAnchor(dealer.address);
  if (last === undefined) throw new Error('nothing is anchored');
  return last;
}

async function succeed(): Promise<void> {
  await (await world.party('operator')).federation.nameSuccessor(heir);
}

const moved = async (over = {}): Promise<Node> =>
  startNode(await connectFederation(world.chain.rpcUrl, heir, dealer.privateKey), [witnessUrl], over);

describe('a dealer that moves', () => {
  test('[P-29] anchors once though nothing is new, with a witness that it tells its log from the first entry on', async () => {
    await succeed();
    const { anchoring, chain } = await moved();
    const before = await lastOf(chain);
    expect(await chain.registry.hasAnchored(dealer.address)).toBe(false);
    expect((await anchoring.flush()).epoch).toBe(2);
    expect(await chain.registry.hasAnchored(dealer.address)).toBe(true);
    const after = await lastOf(chain);
    expect({ ...after, root: '', epoch: 0, anchoredAt: 0 }).toEqual({ ...before, root: '', epoch: 0, anchoredAt: 0 });
    // and never again without a reason
    const block = await chain.client.blockNumber();
    await anchoring.flush();
    await (await moved()).anchoring.flush();
    expect(await chain.client.blockNumber()).toBe(block);
  });

  test('killed before its anchor is on chain, it proposes the identical one again: a witness signs one', async () => {
    await succeed();
    const dies = await moved({ anchor: () => Promise.reject(new Error('killed')) });
    await expect(dies.anchoring.flush()).rejects.toThrow('killed');
    await dies.book.submitAll([anna.submission(NOTHING)]);
    const { anchoring, chain } = await moved();
    expect((await anchoring.flush()).epoch).toBe(3);
    expect((await lastOf(chain)).operationCount).toBe(3);
  });

  test('[P-30] takes in what was forced on it before, from the old registry, and acknowledges it in the new one', async () => {
    const withdrawal = anna.submission(NOTHING);
    const old = await connectFederation(world.chain.rpcUrl, world.at.federation, dealer.privateKey);
    const { book: asItWas, anchoring: before } = await startNode(old);
    const { subject } = decodeOperation(withdrawal.operation);
    const membership = before.anchored().state.membershipProof(subject);
    if (membership === undefined) throw new Error('not a member');
    const stranger = await world.party('stranger');
    const { operation } = withdrawal;
    await stranger.registry.forceWithdraw({ operation, assertion: decodeAssertion(withdrawal.assertion), membership });
    await succeed();
    await expectRefusal(before.flush(), 'Superseded', { successor: heir });
    expect(asItWas.decide('bert', ACCESS)?.allow).toBe(true);

    const { book, anchoring, chain } = await moved();
    expect(await chain.registry.pendingWithdrawals(dealer.address)).toMatchObject([
      { subject, registry: world.at.registry },
    ]);
    await anchoring.flush();
    expect(await chain.registry.pendingWithdrawals(dealer.address)).toEqual([]);
    expect(book.decide('anna', ACCESS)).toEqual({ allow: false, reason: 'not-granted' });
    expect(book.decide('bert', ACCESS)?.allow).toBe(true);
    // where nothing changes any more, it is as it was
    expect(await stranger.registry.pendingWithdrawals(dealer.address)).toHaveLength(1);
  });
});
