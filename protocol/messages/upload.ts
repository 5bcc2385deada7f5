// What a dealer sends for a round: first this, signed, with the sealed shares of the one-time key; then the payload's bytes.
import { z } from 'zod';
import type { Hex } from '../bytes.ts';
import { LIMITS } from '../params.ts';
import { SEALED_SHARE_BYTES } from '../secagg/shares.ts';
import { addressField, attemptField, bytesField, hashField, roundField, signatureField } from './fields.ts';

export const uploadMessage = z.strictObject({
  v: z.literal('concordat/1/upload'),
  dealer: addressField,
  round: roundField,
  attempt: attemptField,
  /** sha256 of the payload, which follows by itself: PUT /v1/payloads/<hash>. */
  payloadHash: hashField,
  sealedShares: z.array(bytesField(SEALED_SHARE_BYTES, SEALED_SHARE_BYTES)).min(1).max(LIMITS.maxKeyHolders),
  /** EIP-712 `Upload` */
  signature: signatureField,
});
/** The EIP-712 struct `Upload` that a dealer signs. */
export interface UploadStatement {
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
}

export type UploadMessage = z.infer<typeof uploadMessage>;

export const MAX_UPLOAD_MESSAGE_BYTES = 1_024 + LIMITS.maxKeyHolders * (SEALED_SHARE_BYTES + 16);
