// Whether TensorFlow's own library can be tried here: it is no dependency, so most machines have none.
import { createRequire } from 'node:module';
import type { Backend } from '../../protocol/learning/layers-model.ts';

const installed = (): boolean => {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-node');
    return true;
  } catch {
    return false;
  }
};

/** Installed, it must also start: a broken one fails tests rather than leaving them out. */
export const NATIVE_INSTALLED: boolean = installed();

export const BACKENDS_HERE: readonly Backend[] = NATIVE_INSTALLED ? ['cpu', 'wasm', 'tensorflow'] : ['cpu', 'wasm'];
