// A dealer's word that its own payload has this fingerprint under the challenge of a sum.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { FINGERPRINT_BYTES } from '../secagg/fingerprint.ts';
import { addressField, bytesField, hashField, roundField, signatureField } from './fields.ts';

export const fingerprintMessage = z.strictObject({
  v: z.literal('concordat/1/fingerprint'),
  dealer: addressField,
  round: roundField,
  aggregateHash: hashField,
  fingerprint: bytesField(FINGERPRINT_BYTES, FINGERPRINT_BYTES),
  /** EIP-712 `Fingerprint` */
  signature: signatureField,
});
export type FingerprintMessage = z.infer<typeof fingerprintMessage>;
export const MAX_FINGERPRINT_MESSAGE_BYTES = 1_024;

/** The EIP-712 struct `Fingerprint` that a dealer signs. */
export interface FingerprintStatement {
  readonly dealer: Hex;
  readonly round: number;
  readonly aggregateHash: Hex;
  readonly fingerprint: Hex;
}
