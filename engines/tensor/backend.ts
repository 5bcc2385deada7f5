// The TensorFlow.js backends. A process computes on one at a time; bits differ from one to another, so a task names its own.
import { createRequire } from 'node:module';
import path from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Backend } from '../../protocol/learning/layers-model.ts';
import { loadNative, startNative } from './native.ts';

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

/** WebAssembly with SIMD, one thread. */
async function startWasm(): Promise<void> {
  const home = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(path.join(path.dirname(home), 'dist', path.sep));
  // Node has no threaded build today; pinned so that a newer one does not change how sums are split over threads.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const started = await tf.setBackend('wasm');
  dropGlueListeners();
  if (!simd || !started) {
    const detail = `wanted wasm with SIMD, got ${started ? 'wasm' : 'none'} ${simd ? 'with' : 'without'} SIMD`;
    throw new ConcordatError('TENSOR_BACKEND_WRONG', detail, { active: tf.getBackend() });
  }
}

/** Its first tensor prints an advertisement for the native backend, unless the library believes itself in production. */
async function startCpu(): Promise<void> {
  await import('@tensorflow/tfjs-backend-cpu');
  const env = tf.env();
  const production = env.getBool('PROD');
  env.set('PROD', true);
  void tf.setBackend('cpu');
  tf.scalar(0).dispose();
  env.set('PROD', production);
}

const starting = new Map<Backend, Promise<void>>();

function once(backend: Backend, start: () => Promise<void>): Promise<void> {
  const known = starting.get(backend) ?? start();
  starting.set(backend, known);
  return known;
}

/**
 * Starts a backend once per process (wasm: about 10 ms) and makes it the active one.
 *
 * wasm is the only one whose start is not synchronous, and nothing computes while it starts; so it always comes first, before any
 * other could be in use. Where it cannot start, another one still can.
 *
 * @param load where `tensorflow` comes from
 * @throws ConcordatError TENSOR_BACKEND_WRONG, TENSOR_BACKEND_MISSING
 */
export async function startTensorBackend(backend: Backend = 'wasm', load: () => unknown = loadNative): Promise<void> {
  const wasm = once('wasm', startWasm);
  await (backend === 'wasm' ? wasm : wasm.catch(() => undefined));
  if (backend === 'cpu') await once('cpu', startCpu);
  if (backend === 'tensorflow') {
    await once('tensorflow', () => startNative(load)).catch((cause: unknown) => {
      starting.delete('tensorflow'); // it may be installed by the next time
      throw cause;
    });
  }
  useTensorBackend(backend);
}

/**
 * Makes a started backend the active one, at once: to be called at the start of each stretch of tensor code that nothing
 * interrupts, since another task's may have been in between. Tensors stay with the backend that made them.
 * @throws ConcordatError TENSOR_BACKEND_WRONG
 */
export function useTensorBackend(backend: Backend): void {
  // of a started backend, all that the call does is done when it returns its promise
  if (tf.getBackend() !== backend && starting.has(backend)) void tf.setBackend(backend);
  const active = tf.getBackend();
  if (active !== backend) {
    throw new ConcordatError('TENSOR_BACKEND_WRONG', `wanted ${backend}, ${active || 'none'} is active`, { active });
  }
}
