// The main job over several seeds: what the README's table and picture are made of. Whole runs, one after the other.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '../kit/sources.ts';
import type { FederationReport, Quality } from '../scripts/federate/report.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    json: { type: 'string' },
    first: { type: 'string', default: '1' },
  },
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => Number(values.first) + i);

interface Spread {
  readonly mean: number;
  readonly sd: number;
}

function spread(numbers: readonly number[]): Spread {
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, numbers.length - 1);
  return { mean, sd: Math.sqrt(variance) };
}

const quality = (reports: readonly FederationReport[], of: (report: FederationReport) => Quality) => ({
  auc: spread(reports.map((r) => of(r).auc)),
  hits800: spread(reports.map((r) => of(r).hits)),
});

const out = mkdtempSync(join(tmpdir(), 'concordat-bench-'));
const reports = seeds.map((seed) => {
  const args = [
    join(PACKAGE_ROOT, 'bin/concordat.mjs'),
    'federate',
    '--seed',
    String(seed),
    '--out',
    join(out, String(seed)),
  ];
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: PACKAGE_ROOT });
  const report = JSON.parse(readFileSync(join(out, String(seed), 'report.json'), 'utf8')) as FederationReport;
  console.log(
    `seed ${seed}: ${report.federated.hits} hits, AUC ${report.federated.auc.toFixed(4)}, audit ${report.audit.failed} failed, ${((report.timingsMs.total ?? 0) / 1000).toFixed(1)} s`,
  );
  return report;
});
rmSync(out, { recursive: true, force: true });

const overheads = reports.flatMap((r) => r.roundDetails.map((round) => round.overheadMs));
const [first] = reports;
const result = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
  seeds,
  dealers: first?.dealers,
  rounds: first?.rounds,
  holdOut: first?.holdOut,
  federated: quality(reports, (r) => r.federated),
  centralised: quality(reports, (r) => r.centralised),
  localMean: quality(reports, (r) => r.localMean),
  aucDifference: spread(reports.map((r) => r.federated.auc - r.centralised.auc)),
  secondsWarm: spread(reports.map((r) => (r.timingsMs.total ?? 0) / 1000)),
  roundOverheadMs: spread(overheads),
  bytesPerDealerPerRound: first?.bytesPerDealerPerRound,
  proofs: spread(reports.map((r) => r.proofs.count)),
  auditFailed: reports.reduce((sum, r) => sum + r.audit.failed, 0),
};
console.log(JSON.stringify(result, undefined, 2));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
