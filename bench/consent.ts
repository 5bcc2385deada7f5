// Consent, from signed rules to a selection admitted on chain, against one proof a customer: time, proofs, gas.
// npm run bench -- consent [--customers N] [--policies P] [--changes C] [--sample S] [--json FILE]
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { preparePolicyCircuit } from '../engines/proof/artifacts.ts';
import { PACKAGE_ROOT } from '../kit/sources.ts';
import { runChanges, runCold } from './consent/cold.ts';
import { type BenchDealer, openDealer } from './consent/dealer.ts';
import { commitAll, forceWithdrawGas } from './consent/gas.ts';
import { runNaive } from './consent/naive.ts';
import { accessAt, populationOf } from './consent/population.ts';
import { msPerSignature, runWitness } from './consent/witness.ts';
import { openWorld } from './consent/world.ts';

const { values: options } = parseArgs({
  options: {
    customers: { type: 'string', default: '10000' },
    policies: { type: 'string', default: '200' },
    changes: { type: 'string', default: '24' },
    sample: { type: 'string', default: '8' },
    json: { type: 'string' },
  },
});
const [customers = 0, policies = 0, changes = 0, sample = 0] = [
  options.customers,
  options.policies,
  options.changes,
  options.sample,
].map(Number);
if (
  ![customers, policies, changes, sample].every((n) => Number.isSafeInteger(n) && n > 0) ||
  2 * policies > customers
) {
  throw new Error('--customers, --policies, --changes and --sample are whole numbers, customers twice the policies');
}

const BARS = { coldMs: 40_000, speedupVsNaive: 200, msPerChange: 50, witnessMs100k: 3_000 };
const WITNESS_CUSTOMERS = 100_000;
const processes = Math.min(2, availableParallelism());
const cacheDir = join(PACKAGE_ROOT, '.concordat/cache');
const startedAt = performance.now();
const progress = (line: string): void =>
  console.log(`  [${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s] ${line}`);
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const rounded = (ms: number, digits = 0): number => Number(ms.toFixed(digits));

