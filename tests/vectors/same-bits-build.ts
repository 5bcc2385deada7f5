// What must come out the same to the last bit on any processor: every example's task over dealt-out records, a step of SGD through
// every layer, the privacy that a round is said to cost, and the functions they compute with. As a name and a SHA-256 of the bits.
// Rebuild protocol/vectors/same-bits.json: npx tsx tests/vectors/same-bits-build.ts (only with a new protocol version).
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Example, folderOf, type Learning, learningOf, recordsOf, rowsAt } from '../../bench/learning/material.ts';
import { seededFill } from '../../bench/learning/stream.ts';
import { startTensorBackend } from '../../engines/tensor/backend.ts';
import { layoutOfTopology } from '../../engines/tensor/layers-build.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { splitRows } from '../../examples/simulation/split.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { exp, expm1, log, log1p } from '../../protocol/elementary.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { layersFaults } from '../../protocol/learning/layers-model.ts';
import { initialModel } from '../../protocol/learning/model.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import { topologyOf } from '../../protocol/learning/topology.ts';
import { examplesOf } from '../../scripts/baseline.ts';
import { simulateRounds } from '../../scripts/simulate.ts';
import { layersModel } from '../helpers/keras.ts';
import { toText, VECTORS } from './secagg-build.ts';

export interface SameBits {
  readonly name: string;
  compute(): Promise<string>;
}

type Numbers = Float32Array | Float64Array | Uint32Array;

/** Little-endian, as typed arrays are on every processor that Node runs on here. */
function hashOf(...arrays: readonly Numbers[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}

const DRAWS = 50_000;

/** Every exponent and every mantissa may come; NaN is left out, its bits are nobody's business. */
function elementaryBits(f: (x: number) => number): SameBits {
  return {
    name: `elementary/${f.name}`,
    compute: async () => {
      const prng = createPrng(utf8ToBytes(f.name), 'same bits');
      const anything = new Float64Array(Uint32Array.from({ length: 2 * DRAWS }, () => prng.uint32()).buffer);
      const ordinary = Float64Array.from({ length: DRAWS }, () => prng.unit() * 40 - 20);
      const values = [...anything, ...ordinary].map(f).filter((value) => !Number.isNaN(value));
      return hashOf(Float64Array.from(values));
    },
  };
}

const [DEALERS, ROWS_EACH, ROUNDS] = [3, 150, 2];

const splitOf = async (example: Example) => {
  const { rows, contract } = await recordsOf(example);
  const options = { dealers: 12, seed: 'same bits', alpha: 0.3 };
  return { rows, dealers: splitRows(contract, rows, options).dealers };
};

const dealing = (example: Example): SameBits => ({
  name: `dealing/${example}`,
  compute: async () => hashOf(...(await splitOf(example)).dealers.map((rows) => Uint32Array.from(rows))),
});

const learning = (example: Example, file: string): SameBits => ({
  name: `learning/${example}/${path.basename(file, '.yaml')}`,
  compute: async () => {
    const { rows, dealers } = await splitOf(example);
    const shares = dealers.slice(0, DEALERS).map((places) => rowsAt(rows, places.slice(0, ROWS_EACH)));
    return learnt(await learningOf(example, file), shares);
  },
});

async function learnt({ task, contract }: Learning, shares: readonly Parameters<typeof examplesOf>[1][]) {
  const features = featureCount(contract);
  const trainer = await createTrainer(task, features);
  const { weights, state } = await simulateRounds(
    {
      ...{ task, features, trainer, seed: 'same bits', fillRandom: seededFill('same bits') },
      dealers: shares.map((share) => examplesOf(contract, share)),
      initial: initialModel(task, contract).weights,
    },
    ROUNDS,
  );
  return hashOf(weights, ...Object.values(state));
}

const privacy = (example: Example, file: string, { task }: Learning): SameBits[] => {
  if (task.privacy.mode === 'none') return [];
  const accountant = createAccountant(task.privacy, task.rounds);
  const epsilons = async () =>
    hashOf(Float64Array.from({ length: task.rounds }, (_, i) => accountant.epsilonAfter(i + 1)));
  return [{ name: `privacy/${example}/${path.basename(file, '.yaml')}`, compute: epsilons }];
};

/** Layers that WebAssembly trains: weights and scores after one step from weights that Keras wrote. */
async function layersBits(file: string): Promise<SameBits[]> {
  const vector = JSON.parse(await readFile(new URL(file, VECTORS), 'utf8')) as KerasVector;
  await startTensorBackend('wasm');
  const weights = layoutOfTopology(topologyOf(vector.topology)).map(({ name, shape }) => [name, shape] as const);
  const model = layersModel(vector.topology, Object.fromEntries(weights));
  if (layersFaults(model, 'fedavg', 'wasm').length > 0) return [];
  const compute = async () => {
    const features = Float32Array.from(vector.rows.flat());
    const trainer = await createTrainer({ model, backend: 'wasm' }, features.length / vector.rows.length);
    const prng = createPrng(utf8ToBytes(file), 'same bits');
    const size = model.weights.reduce((sum, { shape }) => sum + shape.reduce((x, y) => x * y, 1), 0);
    const trained = await trainer.fit({
      ...{ weights: Float32Array.from({ length: size }, () => prng.unit()), features },
      ...{ labels: Uint8Array.from(vector.labels), seed: utf8ToBytes('keras') },
      ...{ epochs: 3, batchSize: 4, learningRate: vector.learningRate },
    });
    return hashOf(trained, trainer.score(trained, features));
  };
  return [{ name: `layers/${path.basename(file, '.json')}`, compute }];
}

interface KerasVector {
  readonly topology: Record<string, unknown>;
  readonly rows: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly learningRate: number;
}

export async function listSameBits(): Promise<SameBits[]> {
  const all: SameBits[] = [exp, expm1, log, log1p].map(elementaryBits);
  for (const example of ['coil2000', 'telco'] as const) {
    all.push(dealing(example));
    const tasks = (await readdir(path.join(folderOf(example), 'tasks'))).sort().map((file) => `tasks/${file}`);
    for (const file of ['task.yaml', ...tasks]) {
      all.push(learning(example, file), ...privacy(example, file, await learningOf(example, file)));
    }
  }
  const keras = (await readdir(VECTORS)).filter((name) => name.startsWith('keras-')).sort();
  return [...all, ...(await Promise.all(keras.map(layersBits))).flat()];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const sha256: Record<string, string> = {};
  for (const { name, compute } of await listSameBits()) sha256[name] = await compute();
  const source = `Node ${process.version} on ${process.platform}-${process.arch}: tests/vectors/same-bits-build.ts`;
  await writeFile(new URL('same-bits.json', VECTORS), toText({ source, sha256 }));
}
