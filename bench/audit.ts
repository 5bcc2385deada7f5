// How long an audit takes: a real federation's history of many rounds, made once and kept, then audited by a process of its own.
// npm run bench -- audit [--rounds N] [--dealers D] [--parameters P] [--dir FOLDER] [--run FINISHED] [--json FILE]
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '../kit/sources.ts';
import { hashEverything } from './audit/floor.ts';
import { historyOf, readHistory } from './audit/history.ts';
import { auditCold } from './audit/verify-child.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    dealers: { type: 'string', default: '8' },
    parameters: { type: 'string', default: '24129' },
    /** A finished run of the main job, audited as it is. */
    run: { type: 'string' },
    dir: { type: 'string', default: join(PACKAGE_ROOT, '.concordat/bench') },
    json: { type: 'string' },
  },
});
const shape = { rounds: Number(values.rounds), dealers: Number(values.dealers), parameters: Number(values.parameters) };
if (!Object.values(shape).every(Number.isSafeInteger))
  throw new Error('--rounds, --dealers and --parameters are whole numbers');

const history =
  values.run === undefined ? await historyOf({ ...shape, dir: values.dir }) : await readHistory(values.run);
const { rounds, dealers } = history;
const { report, wallMs, cpuMs } = await auditCold(history.outDir);
const floorMs = hashEverything(join(history.outDir, 'coordinator/bundle'));

const bytes = report.bundle?.bytes ?? 0;
const result = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
  shape: { rounds, dealers, parameters: history.parameters },
  /** From the start of the process to its end, the chain's start included. */
  ms: wallMs,
  cpuMs,
  msPerRound: Math.round(wallMs / rounds),
  checks: report.checksRun,
  checksFailed: report.checksFailed,
  bundleMb: Number((bytes / 1e6).toFixed(1)),
  files: report.bundle?.files,
  msOfCheck: Object.fromEntries(report.checks.map(({ id, ms }) => [id, ms])),
  baselines: {
    /** The same rounds, as the federation ran them: training, sealing, opening. */
    federationMs: history.roundsMs,
    /** Reading and hashing every file of the bundle once: less than this no audit can do. */
    hashEveryFileMs: floorMs,
  },
};

console.log(`${rounds} rounds of ${dealers} dealers, ${history.parameters} parameters; ${result.machine}`);
for (const { id, title, ms } of report.checks) console.log(`${String(ms).padStart(7)} ms  ${id}  ${title}`);
console.log(
  `audit ${(wallMs / 1000).toFixed(1)} s (${(cpuMs / 1000).toFixed(1)} s of processor), ${result.msPerRound} ms a round, ` +
    `${result.bundleMb} MB; the federation took ${(history.roundsMs / 1000).toFixed(1)} s for the same rounds: ` +
    `${(history.roundsMs / wallMs).toFixed(1)} times as long. Hashing alone: ${floorMs} ms`,
);
if (report.checksFailed > 0) process.exitCode = 1;
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
