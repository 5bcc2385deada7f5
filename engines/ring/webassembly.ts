// The global WebAssembly, typed (Node's type package does not declare it), and whether it has SIMD here.

interface WebAssemblyGlobal {
  validate(code: Uint8Array): boolean;
  instantiate(code: Uint8Array): Promise<{ readonly instance: { readonly exports: unknown } }>;
}

export const webAssembly: WebAssemblyGlobal = (globalThis as unknown as { WebAssembly: WebAssemblyGlobal }).WebAssembly;

/** A module with one function, `i8x16.splat(0)`: valid exactly where SIMD is. */
const SPLAT = Buffer.from('0061736d010000000105016000017b030201000a080106004100fd0f0b', 'hex');

export const hasSimd = (): boolean => webAssembly.validate(SPLAT);
