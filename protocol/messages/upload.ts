// What a dealer sends for a round: its encrypted update and the sealed shares of the one-time key.
import { z } from 'zod';
import { LIMITS } from '../params.ts';
import { addressField, attemptField, bytesField, roundField, signatureField } from './fields.ts';

export const uploadMessage = z.strictObject({
  v: z.literal('concordat/1/upload'),
  dealer: addressField,
  round: roundField,
  attempt: attemptField,
  payload: bytesField(1, LIMITS.maxUploadBytes),
  sealedShares: z.array(bytesField(1, 65_536)).min(1).max(LIMITS.maxKeyHolders),
  /** EIP-712 `Upload` */
  signature: signatureField,
});
