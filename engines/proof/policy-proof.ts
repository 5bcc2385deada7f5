// A policy claim's proof, in the shape the contract takes it. Browser-safe.
import { z } from 'zod';

/** `b` has each Fp² coordinate as (imaginary, real): the order of EIP-197's pairing precompile. */
export interface PolicyProof {
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
  /** In the order of docs/spec/01-encodings.md, "Policy claim". */
  readonly publicSignals: readonly bigint[];
}

const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,77})$/)
  .transform(BigInt);
const pair = z.tuple([decimal, decimal]);
const schema = z.strictObject({ a: pair, b: z.tuple([pair, pair]), c: pair, publicSignals: z.array(decimal) });

/** Numbers as decimal strings. */
export function encodePolicyProof(proof: PolicyProof): string {
  return JSON.stringify(proof, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

/** Nothing when the text is not a proof. */
export function decodePolicyProof(text: string): PolicyProof | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
