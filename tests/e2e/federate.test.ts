// The main job as a user runs it: what it prints, what it writes, and that the promises hold in a real run.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FederationReport } from '../../scripts/federate/report.ts';
import { run } from '../helpers/command.ts';
import { finishedRun } from '../helpers/finished-run.ts';

let outDir: string;
let report: FederationReport;

beforeAll(async () => {
  ({ outDir } = await finishedRun());
  report = JSON.parse(await readFile(join(outDir, 'report.json'), 'utf8'));
}, 600_000);

describe('a finished run', () => {
  test('reports under the agreed keys', () => {
    expect(report).toMatchObject({
      dealers: 3,
      rounds: 3,
      federated: { auc: expect.any(Number), hits800: expect.any(Number) },
      centralised: { auc: expect.any(Number), hits800: expect.any(Number) },
      localMean: { auc: expect.any(Number), hits800: expect.any(Number) },
      timingsMs: { total: expect.any(Number) },
      bytesPerDealerPerRound: expect.any(Number),
      proofs: { count: expect.any(Number) },
      gas: { total: expect.any(Number) },
      audit: { checks: 18, failed: 0 },
      withdrawal: { round: 3, refusedStaleCommit: true },
    });
  });

  test('learns: better than one dealer alone, close to all data in one place', () => {
    expect(report.federated.auc).toBeGreaterThan(report.localMean.auc);
    expect(Math.abs(report.federated.auc - report.centralised.auc)).toBeLessThan(0.02);
  });

  test('P3: the customer who withdrew is proven out, and the stale commit was mined and refused', () => {
    const { withdrawal } = report;
    expect(withdrawal?.usedInRounds).toEqual([1, 2]);
    expect(withdrawal?.absentFromRounds).toEqual([3]);
    expect(withdrawal?.refusal).toMatchObject({
      reason: 'StaleRoot',
      txHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    });
    const records = report.roundDetails.map((round) => round.records);
    // one fewer, or many fewer when the attested accuracy also tripped somebody's floor
    expect(records[2]).toBeLessThan(records[1] ?? 0);
  });

  test('no process writes a secret or a customer’s record to its log', async () => {
    const secrets = await secretsOf(outDir);
    expect(secrets.length).toBeGreaterThan(16);
    for (const name of await readdir(join(outDir, 'logs'))) {
      const log = await readFile(join(outDir, 'logs', name), 'utf8');
      for (const secret of secrets) expect(log.includes(secret), `${name} holds a secret`).toBe(false);
      expect(log, name).not.toMatch(/C0\d{4}/);
    }
  });

  test('P1: nothing of a customer is in the public bundle', async () => {
    const blobs = join(outDir, 'coordinator/bundle/blobs');
    const ids = (await readFile(join(outDir, 'dealer-1/customers.csv'), 'utf8'))
      .split('\n')
      .slice(1, 50)
      .map((line) => line.split(',')[0] ?? '');
    for (const name of await readdir(blobs)) {
      const bytes = await readFile(join(blobs, name));
      for (const id of ids.filter((id) => id !== '')) expect(bytes.includes(id), `${name} names ${id}`).toBe(false);
    }
  });

  test('can be audited again when everything has stopped', async () => {
    const { code, output } = await run(['audit', '--out', outDir]);
    expect(output).toContain('does not answer: the chain was started from');
    expect(code).toBe(0);
  });
});

/** Every private key and secret of every party, as hex with and without 0x. */
/** Hex without 0x: every party's signing key and secret, and the sealing keys that key-holders hold now. */
async function secretsOf(directory: string): Promise<string[]> {
  const parties = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const identities = await Promise.all(
    parties.map(({ name }) => readFile(join(directory, name, 'identity.json'), 'utf8').catch(() => '{}')),
  );
  const ofIdentities = identities.flatMap((text) =>
    Object.values(JSON.parse(text) as Record<string, string>).map((hex) => hex.slice(2)),
  );
  const sealing = await Promise.all(
    parties.map(async ({ name }) => {
      const keys = join(directory, name, 'keys');
      const files = await readdir(keys).catch(() => []);
      return Promise.all(files.map(async (file) => (await readFile(join(keys, file))).toString('hex')));
    }),
  );
  return [...ofIdentities, ...sealing.flat()];
}
