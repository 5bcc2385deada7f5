// Secure aggregation against what a user would otherwise pick, in one run: speed, size, memory, exactness.
// npm run bench -- secagg [--params N] [--dealers D] [--keyHolders K] [--threshold T] [--packing P] [--valueBits B] [--engine simd|seal] [--json FILE]
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createSealOpener } from '../auditor/ring/open-seal.ts';
import { createSealRing } from '../auditor/ring/seal.ts';
import { createSimdOpener } from '../engines/ring/open-simd.ts';
import { createSimdRing } from '../engines/ring/simd.ts';
import { PACKAGE_ROOT } from '../kit/sources.ts';
import { choosePacking, PACKING_NAMES } from '../protocol/secagg/packing.ts';
import { type Baseline, bfv, ckks, float32, loadBaselineSeal } from './secagg/baselines.ts';
import { peakRssMb, perSecond } from './secagg/measure.ts';
import { runRound } from './secagg/round.ts';

const { values: options } = parseArgs({
  options: {
    params: { type: 'string', default: '1000000' },
    dealers: { type: 'string', default: '64' },
    keyHolders: { type: 'string', default: '5' },
    threshold: { type: 'string' },
    packing: { type: 'string' },
    valueBits: { type: 'string', default: '16' },
    engine: { type: 'string', default: 'simd' },
    json: { type: 'string' },
  },
});
const [params, dealers, keyHolders] = [options.params, options.dealers, options.keyHolders].map(Number);
if (!params || !dealers || !keyHolders) throw new Error('--params, --dealers and --keyHolders are whole numbers');
const threshold = Number(options.threshold ?? Math.floor(keyHolders / 2) + 1);

const kernel = { cacheDir: join(PACKAGE_ROOT, '.concordat/cache') };
const isSimd = options.engine === 'simd';
const ring = isSimd ? await createSimdRing(kernel) : await createSealRing();
const opener = isSimd ? await createSimdOpener(kernel) : await createSealOpener();

const valueBits = Number(options.valueBits);
const packing = PACKING_NAMES.find((name) => name === options.packing) ?? choosePacking(dealers, valueBits);

const ours = runRound(ring, opener, { params, dealers, keyHolders, threshold, packing, valueBits });
// before SEAL's baselines take their share
const peak = peakRssMb();
const bytesPerParam = ours.uploadBytes / params;

const seal = await loadBaselineSeal();
const baselines: readonly Baseline[] = [bfv(seal, params), ckks(seal, params), float32(params)];
const [bfvBaseline] = baselines;
const speedup = (baseline: Baseline | undefined, ms: number) =>
  Number(((baseline?.seal.medianMs ?? 0) / ms).toFixed(1));

const result = {
  machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
  engine: ring.name,
  shape: { params, dealers, keyHolders, threshold, packing, valueBits },
  paramsPerSecond: {
    seal: perSecond(params, ours.seal.medianMs),
    add: perSecond(params, ours.add.medianMs),
    open: perSecond(params, ours.open.medianMs),
  },
  bytesPerParam: Number(bytesPerParam.toFixed(3)),
  /** A dealer's whole work, key layer included, against BFV's encryption and serialisation. Medians. */
  speedupVsBfv: speedup(bfvBaseline, ours.seal.medianMs),
  peakRssMb: peak,
  exact: ours.exact,
  details: { ...ours, speedupVsBfvRingOnly: speedup(bfvBaseline, ours.sealRing.medianMs), baselines },
};

const cell = (x: number, digits = 1) => x.toFixed(digits).padStart(9);
const row = (name: string, sealMs: number, addMs: number, bytes: number) =>
  `${cell(sealMs)} ms ${cell(addMs, 2)} ms ${cell(bytes, 2)} B ${cell(sealMs / ours.seal.medianMs)} × ${cell(bytes / bytesPerParam, 2)} ×  ${name}`;
console.log(`${params} parameters, ${dealers} dealers, ${threshold} of ${keyHolders} key-holders; ${result.machine}`);
console.log('  seal one    add one to sum   per param      time       size');
console.log(
  row(`this, engine "${ring.name}", shares and hash included`, ours.seal.medianMs, ours.add.medianMs, bytesPerParam),
);
for (const { name, seal: time, add, bytesPerParam: bytes } of baselines) {
  console.log(row(name, time.medianMs, add.medianMs, bytes));
}
console.log(
  `ring alone: seal ${ours.sealRing.medianMs} ms, open ${ours.openRing.medianMs} ms; first seal of the process ${ours.firstSealMs.toFixed(0)} ms`,
);
console.log(
  `opening the sum: ${ours.open.medianMs} ms; admitting an upload: ${ours.admit.medianMs} ms; key-holder: ${ours.keyHolder.medianMs} ms a dealer; fingerprint: ${ours.fingerprint.medianMs} ms`,
);
console.log(
  `peak memory ${peak} MB; the opened sum is ${ours.exact ? 'exactly the plain sum' : 'WRONG'}; ${result.speedupVsBfv} times faster than BFV`,
);
if (!ours.exact || baselines.some(({ correct }) => !correct)) process.exitCode = 1;
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
