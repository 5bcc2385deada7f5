// Local training against the same network written out by hand: an MLP of 85-64-32-1, batches of 64, ms per epoch.
import * as tf from '@tensorflow/tfjs-core';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { parameterCount } from '../../protocol/learning/model.ts';
import { createPrng, shuffled } from '../../protocol/learning/prng.ts';

const [FEATURES, ROWS, BATCH, EPOCHS, REPEATS] = [85, 6_000, 64, 3, 5] as const;
const RATE = 0.05;
const L2 = 0.01;

const MODEL = {
  kind: 'dense' as const,
  layers: [
    { units: 64, activation: 'relu' as const },
    { units: 32, activation: 'relu' as const },
    { units: 1, activation: 'sigmoid' as const },
  ],
  loss: 'sigmoid-cross-entropy' as const,
  positiveWeight: 1,
  l2: L2,
};

export interface Speed {
  /** The best of several runs each, taken in turns. */
  readonly trainer: number;
  readonly byHand: number;
  readonly ratio: number;
}

export async function measureSpeed(): Promise<Speed> {
  const prng = createPrng(utf8ToBytes('speed'), 'rows');
  const features = Float32Array.from({ length: ROWS * FEATURES }, () => prng.unit() * 2 - 1);
  const labels = Uint8Array.from({ length: ROWS }, () => (prng.unit() < 0.06 ? 1 : 0));
  const trainer = await createTrainer({ model: MODEL }, FEATURES);
  const weights = Float32Array.from({ length: parameterCount(trainer.layout) }, () => (prng.unit() - 0.5) / 5);
  const sgd = { epochs: EPOCHS, batchSize: BATCH, learningRate: RATE, seed: utf8ToBytes('speed') };
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let i = 0; i < REPEATS; i++) {
    ours.push(await perEpoch(() => trainer.fit({ weights, features, labels, ...sgd })));
    theirs.push(await perEpoch(async () => trainByHand(weights, features, labels)));
  }
  const [best, hand] = [Math.min(...ours), Math.min(...theirs)];
  return { trainer: Number(best.toFixed(1)), byHand: Number(hand.toFixed(1)), ratio: Number((best / hand).toFixed(2)) };
}

async function perEpoch(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / EPOCHS;
}

/** No checks, no layers, no strategies: what the same steps cost at least. */
function trainByHand(weights: Float32Array, features: Float32Array, labels: Uint8Array): Float32Array {
  const prng = createPrng(utf8ToBytes('speed'), 'shuffle');
  let at = 0;
  const [w1, b1, w2, b2, w3, b3] = [[85, 64], [64], [64, 32], [32], [32, 1], [1]].map((shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    at += size;
    const values = tf.tensor(weights.subarray(at - size, at), shape);
    const variable = tf.variable(values);
    values.dispose();
    return variable;
  }) as [Kernel, Bias, Kernel, Bias, Kernel, Bias];
  const batch = new Float32Array(BATCH * FEATURES);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const order = shuffled(ROWS, prng);
    for (let start = 0; start < ROWS; start += BATCH) {
      const rows = order.subarray(start, start + BATCH);
      rows.forEach((row, i) => {
        batch.set(features.subarray(row * FEATURES, (row + 1) * FEATURES), i * FEATURES);
      });
      tf.tidy(() => {
        const x = tf.tensor2d(batch.subarray(0, rows.length * FEATURES), [rows.length, FEATURES]);
        const y = tf.tensor2d(
          Float32Array.from(rows, (row) => labels[row] ?? 0),
          [rows.length, 1],
        );
        step(x, y, rows.length, [w1, b1, w2, b2, w3, b3]);
      });
    }
  }
  const trained = Float32Array.from([w1, b1, w2, b2, w3, b3].flatMap((variable) => [...variable.dataSync()]));
  tf.dispose([w1, b1, w2, b2, w3, b3]);
  return trained;
}

type Kernel = tf.Variable<tf.Rank.R2>;
type Bias = tf.Variable<tf.Rank.R1>;

function step(x: tf.Tensor2D, y: tf.Tensor2D, rows: number, all: [Kernel, Bias, Kernel, Bias, Kernel, Bias]): void {
  const [w1, b1, w2, b2, w3, b3] = all;
  const h1 = tf.relu(tf.add(tf.matMul(x, w1), b1));
  const h2 = tf.relu(tf.add(tf.matMul(h1, w2), b2));
  const score = tf.sigmoid(tf.add(tf.matMul(h2, w3), b3));
  const d3 = tf.mul<tf.Tensor2D>(tf.sub(score, y), RATE / rows);
  const d2 = tf.mul<tf.Tensor2D>(tf.matMul(d3, w3, false, true), tf.step(h2));
  const d1 = tf.mul<tf.Tensor2D>(tf.matMul(d2, w2, false, true), tf.step(h1));
  for (const [w, b, input, delta] of [
    [w1, b1, x, d1],
    [w2, b2, h1, d2],
    [w3, b3, h2, d3],
  ] as const) {
    w.assign(tf.sub(tf.mul(w, 1 - RATE * L2), tf.matMul(input, delta, true, false)));
    b.assign(tf.sub(b, tf.sum<tf.Tensor1D>(delta, 0)));
  }
}
