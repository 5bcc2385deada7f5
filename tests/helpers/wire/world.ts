// A federation over the wire for adversaries: a real chain, the real coordinator and key-holders as processes, dealers that
// the test drives. Only the proof verifier on chain is a double: consent is not what these tests attack.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { CoordinatorStatus } from '../../../coordinator/api/public.ts';
import type { RoundOutcome } from '../../../coordinator/rounds/driver.ts';
import { createChainClient } from '../../../engines/chain/client.ts';
import { type ChainConnection, connectFederation } from '../../../engines/chain/connect.ts';
import { deployFederation } from '../../../engines/chain/deploy.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../../engines/chain/embedded.ts';
import { createFederation } from '../../../engines/chain/federation.ts';
import { type Identity, loadOrCreateIdentity } from '../../../engines/keys/identity.ts';
import { OPERATOR_TOKEN_FILE } from '../../../engines/keys/operator-token.ts';
import { COIL2000 } from '../../../examples/simulation/load.ts';
import { type Child, startChild } from '../../../kit/child.ts';
import { requestJson } from '../../../kit/http.ts';
import { PACKAGE_ROOT } from '../../../kit/sources.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { type DataContract, parseDataContract } from '../../../protocol/learning/data-contract.ts';
import { parseTask, type Task } from '../../../protocol/learning/task.ts';
import { hashVerificationKey } from '../../../protocol/proof/verification-key.ts';
import { testArtifacts } from '../../contracts/world.ts';
import { trapdoorSetup } from '../audit/trapdoor-proofs.ts';
import { CACHE_DIR } from '../command.ts';
import { type LyingProxy, startLyingProxy } from './lying-proxy.ts';

const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');
const DEALERS = 5;
const KEY_HOLDERS = 5;
/** Three of five: two more answers than needed, so that one liar is named and two are found by trial. */
const THRESHOLD = 3;
const ROUND_WITHIN_MS = 90_000;
/** As many public signals as the policy circuit has. */
const { verificationKey } = trapdoorSetup(23);

export interface WireWorld {
  readonly directory: string;
  readonly chain: EmbeddedChain;
  readonly federation: Hex;
  readonly task: Task;
  readonly contract: DataContract;
  readonly dealers: readonly Identity[];
  readonly witness: Identity;
  readonly coordinator: { readonly identity: Identity; readonly url: string; readonly bundle: string };
  /** Every key-holder is reached through one; honest until told otherwise. */
  readonly keyHolders: readonly { readonly identity: Identity; readonly proxy: LyingProxy }[];
  connect(party: Identity): Promise<ChainConnection>;
  /** Asks the coordinator for one round. @returns its number, once it is open */
  openRound(): Promise<number>;
  /** What became of it. */
  outcome(round: number): Promise<RoundOutcome>;
  /** Most memory that a process has ever held, in MB: the coordinator's, and the largest key-holder's. */
  peakRssMb(): Promise<{ readonly coordinator: number; readonly keyHolder: number }>;
  /** The coordinator process is gone; the test may play it, with its identity. */
  stopCoordinator(): Promise<void>;
  stop(): Promise<void>;
}

/** What a test needs to be different; the document is the example's task. */
export type ChangeTask = (document: {
  model: { layers: unknown[] };
  update: Record<string, unknown>;
  cohort: Record<string, unknown>;
}) => void;

