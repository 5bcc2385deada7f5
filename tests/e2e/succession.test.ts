// A whole federation moves to a new deployment, every party as its own process and by the runbook's own commands.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { CoordinatorStatus } from '../../coordinator/api/public.ts';
import type { RoundUsage } from '../../edge-node/participation.ts';
import { connectFederation } from '../../engines/chain/connect.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { COIL2000 } from '../../examples/simulation/load.ts';
import { requestJson } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { verifyAbsence, verifyPresence } from '../../protocol/consent/linked-tree.ts';
import type { Receipt } from '../../protocol/consent/receipt.ts';
import { type FinishedRun, federate } from '../../scripts/federate/federate.ts';
import type { Node } from '../../scripts/federate/federation.ts';
import { runRounds, untilReady } from '../../scripts/federate/rounds.ts';
import type { Stoppable } from '../../scripts/federate/run.ts';
import { CACHE_DIR, type Ended, run } from '../helpers/command.ts';
import { fewCustomers } from '../helpers/few-customers.ts';
import { type Role, startParty } from '../helpers/party.ts';

const started: Stoppable[] = [];
let out: string;
let old: FinishedRun;
let heir: Hex;
/** Of the customer who withdrew, issued before the move. */
let receiptBefore: Receipt;
let coordinator: Node;
let dealers: Node[];
let without: Ended;

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'concordat-succession-'));
  old = await federate(
    {
      ...{
        example: 'coil2000',
        data: await fewCustomers(out, { train: 700, test: 100 }),
        contract: join(COIL2000, 'contract.yaml'),
      },
      // its optimiser has a state, which goes with the model
      task: join(COIL2000, 'tasks/fedadam.yaml'),
      ...{ dealers: 3, rounds: 2, seed: 7, keyHolders: 3, threshold: 2, witnesses: 0, keep: false },
      ...{ out, cacheDir: CACHE_DIR },
    },
    started,
  );
  receiptBefore = await receiptOf(old.running.dealers);
  await move();
  await runRounds(coordinator, 2, () => undefined);
});
afterAll(async () => {
  for (const part of started.reverse()) await part.stop().catch(() => undefined);
  await rm(out, { recursive: true, force: true });
});

const rpc = () => old.running.chain.rpcUrl;
const onChain = (federation: Hex) => ['--rpc', rpc(), '--federation', federation];
const newFolder = (name: string) => join(out, 'v2', name);
const bundleOf = (folder: string) => join(folder, 'bundle');
const leaving = () => {
  if (old.report.withdrawal === undefined) throw new Error('nobody withdrew');
  return old.report.withdrawal;
};

/** The runbook's steps, in its order. */
async function move(): Promise<void> {
  const { federation, keyHolders } = old.running;
  heir = await deployHeir();
  for (const holder of keyHolders) await holder.stop();
  const newKeyHolders = await Promise.all(keyHolders.map((holder) => startIn('key-holder', holder, [])));
  coordinator = await moveCoordinator(newKeyHolders);
  const to = ['--federation', federation, '--successor', heir];
  const handed = await run(['deploy', 'succeed', '--dir', join(out, 'operator'), '--rpc', rpc(), ...to]);
  if (handed.code !== 0) throw new Error(handed.output);
  dealers = await Promise.all(old.running.dealers.map(moveDealer));
  await untilReady(dealers, () => undefined);
}

async function deployHeir(): Promise<Hex> {
  const { coordinator: witness, dealers: all, keyHolders, federation } = old.running;
  const members = {
    parameters: { minCohort: 3, keyHolderThreshold: 2, witnessQuorum: 1, metricMaxAgeSeconds: 3_600 },
    coordinator: witness.address,
    dealers: all.map(({ address }) => address),
    keyHolders: keyHolders.map(({ address }) => address),
    witnesses: [witness.address],
  };
  const [file, json] = [join(out, 'members.yaml'), join(out, 'deployed.json')];
  await writeFile(file, stringify(members));
  const as = ['--dir', join(out, 'operator'), '--rpc', rpc(), '--cache-dir', CACHE_DIR];
  const { code, output } = await run([
    ...['deploy', ...as, '--members', file, '--predecessor', federation, '--json', json],
  ]);
  if (code !== 0) throw new Error(output);
  return JSON.parse(await readFile(json, 'utf8')).federation;
}

const agreed = () => ['--task', join(out, 'task.yaml'), '--contract', join(out, 'contract.yaml')];

async function moveCoordinator(keyHolders: readonly Node[]): Promise<Node> {
  const before = old.running.coordinator;
  const args = [...agreed(), '--verification-key', join(out, 'verification-key.json'), '--cache-dir', CACHE_DIR];
  args.push('--key-holder', ...keyHolders.map(({ url }) => url));
  const folder = newFolder('coordinator');
  await cp(join(before.directory, 'identity.json'), join(folder, 'identity.json'));
  await before.stop();
  without = await run(['coordinator', '--dir', folder, ...onChain(heir), ...args]);
  const carrying = ['--predecessor-bundle', bundleOf(before.directory)];
  const first = await startIn('coordinator', before, [...args, ...carrying]);
  await first.stop();
  // everything is there by now: neither the option nor the old folder is needed again
  return startIn('coordinator', before, args);
}