const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`;
const loadBefore = loadavg()[0] ?? 0;
console.log(`${customers} customers on ${policies} policies; ${machine}; load before the run ${loadBefore.toFixed(1)}`);
if (loadBefore > 0.5) console.log('  something else is using this machine: times below are too long');

const artifacts = await preparePolicyCircuit({ cacheDir, onProgress: ({ stage }) => progress(`circuit: ${stage}`) });
const world = await openWorld(artifacts, cacheDir, processes);
const dealers: BenchDealer[] = [];
const newDealer = async (name: string): Promise<BenchDealer> => {
  const dealer = await openDealer(world, name);
  dealers.push(dealer);
  return dealer;
};

/** Customers of one dealer, signed and in hand. The last `joining` of them come later, one by one. */
async function signed(name: string, count: number, rules: number, joining = 0) {
  const dealer = await newDealer(name);
  const population = populationOf(count + joining, rules, nowSeconds);
  const devices = dealer.customersOf(population, nowSeconds);
  const submissions = devices.enrolments();
  return { dealer, devices, population, first: submissions.slice(0, count), later: submissions.slice(count) };
}

const nowSeconds = await world.coordinator.chain.client.blockTimestamp();
const access = accessAt(nowSeconds);

try {
  const half = Math.ceil(changes / 2);
  progress(`${customers} customers sign, on their own devices (not counted)`);
  const large = await signed('large', customers, policies, half);
  progress('cold: from signed operations in hand, circuit prepared, to an admitted selection');
  const cold = await runCold(large.dealer, large.first, access, progress);
  const coldGas = { ...large.dealer.gas, anchor: [...large.dealer.gas.anchor] };

  const small = await signed('few customers, few policies', Math.min(64, customers), Math.min(4, policies));
  const smallCold = await runCold(small.dealer, small.first, access, () => undefined);
  const wide = await signed('a policy each', policies, policies);
  const wideCold = await runCold(wide.dealer, wide.first, access, () => undefined);
  const shapes = [
    { of: small, cold: smallCold },
    { of: wide, cold: wideCold },
    { of: large, cold },
  ];
  const commits = await commitAll(
    world,
    access.requirement,
    shapes.map(({ of, cold: { selection } }) => ({ dealer: of.dealer, selection })),
  );
  const gasByShape = shapes.map(({ of: { dealer, first, population } }, i) => ({
    customers: first.length,
    policies: new Set([...population.values()].map(({ policy }) => policy)).size,
    commit: commits[i] ?? Number.NaN,
    admitSelection: dealer.gas.admitSelection[0] ?? Number.NaN,
    admitPolicies: dealer.gas.admitPolicies,
    /** The first writes where nothing was; without later ones, undefined. */
    firstAnchor: dealer.gas.anchor[0] ?? Number.NaN,
    laterAnchors: dealer.gas.anchor.length > 1 ? median(dealer.gas.anchor.slice(1)) : undefined,
  }));
  progress('gas measured at three sizes');

  const leaving = Array.from({ length: half }, (_, i) =>
    large.devices.withdraw(`customer-${i}`, 'lead-scoring', nowSeconds),
  );
  const change = await runChanges(large.dealer, large.later, leaving, access);
  progress(`${change.both.samples} changes: ${change.both.medianMs} ms each`);
  // the last customer whose rule is the first of the list: it grants the task and nothing else
  const forcing = `customer-${policies * Math.floor((customers - 1) / policies)}`;
  const forceWithdraw = await forceWithdrawGas(world, large.dealer, large.devices, forcing, nowSeconds);
  const signatureMs = msPerSignature(large.first.slice(0, 2_000));
  progress(`a witness takes in ${WITNESS_CUSTOMERS} customers`);
  const witness = runWitness(WITNESS_CUSTOMERS, policies);

  progress('baseline: one proof a customer');
  const naive = await runNaive({
    artifacts,
    policies: [...new Set([...large.population.values()].map(({ policy }) => policy))],
    access,
    processes,
    sample,
    progress,
  });

  const naiveMs = naive.msPerProof * customers;
  const snarkjsRatio = (naive.snarkjs.msPerProof * customers) / (naive.snarkjs.msPerPolicyClaim * cold.proofs);
  const restMs = cold.totalMs - cold.proveMs;
  const [, , largeGas] = gasByShape;
  const result = {
    machine,
    loadBefore: rounded(loadBefore, 2),
    shape: { customers, policies, processes },
    coldMs: rounded(cold.totalMs),
    proofs: cold.proofs,
    msPerChange: change.both.medianMs,
    /** Proving alone, the same prover and as many processes for both; the baseline is extrapolated from its sample. */
    speedupVsNaive: rounded(naiveMs / cold.proveMs),
    gas: {
      admitPolicies: median(coldGas.admitPolicies),
      admitSelection: largeGas?.admitSelection,
      commit: largeGas?.commit,
      /** From a dealer's second on. */
      anchor: median(coldGas.anchor.slice(1)),
      forceWithdraw,
    },
    witnessMs100k: rounded(witness.rebuildMs),
    details: {
      cold: { ...cold, selection: undefined },
      change,
      gasByShape,
      naive: {
        ...naive,
        extrapolatedMs: rounded(naiveMs),
        speedupWholeRun: rounded((naiveMs + restMs) / cold.totalMs),
        speedupWithSnarkjsForBoth: rounded(snarkjsRatio),
      },
      witness: { ...witness, msPerSignature: signatureMs, signaturesMs100k: rounded(signatureMs * WITNESS_CUSTOMERS) },
      bars: BARS,
    },
  };

  const s = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(8)} s `;
  const ms = (value: number): string => `${value.toFixed(1).padStart(8)} ms`;
  const against = (value: number, bar: number, atMost: boolean): string =>
    (atMost ? value <= bar : value >= bar) ? 'met' : 'MISSED';
  console.log(`
cold, ${customers} customers on ${policies} policies (signed operations in hand, circuit prepared)
${s(cold.totalMs)} in all; bar ${BARS.coldMs / 1000} s: ${against(result.coldMs, BARS.coldMs, true)}
${s(cold.takeInMs)}   the dealer checks every signature and record, and stores them
${s(cold.anchorMs)}   ${cold.anchors} anchors: the witness checks every signature again, rebuilds the trees, co-signs
${s(cold.proveAndAdmitMs)}   ${cold.proofs} proofs in ${processes} processes, verified on chain (proofs alone ${(cold.proveMs / 1000).toFixed(1)} s)
${s(cold.admitSelectionMs)}   admitSelection over ${policies} buckets
against one proof a customer: ${naive.constraints} constraints, tree of depth ${naive.treeDepth}; EXTRAPOLATED from ${naive.sample} proofs
${s(naiveMs)} of proving for ${customers} customers: ${result.speedupVsNaive} times ours, our prover and ${processes} processes for both; bar ${BARS.speedupVsNaive}: ${against(result.speedupVsNaive, BARS.speedupVsNaive, false)}
${' '.repeat(11)} ${result.details.naive.speedupWholeRun} times the whole cold run, everything else left as it is; ${result.details.naive.speedupWithSnarkjsForBoth} times with snarkjs for both
a change, from the signed operation at the dealer until its anchor is mined; ${change.proofs} proofs
${ms(change.both.medianMs)} median of ${change.both.samples} (joining ${change.join.medianMs}, withdrawing ${change.withdrawal.medianMs}); bar ${BARS.msPerChange} ms: ${against(change.both.medianMs, BARS.msPerChange, true)}
${ms(change.nextSelection.medianMs)} the selection after it
a witness at ${witness.customers} customers of ${witness.dealers} dealers (one has at most 65,535)
${s(witness.rebuildMs)} state and roots (${(witness.stateMs / 1000).toFixed(1)} + ${(witness.rootsMs / 1000).toFixed(1)}); bar ${BARS.witnessMs100k / 1000} s: ${against(result.witnessMs100k, BARS.witnessMs100k, true)}
${s(witness.decodeMs)} decoding before it, apart
${s(signatureMs * WITNESS_CUSTOMERS)} checking signatures, apart; EXTRAPOLATED from ${Math.min(2_000, customers)}
gas
 customers  policies    commit  admitSelection  admitPolicies  first anchor   later`);
  for (const row of gasByShape) {
    const { commit, admitSelection, admitPolicies, firstAnchor, laterAnchors } = row;
    const cells = [row.customers, row.policies, commit, admitSelection, median(admitPolicies), firstAnchor];
    const widths = [10, 9, 9, 15, 14, 13];
    const line = [...cells, laterAnchors ?? '-'].map((cell, i) => String(cell).padStart(widths[i] ?? 7));
    console.log(line.join(' '));
  }
  console.log(`forceWithdraw ${forceWithdraw}, at ${customers} customers on ${policies} policies`);
  const missed = [
    result.coldMs > BARS.coldMs && 'cold',
    result.speedupVsNaive < BARS.speedupVsNaive && 'speed against one proof a customer',
    result.msPerChange > BARS.msPerChange && 'time of a change',
    result.witnessMs100k > BARS.witnessMs100k && 'witness',
  ].filter((name) => name !== false);
  console.log(missed.length === 0 ? 'all bars are met' : `BARS MISSED: ${missed.join(', ')}`);
  progress(`done; load after the run ${(loadavg()[0] ?? 0).toFixed(1)}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  if (change.proofs !== 0 || missed.length > 0) process.exitCode = 1;
} finally {
  for (const dealer of dealers) await dealer.close();
  await world.stop();
}
