// What we use of snarkjs 0.7, which ships no types.
declare module 'snarkjs' {
  type Decimals = readonly string[];
  export interface Groth16Proof {
    readonly pi_a: Decimals;
    readonly pi_b: readonly Decimals[];
    readonly pi_c: Decimals;
    readonly protocol: string;
    readonly curve: string;
  }
  type Signal = string | bigint | number;
  export type CircuitInput = Readonly<Record<string, Signal | readonly Signal[]>>;
  export interface MemoryFile {
    readonly type: 'mem';
    data?: Uint8Array;
  }
  export const groth16: {
    prove(
      zkeyFile: string,
      witness: MemoryFile | Uint8Array,
      logger?: undefined,
      options?: { readonly singleThread: boolean },
    ): Promise<{ proof: Groth16Proof; publicSignals: string[] }>;
    verify(verificationKey: unknown, publicSignals: readonly string[], proof: Groth16Proof): Promise<boolean>;
  };
  export const wtns: {
    calculate(input: CircuitInput, wasmFile: string | Uint8Array, witness: MemoryFile): Promise<void>;
    check(r1csFile: string, witness: MemoryFile): Promise<boolean>;
    exportJson(witness: MemoryFile): Promise<bigint[]>;
  };
  export interface Logger {
    debug(text: string): void;
    info(text: string): void;
    warn(text: string): void;
    error(text: string): void;
  }
  export const powersOfTau: {
    verify(ptauFile: string, logger: Logger): Promise<boolean>;
  };
  export const zKey: {
    /** -1, and a word to the logger, when it cannot. */
    newZKey(r1csFile: string, ptauFile: string, zkeyFile: string, logger: Logger): Promise<Uint8Array | -1>;
    contribute(fromFile: string, toFile: string, name: string, entropy: string, logger: Logger): Promise<Uint8Array>;
    /** False, and a word to the logger, when it cannot. */
    beacon(
      fromFile: string,
      toFile: string,
      name: string,
      beaconHex: string,
      iterationsExp: number,
      logger: Logger,
    ): Promise<Uint8Array | false>;
    verifyFromInit(initialFile: string, ptauFile: string, zkeyFile: string, logger: Logger): Promise<boolean>;
    exportVerificationKey(zkeyFile: string): Promise<unknown>;
    exportSolidityVerifier(zkeyFile: string, templates: { readonly groth16: string }): Promise<string>;
  };
}