async function moveDealer(before: Node): Promise<Node> {
  await before.stop();
  const records = join(before.directory, 'customers.csv');
  const at = ['--coordinator', coordinator.url, '--records', records, '--cache-dir', CACHE_DIR];
  return startIn('edge', before, [...agreed(), ...at], before.directory);
}

/** With the keys it had. */
async function startIn(role: Role, before: Node, args: readonly string[], folder?: string): Promise<Node> {
  const directory = folder ?? newFolder(before.name);
  if (folder === undefined) await cp(join(before.directory, 'identity.json'), join(directory, 'identity.json'));
  return startParty(role, { directory, address: before.address }, [...onChain(heir), ...args], started);
}

async function ofSubject<T>(nodes: readonly Node[], what: string): Promise<T> {
  const { dealer, subject } = leaving();
  const node = nodes.find(({ address }) => address === dealer);
  const headers = { authorization: `Bearer ${node?.token}` };
  return requestJson<T>(`${node?.url}/v1/subjects/${subject}/${what}`, { headers });
}
const receiptOf = (nodes: readonly Node[]) => ofSubject<Receipt>(nodes, 'receipt');

async function auditReceipt(receipt: Receipt): Promise<Ended> {
  const file = join(out, 'receipt.json');
  await writeFile(file, JSON.stringify(receipt));
  return run(['audit', 'receipt', file, '--rpc', rpc()]);
}

test('the coordinator says which model it lacks, and needs the old bundle once', async () => {
  const { ledger } = await connectFederation(rpc(), old.running.federation);
  const last = await ledger.roundOf(2);
  expect(without.output).toContain(`blob ${last?.modelHash}, is of an earlier deployment: give --predecessor-bundle`);
  expect(without.code).toBe(1);
});

test('two rounds more: numbers and models go on', async () => {
  const { rounds } = await requestJson<CoordinatorStatus>(`${coordinator.url}/v1/status`);
  expect(rounds.map(({ round, status, dealers: took }) => [round, status, took])).toEqual([
    [3, 'published', 3],
    [4, 'published', 3],
  ]);
  const { ledger } = await connectFederation(rpc(), heir);
  const [second, third] = [await ledger.roundOf(2), await ledger.roundOf(3)];
  expect(third?.baseModelHash).toBe(second?.modelHash);
});

test('P3: who withdrew before the move is in no round after it', async () => {
  const usage = await ofSubject<RoundUsage[]>(dealers, 'rounds');
  expect(usage.map(({ round, used }) => [round, used])).toEqual([
    [1, true],
    [2, false],
    [3, false],
    [4, false],
  ]);
  for (const { used, recordsRoot, proof } of usage) {
    const verify = used ? verifyPresence : verifyAbsence;
    expect(verify(recordsRoot, leaving().subject, proof)).toBe(true);
  }
});

test('the old ledger mines a commit and refuses it', async () => {
  const { privateKey } = await loadOrCreateIdentity(old.running.dealers[0]?.directory ?? '');
  const { ledger } = await connectFederation(rpc(), old.running.federation, privateKey);
  const word: Hex = `0x${'11'.repeat(32)}`;
  const roots = { anchoredRoot: word, payloadHash: word, sharesRoot: word, recordsRoot: word };
  const refused = await ledger.commitExpectingRefusal({ round: 2, attempt: 2, weight: 1, ...roots });
  expect(refused).toMatchObject({ reason: 'FederationPaused', txHash: expect.stringMatching(/^0x/) });
});

test('an audit of the new deployment passes and shows its line', async () => {
  const bundle = bundleOf(newFolder('coordinator'));
  const { code, output } = await run(['audit', ...onChain(heir), '--bundle', bundle]);
  expect(output).toContain('deployment 2 of its line, 1 models and 0 forced withdrawals carried over');
  expect(output).toContain('2 rounds');
  expect(code).toBe(0);
});

test('a receipt from before is judged by the deployment in force, one from after speaks of every round', async () => {
  const before = await auditReceipt(receiptBefore);
  expect(before.output).toContain(`in force is ${heir}`);
  expect(before.output).toMatch(/epoch 2, anchored at .*, superseded by epoch 3 at .*, under/);
  expect(before.code).toBe(0);
  const after = await auditReceipt(await receiptOf(dealers));
  expect(after.output).toMatch(/epoch 3, anchored at .*, current/);
  expect(after.output).toMatch(/round 1 +used\n.*round 2 +not used\n.*round 3 +not used\n.*round 4 +not used/);
  expect(after.code).toBe(0);
});
