// What we use of ffjavascript 0.3, which ships no types: its BN254 kernel as WebAssembly code.
declare module 'ffjavascript' {
  export interface Bn128Curve {
    readonly tm: { readonly code: Uint8Array };
  }
  /** `singleThread`: no worker threads; only then does `tm.code` hold the module's bytes. */
  export function buildBn128(singleThread: boolean): Promise<Bn128Curve>;
}
