// A federation on a real anvil with two dealers and three witnesses, each witness a process of its own; any two make a quorum.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAnchorProposer } from '../../../edge-node/consent/anchor-proposal.ts';
import { type Anchoring, createAnchoring } from '../../../edge-node/consent/anchoring.ts';
import type { ConsentBook } from '../../../edge-node/consent/book.ts';
import { createWitnesses, type Witnesses } from '../../../edge-node/witnesses.ts';
import { createChainClient } from '../../../engines/chain/client.ts';
import { type ChainConnection, connectFederation } from '../../../engines/chain/connect.ts';
import { deployFederation } from '../../../engines/chain/deploy.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../../engines/chain/embedded.ts';
import { createFederation } from '../../../engines/chain/federation.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Identity, loadOrCreateIdentity } from '../../../engines/keys/identity.ts';
import { type Child, startChild } from '../../../kit/child.ts';
import { systemClock } from '../../../kit/clock.ts';
import { requestJson } from '../../../kit/http.ts';
import { PACKAGE_ROOT } from '../../../kit/sources.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { encodeCbor } from '../../../protocol/codec.ts';
import type { Anchor } from '../../../protocol/consent/anchor.ts';
import type { LogEntry } from '../../../protocol/consent/log.ts';
import { hash, testArtifacts } from '../../contracts/world.ts';
import { memoryLogStore, memoryProposalStore, ORIGIN, openBook, RELYING_PARTY } from '../../unit/consent-world.ts';
import { SILENT } from '../../unit/coordinator-world.ts';

export interface WitnessProcess {
  readonly identity: Identity;
  readonly directory: string;
  readonly url: string;
  /** As a power cut would. */
  kill(): Promise<void>;
  /** In the same folder, on the same port. */
  startAgain(): Promise<void>;
}

export interface WitnessWorld {
  readonly directory: string;
  readonly chain: EmbeddedChain;
  readonly federation: Hex;
  readonly dealers: readonly Identity[];
  readonly witnesses: readonly WitnessProcess[];
  connect(party: Identity): Promise<ChainConnection>;
  /** A second process with the key of the first and nothing of its memory: restored from too old a backup. */
  forgetful(of: WitnessProcess): Promise<WitnessProcess>;
  stop(): Promise<void>;
}

const QUORUM = 2;
const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');

export async function openWitnessWorld(): Promise<WitnessWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'concordat-witnesses-'));
  const identities = (names: readonly string[]) =>
    Promise.all(names.map((name) => loadOrCreateIdentity(join(directory, name))));
  const names = ['witness-1', 'witness-2', 'witness-3'];
  const [[operator], dealers, watching] = await Promise.all([
    identities(['operator']),
    identities(['dealer-1', 'dealer-2', 'dealer-3']),
    identities(names),
  ]);
  if (operator === undefined) throw new Error('no operator');
  const [chain, artifacts] = await Promise.all([
    startEmbeddedChain({ dir: join(directory, 'chain') }),
    testArtifacts(),
  ]);
  const started: { stop(): Promise<void> }[] = [chain];
  for (const { address } of [operator, ...dealers]) await chain.fund(address, 10n ** 20n);
  const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: operator.privateKey });
  const at = await deployFederation(client, artifacts, {
    operator: operator.address,
    parameters: {
      minCohort: 3,
      keyHolderThreshold: 2,
      witnessQuorum: QUORUM,
      metricMaxAgeSeconds: 3_600,
      verificationKeyHash: hash('verification key'),
    },
    setup: 'single-operator',
  });
  const federation = createFederation(client, at.federation);
  for (const { address } of dealers) await federation.registerDealer(address);
  for (const { address } of watching) await federation.registerWitness(address);

  const spawn = async (name: string, port: string): Promise<Child> => {
    const where = ['--dir', join(directory, name), '--rpc', chain.rpcUrl, '--federation', at.federation];
    const pages = ['--rp-id', RELYING_PARTY.rpId, '--origin', ORIGIN];
    const child = await startChild({
      name,
      command: process.execPath,
      args: [BIN, 'witness', ...where, ...pages, '--port', port],
      logFile: join(directory, 'logs', `${name}.log`),
    });
    started.push(child);
    return child;
  };
  const start = async (name: string, identity: Identity): Promise<WitnessProcess> => {
    let child = await spawn(name, '0');
    const { url } = child;
    return {
      identity,
      directory: join(directory, name),
      url,
      kill: async () => {
        child.kill('SIGKILL');
        await child.exited;
      },
      startAgain: async () => {
        child = await spawn(name, new URL(url).port);
      },
    };
  };
  const witnesses = await Promise.all(watching.map((identity, i) => start(names[i] ?? '', identity)));

  return {
    directory,
    chain,
    federation: at.federation,
    dealers,
    witnesses,
    connect: ({ privateKey }) => connectFederation(chain.rpcUrl, at.federation, privateKey),
    async forgetful({ identity, directory: original }) {
      const name = `restored-${started.length}`;
      await cp(join(original, 'identity.json'), join(directory, name, 'identity.json'));
      return start(name, identity);
    },
    async stop() {
      for (const part of started.reverse()) await part.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface ConsentDealer {
  readonly address: Hex;
  readonly book: ConsentBook;
  readonly chain: ChainConnection;
  readonly anchoring: Anchoring;
  readonly witnesses: Witnesses;
  readonly sign: (anchor: Anchor) => Hex;
}

/** One dealer's consent, of the edge node's own parts, with the witnesses at these addresses. */
export async function startConsentDealer(
  world: WitnessWorld,
  identity: Identity,
  urls: readonly string[],
  patienceMs = 20_000,
): Promise<ConsentDealer> {
  const { address, privateKey } = identity;
  const chain = await world.connect(identity);
  const book = await openBook(memoryLogStore(), address);
  const witnesses = createWitnesses({
    ...{ urls, chain, identity, patienceMs },
    entries: book.entries,
    clock: systemClock,
    log: SILENT,
  });
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, memoryProposalStore(), undefined),
    registry: chain.registry,
    coSign: witnesses.coSign,
    onRootMoved: () => undefined,
    log: SILENT,
  });
  const sign = (anchor: Anchor) => signTypedStruct(privateKey, chain.domain, 'Anchor', anchor);
  return { address, book, chain, anchoring, witnesses, sign };
}

export interface Asked {
  readonly firstIndex: number;
  readonly entries: readonly LogEntry[];
  readonly anchor: Anchor;
  readonly dealerSignature: Hex;
}

/** One request to one witness, as whoever has these bytes would make it. */
export async function askWitness(url: string, { entries, anchor, ...asked }: Asked): Promise<Hex> {
  const plain = entries.map(({ operation, assertion }) => ({ operation, assertion }));
  const { signature } = await requestJson<{ signature: Hex }>(`${url}/v1/witness/anchors`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor' },
    body: encodeCbor({ v: 'concordat/1/co-sign', ...asked, entries: plain, anchor: { ...anchor } }),
  });
  return signature;
}
