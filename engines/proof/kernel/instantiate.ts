// Loads a module of our own into the memory of ffjavascript's kernel.
import type { Bn254 } from '../bn254.ts';
import { webAssembly } from '../webassembly.ts';
import { encodeModule, type WasmFunction } from './wasm-encoder.ts';

/** All arguments are addresses or counts. */
export type KernelFunction = (...addresses: number[]) => void;

/** Finds functions by name. @throws RangeError for a name that the module does not have */
export async function instantiate(
  bn254: Bn254,
  functions: readonly WasmFunction[],
): Promise<(name: string) => KernelFunction> {
  const { instance } = await webAssembly.instantiate(encodeModule(functions), { env: { memory: bn254.memory } });
  const exports = instance.exports as Readonly<Record<string, KernelFunction>>;
  return (name) => {
    const found = exports[name];
    if (found === undefined) throw new RangeError(`the kernel has no ${name}`);
    return found;
  };
}
