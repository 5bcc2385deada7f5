// The one TensorFlow.js backend: WebAssembly with SIMD, one thread. Other backends differ in the last bits.
import { createRequire } from 'node:module';
import path from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';

const BACKEND = 'wasm';

/** How the listeners look that Emscripten's glue code puts on the process. */
const GLUE = /instanceof ExitStatus|^function\s*\(reason\)\s*\{\s*throw reason;?\s*\}$/;

/**
 * The glue code rethrows whatever the process fails with, from inside a listener: an orderly stop becomes a crash that prints
 * the library's whole source. The process decides for itself what a failure does.
 */
function dropGlueListeners(): void {
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    for (const listener of process.rawListeners(event)) {
      if (GLUE.test(listener.toString())) process.off(event, listener as () => void);
    }
  }
}

async function start(): Promise<void> {
  const home = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(path.join(path.dirname(home), 'dist', path.sep));
  // Node has no threaded build today; pinned so that a newer one does not change how sums are split over threads.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const started = await tf.setBackend(BACKEND);
  dropGlueListeners();
  const active = tf.getBackend();
  if (!simd || !started || active !== BACKEND) {
    const detail = `wanted ${BACKEND} with SIMD, got ${active || 'none'} ${simd ? 'with' : 'without'} SIMD`;
    throw new ConcordatError('TENSOR_BACKEND_WRONG', detail, { active });
  }
}

let starting: Promise<void> | undefined;

/**
 * Starts the backend once per process (about 10 ms); later calls only check that it is still the active one.
 * @throws ConcordatError TENSOR_BACKEND_WRONG
 */
export async function startTensorBackend(): Promise<void> {
  starting ??= start();
  await starting;
  if (tf.getBackend() !== BACKEND) {
    throw new ConcordatError('TENSOR_BACKEND_WRONG', `${tf.getBackend()} became active`, { active: tf.getBackend() });
  }
}
