// A whole federation on one machine: chain, contracts, coordinator, key-holders and edge nodes as processes of their own.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createChainClient } from '../../engines/chain/client.ts';
import { compileContracts } from '../../engines/chain/compile.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { createFederation, type FederationParameters } from '../../engines/chain/federation.ts';
import { type Identity, loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { OPERATOR_TOKEN_FILE } from '../../engines/keys/operator-token.ts';
import type { PolicyArtifacts } from '../../engines/proof/artifacts.ts';
import { type Child, startChild } from '../../kit/child.ts';
import { readFileOrExplain } from '../../kit/files.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { writeAcceptPolicy } from './accept.ts';
import type { Material } from './material.ts';
import { type FederateOptions, witnessQuorumOf } from './options.ts';

/** A running party. A process that dies early is started again, in the same folder and on the same port. */
export interface Node {
  readonly name: string;
  readonly url: string;
  stop(): Promise<void>;
  readonly address: Hex;
  readonly directory: string;
  readonly token: string;
}

export interface RunningFederation {
  readonly chain: EmbeddedChain;
  readonly federation: Hex;
  readonly coordinator: Node;
  readonly dealers: Node[];
  readonly keyHolders: Node[];
  /** Beside the coordinator. */
  readonly witnesses: Node[];
  readonly deployGas: number;
}

const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');
/** A process that keeps dying is left down. */
const MAX_STARTS = 5;
const ONE_ETHER = 10n ** 18n;
/** How old a measured accuracy may be before it counts as missing. */
const METRIC_MAX_AGE_SECONDS = 3_600;

export interface Identities {
  readonly operator: Identity;
  readonly coordinator: Identity;
  readonly dealers: readonly Identity[];
  readonly keyHolders: readonly Identity[];
  readonly witnesses: readonly Identity[];
}

const names = (what: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${what}-${i + 1}`);

/** Every party's keys, each in its own folder: what its operator would make on its own machine. */
export async function makeIdentities(options: FederateOptions): Promise<Identities> {
  const of = (name: string) => loadOrCreateIdentity(join(options.out, name));
  const [operator, coordinator, dealers, keyHolders, witnesses] = await Promise.all([
    of('operator'),
    of('coordinator'),
    Promise.all(names('dealer', options.dealers).map(of)),
    Promise.all(names('key-holder', options.keyHolders).map(of)),
    Promise.all(names('witness', options.witnesses).map(of)),
  ]);
  return { operator, coordinator, dealers, keyHolders, witnesses };
}

export const startChain = (options: FederateOptions): Promise<EmbeddedChain> =>
  startEmbeddedChain({ dir: join(options.out, 'chain'), stateFile: join(options.out, 'chain.json') });

/** Deploys the contracts and registers everyone. */
export async function deploy(
  chain: EmbeddedChain,
  who: Identities,
  artifacts: PolicyArtifacts,
  material: Material,
  options: FederateOptions,
): Promise<{ federation: Hex; gasUsed: number }> {
  const compiled = await compileContracts({ cacheDir: options.cacheDir, verifierSource: artifacts.verifierSource });
  const accounts = [who.operator, who.coordinator, ...who.dealers, ...who.keyHolders];
  await Promise.all(accounts.map(({ address }) => chain.fund(address, 100n * ONE_ETHER)));
  const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: who.operator.privateKey });
  const parameters: FederationParameters = {
    minCohort: material.task.cohort.min,
    keyHolderThreshold: options.threshold,
    witnessQuorum: witnessQuorumOf(options),
    metricMaxAgeSeconds: METRIC_MAX_AGE_SECONDS,
    verificationKeyHash: artifacts.verificationKeyHash,
  };
  const { operator } = who;
  const deployed = await deployFederation(client, compiled, {
    operator: operator.address,
    parameters,
    setup: artifacts.setup,
  });
  const federation = createFederation(client, deployed.federation);
  await federation.setCoordinator(who.coordinator.address);
  for (const { address } of [who.coordinator, ...who.witnesses]) await federation.registerWitness(address);
  for (const { address } of who.dealers) await federation.registerDealer(address);
  // one after the other: the order of registration is a key-holder's index; its keys it makes and registers itself
  for (const { address } of who.keyHolders) await federation.registerKeyHolder(address);
  return { federation: deployed.federation, gasUsed: deployed.gasUsed };
}

async function startNode(
  role: 'coordinator' | 'edge' | 'key-holder' | 'witness',
  name: string,
  identity: Identity,
  args: readonly string[],
  options: FederateOptions,
  onEvent: (text: string) => void,
): Promise<Node> {
  const directory = join(options.out, name);
  // started again, it listens where the others already look for it
  const spawnOnce = (port: string): Promise<Child> =>
    startChild({
      name,
      command: process.execPath,
      args: [BIN, role, '--dir', directory, '--port', port, ...args],
      logFile: join(options.out, 'logs', `${name}.log`),
    });
  let child = await spawnOnce('0');
  let stopping = false;
  const tokenFile = join(directory, OPERATOR_TOKEN_FILE);
  const hasOperator = role === 'coordinator' || role === 'edge';
  const token = hasOperator ? (await readFileOrExplain(tokenFile)).toString('utf8') : '';
  const node: Node = {
    name,
    url: child.url,
    address: identity.address,
    directory,
    token,
    stop: async () => {
      stopping = true;
      await child.stop();
    },
  };
  const watch = async (): Promise<void> => {
    for (let starts = 1; starts <= MAX_STARTS; starts++) {
      const code = await child.exited;
      if (stopping) return;
      onEvent(`${name} ended (${code ?? 'killed'}): starting it again`);
      child = await spawnOnce(new URL(node.url).port);
      if (stopping) await child.stop();
    }
  };
  watch().catch((error: Error) => onEvent(`${name} does not come back: ${error.message}`));
  return node;
}

/** Starts every process; told as they come up, and when one ends early. */
export async function startNodes(
  where: Pick<RunningFederation, 'chain' | 'federation'>,
  who: Identities,
  artifacts: PolicyArtifacts,
  material: Material,
  options: FederateOptions,
  { onStarted, onEvent }: { readonly onStarted: (node: Node) => void; readonly onEvent: (text: string) => void },
): Promise<Pick<RunningFederation, 'coordinator' | 'dealers' | 'keyHolders' | 'witnesses'>> {
  const onChain = ['--rpc', where.chain.rpcUrl, '--federation', where.federation];
  const agreed = ['--task', material.taskFile, '--contract', material.contractFile];
  const start = async (...parameters: Parameters<typeof startNode>): Promise<Node> => {
    const node = await startNode(...parameters);
    onStarted(node);
    return node;
  };
  const keyHolders = await Promise.all(
    who.keyHolders.map((identity, i) =>
      start('key-holder', `key-holder-${i + 1}`, identity, onChain, options, onEvent),
    ),
  );
  const keyFile = join(options.out, 'verification-key.json');
  await writeFile(keyFile, canonicalJson(artifacts.verificationKey));
  const coordinatorArgs = [
    ...onChain,
    ...agreed,
    '--verification-key',
    keyFile,
    '--cache-dir',
    options.cacheDir,
    '--key-holder',
    ...keyHolders.map((k) => k.url),
  ];
  const coordinator = await start('coordinator', 'coordinator', who.coordinator, coordinatorArgs, options, onEvent);
  const witnesses = await Promise.all(
    who.witnesses.map((identity, i) => start('witness', `witness-${i + 1}`, identity, onChain, options, onEvent)),
  );
  const witnessUrls = [coordinator, ...witnesses].map(({ url }) => url);
  const dealers = await Promise.all(
    who.dealers.map(async (identity, i) => {
      const name = `dealer-${i + 1}`;
      const args = edgeArgs(i, onChain, agreed, witnessUrls, material, options);
      const accept = options.keep ? ['--accept', await writeAcceptPolicy(join(options.out, name), material.task)] : [];
      return start('edge', name, identity, [...args, ...accept], options, onEvent);
    }),
  );
  return { coordinator, dealers, keyHolders, witnesses };
}

function edgeArgs(
  index: number,
  onChain: readonly string[],
  agreed: readonly string[],
  [coordinatorUrl = '', ...otherWitnesses]: readonly string[],
  material: Material,
  options: FederateOptions,
): string[] {
  const records = material.recordFiles[index] ?? '';
  return [
    ...onChain,
    ...agreed,
    '--coordinator',
    coordinatorUrl,
    '--witness',
    coordinatorUrl,
    ...otherWitnesses,
    '--records',
    records,
    '--cache-dir',
    options.cacheDir,
  ];
}