export async function openWireWorld(changeTask: ChangeTask = () => undefined): Promise<WireWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'concordat-wire-'));
  const identity = (name: string) => loadOrCreateIdentity(join(directory, name));
  const many = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => identity(`${name}-${i + 1}`)));
  const [operator, coordinator, witness] = await Promise.all(['operator', 'coordinator', 'witness'].map(identity));
  if (operator === undefined || coordinator === undefined || witness === undefined) throw new Error('no identities');
  const [dealers, holders] = await Promise.all([many('dealer', DEALERS), many('key-holder', KEY_HOLDERS)]);
  const [chain, artifacts, material] = await Promise.all([
    startEmbeddedChain({ dir: join(directory, 'chain') }),
    testArtifacts(),
    writeMaterial(directory, changeTask),
  ]);
  const started: { stop(): Promise<void> }[] = [chain];
  for (const { address } of [operator, coordinator, witness, ...dealers, ...holders]) {
    await chain.fund(address, 10n ** 20n);
  }
  const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: operator.privateKey });
  const at = await deployFederation(client, artifacts, {
    operator: operator.address,
    parameters: {
      minCohort: 3,
      keyHolderThreshold: THRESHOLD,
      witnessQuorum: 1,
      metricMaxAgeSeconds: 3_600,
      verificationKeyHash: hashVerificationKey(verificationKey),
    },
    setup: 'single-operator',
  });
  const federation = createFederation(client, at.federation);
  await federation.setCoordinator(coordinator.address);
  await federation.registerWitness(witness.address);
  for (const { address } of dealers) await federation.registerDealer(address);
  for (const { address } of holders) await federation.registerKeyHolder(address);

  const node = async (role: string, name: string, args: readonly string[]): Promise<Child> => {
    const where = ['--dir', join(directory, name), '--rpc', chain.rpcUrl, '--federation', at.federation];
    const child = await startChild({
      name,
      command: process.execPath,
      args: [BIN, role, ...where, ...args],
      logFile: join(directory, 'logs', `${name}.log`),
    });
    started.push(child);
    return child;
  };
  const domain = { chainId: chain.chainId, federation: at.federation };
  const holderPids: number[] = [];
  const keyHolders = await Promise.all(
    holders.map(async (holder, i) => {
      const child = await node('key-holder', `key-holder-${i + 1}`, []);
      holderPids.push(child.pid);
      const proxy = await startLyingProxy(child.url, holder.privateKey, domain);
      started.push(proxy);
      return { identity: holder, proxy };
    }),
  );
  const coordinatorProcess = await node('coordinator', 'coordinator', [
    ...['--task', material.taskFile, '--contract', material.contractFile],
    ...['--verification-key', material.keyFile, '--cache-dir', CACHE_DIR],
    ...['--key-holder', ...keyHolders.map(({ proxy }) => proxy.url)],
  ]);
  const token = await readFile(join(directory, 'coordinator', OPERATOR_TOKEN_FILE), 'utf8');
  const status = () => requestJson<CoordinatorStatus>(`${coordinatorProcess.url}/v1/status`);
  const observer = await connectFederation(chain.rpcUrl, at.federation);

  return {
    directory,
    chain,
    federation: at.federation,
    ...material,
    dealers,
    witness,
    coordinator: {
      identity: coordinator,
      url: coordinatorProcess.url,
      bundle: join(directory, 'coordinator', 'bundle'),
    },
    keyHolders,
    connect: (party) => connectFederation(chain.rpcUrl, at.federation, party.privateKey),
    async openRound() {
      // an outcome shows a little before the run that it ends is over
      await until(async () => !(await status()).running, 'the run before to end');
      const before = await observer.ledger.roundCount();
      await requestJson(`${coordinatorProcess.url}/v1/rounds`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ rounds: 1 }),
      });
      await until(async () => (await observer.ledger.roundCount()) > before, 'the round to open');
      return before + 1;
    },
    async outcome(round) {
      const find = async () => (await status()).rounds.find((outcome) => outcome.round === round);
      await until(async () => (await find()) !== undefined, `round ${round} to end`);
      const found = await find();
      if (found === undefined) throw new Error(`round ${round} is gone again`);
      return found;
    },
    peakRssMb: async () => ({
      coordinator: await peakRssMbOf(coordinatorProcess.pid),
      keyHolder: Math.max(...(await Promise.all(holderPids.map(peakRssMbOf)))),
    }),
    stopCoordinator: () => coordinatorProcess.stop(),
    async stop() {
      for (const part of started.reverse()) await part.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The example's task for a federation of this size, with a deadline that no test reaches. */
async function writeMaterial(directory: string, changeTask: ChangeTask) {
  await mkdir(directory, { recursive: true });
  const document = parse(await readFile(join(COIL2000, 'task.yaml'), 'utf8'));
  document.cohort = { min: 3, deadlineMs: 60_000 };
  changeTask(document);
  const contractSource = await readFile(join(COIL2000, 'contract.yaml'), 'utf8');
  const taskSource = stringify(document);
  const files = {
    taskFile: join(directory, 'task.yaml'),
    contractFile: join(directory, 'contract.yaml'),
    keyFile: join(directory, 'verification-key.json'),
  };
  await writeFile(files.taskFile, taskSource);
  await writeFile(files.contractFile, contractSource);
  await writeFile(files.keyFile, JSON.stringify(verificationKey));
  return { ...files, task: parseTask(taskSource), contract: parseDataContract(contractSource) };
}

/** Linux: the kernel's own record. */
async function peakRssMbOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + ROUND_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
