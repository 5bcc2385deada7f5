// A whole federation by the commands that its operators would type, on a chain that is not the embedded one: chain, deployment,
// key-holders, coordinator, edge nodes with their customers, all with the key of a ceremony.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { COIL2000 } from '../../examples/simulation/load.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { inviteCustomers, submit } from '../../scripts/federate/customers.ts';
import type { Node } from '../../scripts/federate/federation.ts';
import { type Material, prepareMaterial } from '../../scripts/federate/material.ts';
import { untilReady } from '../../scripts/federate/rounds.ts';
import type { Stoppable } from '../../scripts/federate/run.ts';
import { CACHE_DIR, run } from './command.ts';
import { fewCustomers } from './few-customers.ts';
import { startForeignChain } from './foreign-chain.ts';
import { startParty } from './party.ts';

const DEALERS = 3;
const KEY_HOLDERS = 3;
const THRESHOLD = 2;
const SEED = 11;

export interface DeployedFederation {
  readonly rpcUrl: string;
  readonly federation: Hex;
  readonly coordinator: Node;
  readonly dealers: readonly Node[];
  /** What the coordinator publishes. */
  readonly bundle: string;
}

interface Setting {
  readonly out: string;
  readonly artifacts: string;
  readonly started: Stoppable[];
}

/** Up to the point where rounds can begin. */
export async function startDeployedFederation(setting: Setting): Promise<DeployedFederation> {
  const { out, started } = setting;
  const material = await prepareMaterial({
    ...{ example: 'coil2000', contract: join(COIL2000, 'contract.yaml'), task: join(COIL2000, 'task.yaml') },
    ...{ data: await fewCustomers(out, { train: 150, test: 40 }) },
    ...{ dealers: DEALERS, rounds: 2, seed: SEED, keyHolders: KEY_HOLDERS, threshold: THRESHOLD, witnesses: 0 },
    ...{ keep: false, out, cacheDir: CACHE_DIR },
  });
  const who = await identities(out);
  const chain = await startForeignChain();
  started.push(chain);
  for (const { address } of Object.values(who).flat()) await chain.fund(address);
  const federation = await deploy(setting, who, chain.rpcUrl);
  const nodes = await startNodes(setting, who, material, ['--rpc', chain.rpcUrl, '--federation', federation]);
  const nowSeconds = Math.floor(Date.now() / 1000);
  for (const dealer of nodes.dealers) {
    const { simulated } = await inviteCustomers(dealer, SEED, nowSeconds);
    await submit(dealer, simulated.enrolments(), false);
  }
  await untilReady(nodes.dealers, () => undefined);
  return { rpcUrl: chain.rpcUrl, federation, bundle: join(out, 'coordinator', 'bundle'), ...nodes };
}

interface Member {
  readonly directory: string;
  readonly address: Hex;
}

interface Members {
  readonly operator: Member;
  readonly coordinator: Member;
  readonly dealers: readonly Member[];
  readonly keyHolders: readonly Member[];
}

async function identities(out: string): Promise<Members> {
  const of = async (name: string): Promise<Member> => {
    const directory = join(out, name);
    await mkdir(directory, { recursive: true });
    return { directory, address: (await loadOrCreateIdentity(directory)).address };
  };
  const many = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => of(`${name}-${i + 1}`)));
  return {
    operator: await of('operator'),
    coordinator: await of('coordinator'),
    dealers: await many('dealer', DEALERS),
    keyHolders: await many('key-holder', KEY_HOLDERS),
  };
}

async function deploy({ out, artifacts }: Setting, who: Members, rpcUrl: string): Promise<Hex> {
  const [file, json] = [join(out, 'members.yaml'), join(out, 'deployed.json')];
  const addresses = (members: readonly Member[]) => members.map(({ address }) => address);
  const parameters = {
    minCohort: DEALERS,
    keyHolderThreshold: THRESHOLD,
    witnessQuorum: 1,
    metricMaxAgeSeconds: 3_600,
  };
  const { coordinator } = who;
  const members = {
    ...{ parameters, coordinator: coordinator.address, witnesses: [coordinator.address] },
    ...{ dealers: addresses(who.dealers), keyHolders: addresses(who.keyHolders) },
  };
  await writeFile(file, stringify(members));
  const as = ['--dir', who.operator.directory, '--rpc', rpcUrl, '--cache-dir', CACHE_DIR];
  const { code, output } = await run(['deploy', ...as, '--members', file, '--artifacts', artifacts, '--json', json]);
  if (code !== 0) throw new Error(output);
  return JSON.parse(await readFile(json, 'utf8')).federation;
}

async function startNodes(
  { artifacts, started }: Setting,
  who: Members,
  material: Material,
  onChain: readonly string[],
): Promise<Pick<DeployedFederation, 'coordinator' | 'dealers'>> {
  const agreed = ['--task', material.taskFile, '--contract', material.contractFile, '--cache-dir', CACHE_DIR];
  const keyHolders = await Promise.all(who.keyHolders.map((at) => startParty('key-holder', at, onChain, started)));
  const key = ['--verification-key', join(artifacts, 'verification-key.json')];
  const asked = ['--key-holder', ...keyHolders.map(({ url }) => url)];
  const coordinator = await startParty(
    'coordinator',
    who.coordinator,
    [...onChain, ...agreed, ...key, ...asked],
    started,
  );
  const dealers = await Promise.all(
    who.dealers.map((at, i) => {
      const own = ['--records', material.recordFiles[i] ?? '', '--artifacts', artifacts];
      return startParty('edge', at, [...onChain, ...agreed, '--coordinator', coordinator.url, ...own], started);
    }),
  );
  return { coordinator, dealers };
}
