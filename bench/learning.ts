// What federated learning reaches beside one place with all records, and beside dealers on their own; what privacy costs.
// npm run bench -- learning [--example coil2000|telco] [--seeds N] [--processes P] [--json FILE]
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { barsOf, isMet } from './learning/bars.ts';
import { type Job, runJobs } from './learning/jobs.ts';
import { exampleNamed } from './learning/material.ts';
import { PLANS } from './learning/plan.ts';
import { ALPHA, DEALERS, type SeedFigures } from './learning/seed.ts';
import { measureSpeed } from './learning/speed.ts';
import { aucDifference, lineOf, type Summary, summarise } from './learning/summary.ts';

const { values } = parseArgs({
  options: {
    example: { type: 'string', default: 'coil2000' },
    seeds: { type: 'string', default: '10' },
    processes: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const example = exampleNamed(values.example);

const started = performance.now();
const msPerEpoch = await measureSpeed();
const jobs = Array.from({ length: Number(values.seeds) }, (_, seed): Job => ({ kind: 'seed', example, seed }));
let done = 0;
const seeds = await runJobs<SeedFigures>(jobs, Number(values.processes), ({ seconds, strategies }) => {
  done++;
  const auc = strategies.fedavg?.auc.toFixed(4);
  console.log(`seed ${done} of ${jobs.length}: FedAvg's AUC ${auc}, ${seconds.toFixed(1)} s`);
});
const [first] = seeds;
if (first === undefined) throw new Error('--seeds is at least 1');

const { holdOut } = first;
const central = seeds.map((one) => one.centralised);
const lines: string[] = [];
function told(name: string, found: readonly SeedFigures['centralised'][], reference = central): Summary {
  const summary = summarise(found, holdOut);
  lines.push(lineOf(name, summary, found === reference ? undefined : aucDifference(found, reference)));
  return summary;
}
const under = (group: 'strategies' | 'dp', name: string) => seeds.flatMap((one) => one[group][name] ?? []);

const centralised = told('centralised', central);
const localMean = told(
  'dealers alone, mean',
  seeds.map((one) => one.localMean),
);
const strategies = Object.fromEntries(
  PLANS[example].strategies.map(({ name }) => [name, told(name, under('strategies', name))]),
);
const ridge = seeds.flatMap((one) => one.centralisedRidge ?? []);
const centralisedRidge = ridge.length > 0 ? told('centralised ridge', ridge) : undefined;
const dp = Object.fromEntries(PLANS[example].dp.map(({ name }) => [name, told(`epsilon ${name}`, under('dp', name))]));

const result = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
  example,
  seeds: jobs.length,
  dealers: DEALERS,
  alpha: ALPHA,
  holdOut,
  strategies,
  centralised,
  centralisedRidge,
  localMean,
  dp,
  /** AUC less centralised, mean of the seeds' differences. */
  aucDifference: Object.fromEntries(
    PLANS[example].strategies.map(({ name }) => [name, aucDifference(under('strategies', name), central)]),
  ),
  /** Largest, over seeds: the federated ridge against one solved in float64 over all records. */
  ridgeAucDifference: ridge.length > 0 ? largestDifference(under('strategies', 'ridge'), ridge) : undefined,
  msPerEpoch,
  seconds: Math.round((performance.now() - started) / 1_000),
};

function largestDifference(found: readonly { auc: number }[], reference: readonly { auc: number }[]): number {
  return Math.max(...found.map(({ auc }, i) => Math.abs(auc - (reference[i]?.auc ?? Number.NaN))));
}

const top = Math.round((holdOut.positives + holdOut.negatives) / 5);
console.log(
  `\n${example}: ${jobs.length} seeds, ${DEALERS} dealers, Dirichlet(${ALPHA}); mean ± deviation over seeds (standard error of a hold-out of ${holdOut.positives} positives)`,
);
console.log(`${''.padEnd(20)} AUC              hits in top ${top} (AUC, hits)  AUC less centralised`);
for (const line of lines) console.log(line);
console.log(
  `an epoch of 6,000 rows of an 85-64-32-1 network: ${msPerEpoch.trainer} ms, by hand ${msPerEpoch.byHand} ms: ${msPerEpoch.ratio} times`,
);
for (const bar of barsOf(example, result)) {
  const met = isMet(bar);
  if (!met) process.exitCode = 1;
  const { name, value, least = '', most = '' } = bar;
  console.log(`${met ? 'met' : 'MISSED'}: ${name} ${value} (${[least, most].join(' … ')})`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
