// TensorFlow's own library as a backend, where @tensorflow/tfjs-node is installed: set so that its bits can be had again.
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { ConcordatError } from '../../protocol/errors.ts';

/** Not a dependency: it downloads a binary when it is installed, which a dealer decides for itself. */
const PACKAGE = '@tensorflow/tfjs-node';
const here = createRequire(import.meta.url);

/**
 * What the library reads from the environment when it starts. On more threads, or with the kernels that oneDNN writes for the
 * processor at hand, sums are taken in another order. On one thread and with kernels as they were compiled, bits are the same
 * on any x86-64 (docs/models.md). Not for a dealer to choose: a round that cannot be run again proves nothing.
 */
const ENVIRONMENT = {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_ENABLE_ONEDNN_OPTS: '0',
  TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL: '0',
  /** Errors alone: otherwise each process prints what its processor could do. */
  TF_CPP_MIN_LOG_LEVEL: '2',
};

/** The package calls these at every operation. Node 22 warns of them, and Node 23 has them no longer. */
const FORMER_UTIL = {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
};

/**
 * The package finds its binary with node-pre-gyp, which takes this process's arguments for its own: behind `--dir`, short for its
 * `--directory`, it would look in a dealer's folder. So it sees none while it is loaded.
 */
export function loadNative(load: () => unknown = () => here(PACKAGE)): unknown {
  const { argv } = process;
  process.argv = argv.slice(0, 2);
  try {
    return load();
  } finally {
    process.argv = argv;
  }
}

/** @throws ConcordatError TENSOR_BACKEND_MISSING: not there, does not load, or does not compute */
export async function startNative(load: () => unknown): Promise<void> {
  // biome-ignore lint/style/noProcessEnv: the library can be told in no other way
  Object.assign(process.env, ENVIRONMENT);
  Object.assign(here('node:util') as object, FORMER_UTIL);
  try {
    await load();
    await tf.setBackend('tensorflow');
    tf.tidy(() => tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync());
  } catch (cause) {
    const [reason = ''] = (cause as Error).message.split('\n');
    const missing = reason.startsWith(`Cannot find module '${PACKAGE}'`);
    const detail = `${PACKAGE} ${missing ? 'is not installed' : `does not start: ${reason}`}`;
    throw new ConcordatError('TENSOR_BACKEND_MISSING', detail, { backend: 'tensorflow' }, { cause });
  }
}
