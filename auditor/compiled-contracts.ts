// What the contracts of this repository compile to, as far as it stands on chain.
import type { Hex } from '../protocol/bytes.ts';
import type { VerificationKey } from '../protocol/proof/verification-key.ts';

/** As it is deployed, but for immutables: zeros where the constructor writes them. */
export interface RuntimeCode {
  readonly code: Hex;
  readonly immutables: readonly Immutable[];
}

export interface Immutable {
  /** As the source calls it. */
  readonly name: string;
  /** In bytes; everywhere the same value. */
  readonly at: readonly { readonly start: number; readonly length: number }[];
}

export interface CompiledContracts {
  /** "solc 0.8.37". */
  readonly compiler: string;
  readonly federation: RuntimeCode;
  readonly registry: RuntimeCode;
  readonly ledger: RuntimeCode;
  /** Of the verification key; undefined without one. */
  readonly verifier: RuntimeCode | undefined;
}

export type CompileContracts = (key: VerificationKey | undefined) => Promise<CompiledContracts>;
