// A federation whose key a ceremony made, on a chain that is not the embedded one: an audit ties the key to the circuit by the
// ceremony's record, and says so when it cannot.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileOf, readCeremony } from '../../engines/proof/ceremony-log.ts';
import { runRounds } from '../../scripts/federate/rounds.ts';
import type { Stoppable } from '../../scripts/federate/run.ts';
import { flipByte } from '../circuits/ceremony-world.ts';
import { CONTRIBUTORS, type FinishedCeremonies, finishedCeremonies } from '../helpers/ceremony/finished-ceremony.ts';
import { type Ended, run } from '../helpers/command.ts';
import { type DeployedFederation, startDeployedFederation } from '../helpers/deployed-federation.ts';
import { FOREIGN_CHAIN_ID } from '../helpers/foreign-chain.ts';

const CHECK = /^(.) 03 .*\n(?: .*\n)*/m;
const started: Stoppable[] = [];
let out: string;
let ceremonies: FinishedCeremonies;
let deployed: DeployedFederation;

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'concordat-ceremony-audit-'));
  ceremonies = await finishedCeremonies();
  deployed = await startDeployedFederation({ out, artifacts: ceremonies.artifacts, started });
  await runRounds(deployed.coordinator, 2, () => undefined);
});
afterAll(async () => {
  for (const part of started.reverse()) await part.stop().catch(() => undefined);
  await rm(out, { recursive: true, force: true });
});

interface Audited extends Ended {
  /** What it says of check 03. */
  readonly check: string;
}

async function audit(...more: readonly string[]): Promise<Audited> {
  const { rpcUrl, federation, bundle } = deployed;
  const ended = await run(['audit', '--rpc', rpcUrl, '--federation', federation, '--bundle', bundle, ...more]);
  return { ...ended, check: CHECK.exec(ended.output)?.[0] ?? '' };
}

const otherChecksHold = ({ output }: Ended) => expect(output).toContain('1 of 18 checks do not hold');

test.concurrent('with the record of its ceremony every check passes', async () => {
  const { code, output, check } = await audit('--ceremony', ceremonies.dir);
  expect(output).toContain(`on chain ${FOREIGN_CHAIN_ID}`);
  expect(output).toContain('2 rounds opened, 2 published, 0 failed');
  expect(output).toContain('All 18 checks hold.');
  expect(check).toMatch(/^✓/);
  expect(check).toContain(`a ceremony of ${CONTRIBUTORS.length} contributions`);
  expect(code).toBe(0);
});

// beside the first: what takes long in both is one long computation each
test.concurrent('with the record of another ceremony, as good as this one, check 03 fails: the key is not of it', async () => {
  const ended = await audit('--ceremony', ceremonies.other);
  expect(ended.check).toMatch(/^✗/);
  expect(ended.check).toContain('verification key: made for this circuit, by this ceremony');
  otherChecksHold(ended);
  expect(ended.code).toBe(1);
});

test('without it check 03 is undecided, and the audit does not pass', async () => {
  const ended = await audit();
  expect(ended.check).toMatch(/^\?/);
  expect(ended.check).toContain('give --ceremony with the folder of its ceremony');
  otherChecksHold(ended);
  expect(ended.code).toBe(1);
});

test('with a byte of the last contribution flipped check 03 fails and names it', async () => {
  const damaged = join(out, 'damaged');
  await cp(ceremonies.dir, damaged, { recursive: true });
  const { steps } = await readCeremony(damaged);
  const last = steps.findLast(({ kind }) => kind === 'contribution');
  await flipByte(fileOf(damaged, last ?? steps[0]), 1_000_000);
  const ended = await audit('--ceremony', damaged);
  expect(ended.check).toMatch(/^✗/);
  expect(ended.check).toContain(`contribution ${CONTRIBUTORS.length} (${CONTRIBUTORS.at(-1)})`);
  otherChecksHold(ended);
  expect(ended.code).toBe(1);
});
