// TensorFlow's own library, where it is installed: agreement with wasm, and the same bits whatever the process is started with.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { startTensorBackend, useTensorBackend } from '../../engines/tensor/backend.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import type { Backend } from '../../protocol/learning/layers-model.ts';
import { createPrng } from '../../protocol/learning/prng.ts';
import type { DenseModel, LayersModel } from '../../protocol/learning/task.ts';
import { dense, layer, layersModel, sequential } from '../helpers/keras.ts';
import { NATIVE_INSTALLED } from '../helpers/native.ts';

const F = 300;
const ROWS = 150; // wide enough for sums to be split where they may be
const prng = createPrng(utf8ToBytes('native'), 'test');
const features = Float32Array.from({ length: ROWS * F }, () => prng.unit() * 2 - 1);
const labels = Uint8Array.from({ length: ROWS }, () => prng.below(2));
const descent = { loss: 'sigmoid-cross-entropy', positiveWeight: 3, l2: 0.01 } as const;

const DENSE: DenseModel = {
  kind: 'dense',
  layers: [
    { units: 64, activation: 'relu' },
    { units: 1, activation: 'sigmoid' },
  ],
  ...descent,
};
const LAYERS = layersModel(
  sequential(F, [
    dense('one', 64, 'tanh'),
    layer('LayerNormalization', 'norm'),
    layer('Dropout', 'drop', { rate: 0.2 }),
    dense('score', 1, 'sigmoid'),
  ]),
  {
    'one/kernel': [F, 64],
    'one/bias': [64],
    'norm/gamma': [64],
    'norm/beta': [64],
    'score/kernel': [64, 1],
    'score/bias': [1],
  },
  descent,
);

/** From weights that another process can have too. */
async function train(model: DenseModel | LayersModel, backend: Backend): Promise<Float32Array> {
  const trainer = await createTrainer({ model, backend }, F);
  const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const weights = Float32Array.from({ length: size }, (_, i) => Math.fround(((i * 37) % 101) / 505 - 0.1));
  const seed = utf8ToBytes('seed');
  return await trainer.fit({ weights, features, labels, seed, epochs: 2, batchSize: 64, learningRate: 0.05 });
}

const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

const PROGRAM = `
import { createTrainer } from './engines/tensor/train.ts';
const { model, features, labels, columns } = JSON.parse(await new Response(process.stdin).text());
const trainer = await createTrainer({ model, backend: 'tensorflow' }, columns);
const size = trainer.layout.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
const weights = Float32Array.from({ length: size }, (_, i) => Math.fround(((i * 37) % 101) / 505 - 0.1));
const fit = { weights, seed: new TextEncoder().encode('seed'), epochs: 2, batchSize: 64, learningRate: 0.05 };
const trained = await trainer.fit({ ...fit, features: Float32Array.from(features), labels: Uint8Array.from(labels) });
process.stdout.write(Buffer.from(trained.buffer).toString('base64'));
`;

/** Of another process: what it trained, and that it printed nothing else and ended by itself. */
async function trainElsewhere(model: DenseModel | LayersModel, env: Record<string, string>): Promise<Float32Array> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, '--', 'edge', '--dir', 'a-dealer'];
  const running = promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env }, maxBuffer: 2 ** 24 });
  running.child.stdin?.end(JSON.stringify({ model, features: [...features], labels: [...labels], columns: F }));
  const { stdout, stderr } = await running;
  expect(stderr).toBe('');
  return new Float32Array(new Uint8Array(Buffer.from(stdout, 'base64')).buffer);
}

if (NATIVE_INSTALLED) {
  test.each([
    ['dense', DENSE],
    ['Keras layers', LAYERS],
  ])(
    '%s: tfjs-node agrees with wasm to 1e-5, gives the same bits twice, beside wasm in one process, and leaves no tensor',
    async (_, model) => {
      const alone = { native: await train(model, 'tensorflow'), wasm: await train(model, 'wasm') };
      expect(furthest(alone.native, alone.wasm)).toBeLessThan(1e-5);
      expect(alone.native).not.toEqual(alone.wasm);
      const before = tf.memory().numTensors;
      const [native, wasm] = await Promise.all([train(model, 'tensorflow'), train(model, 'wasm')]);
      expect({ native, wasm }).toEqual(alone);
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  test('the same bits in another process, whatever its arguments and its environment, as on an older processor; nothing is printed', async () => {
    // what the library would otherwise take as said, and instructions that it would otherwise use
    const asked = {
      TF_NUM_INTRAOP_THREADS: '4',
      TF_ENABLE_ONEDNN_OPTS: '1',
      TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL: '1',
    };
    const older = { ONEDNN_MAX_CPU_ISA: 'SSE41', GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F' };
    for (const model of [DENSE, LAYERS]) {
      expect(await trainElsewhere(model, { ...asked, ...older, TF_CPP_MIN_LOG_LEVEL: '0' })).toEqual(
        await train(model, 'tensorflow'),
      );
    }
  }, 60_000);
} else {
  test('tfjs-node is NOT INSTALLED HERE: asking for it says what to do; nothing else of it is tried', async () => {
    await expect(startTensorBackend('tensorflow')).rejects.toThrow(
      /TENSOR_BACKEND_MISSING.*@tensorflow\/tfjs-node is not installed.*npm install @tensorflow\/tfjs-node/,
    );
    expect(() => useTensorBackend('tensorflow')).toThrow('TENSOR_BACKEND_WRONG');
  });
}
