// Runs exported models in the runtimes they are for: onnxruntime-web on WebAssembly, and TensorFlow.js.
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-web';
import type { ExportFile } from '../../protocol/learning/export/tensors.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** Every output by name. */
export async function runOnnx(
  { bytes }: ExportFile,
  features: Float32Array,
  columns: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const session = await ort.InferenceSession.create(bytes);
  const rows = features.length / columns;
  const out = await session.run({ features: new ort.Tensor('float32', features, [rows, columns]) });
  await session.release();
  return Object.fromEntries(
    Object.entries(out).map(([name, tensor]) => [name, Array.from(tensor.data as ArrayLike<number | bigint>, Number)]),
  );
}

/** By tf.loadLayersModel, as a user would. The backend is the one that is active. */
export async function runTfjs(
  files: readonly ExportFile[],
  features: Float32Array,
  columns: number,
): Promise<Float32Array> {
  const [json, weights] = files;
  const model = JSON.parse(new TextDecoder().decode(json?.bytes));
  const artifacts = {
    modelTopology: model.modelTopology,
    weightSpecs: model.weightsManifest[0].weights,
    weightData: Uint8Array.from(weights?.bytes ?? []).buffer,
  };
  const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
  const scores = tf.tidy(() => {
    const x = tf.tensor2d(features, [features.length / columns, columns]);
    return (loaded.predict(x) as tf.Tensor).dataSync() as Float32Array;
  });
  loaded.dispose();
  return scores;
}

export const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length
    ? Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0)
    : Number.NaN;
