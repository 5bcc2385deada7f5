// What a dealer asks a witness: co-sign this anchor, which these operations lead to.
import { z } from 'zod';
import { anchorSchema } from '../consent/anchor.ts';
import { MAX_ASSERTION_BYTES } from '../consent/assertion.ts';
import { MAX_OPERATION_BYTES } from '../consent/operation.ts';
import { LIMITS } from '../params.ts';
import { bytesField, signatureField } from './fields.ts';

export const coSignMessage = z.strictObject({
  v: z.literal('concordat/1/co-sign'),
  /** Log index of the first entry, from 0. */
  firstIndex: z.int().min(0),
  entries: z
    .array(
      z.strictObject({
        operation: bytesField(1, MAX_OPERATION_BYTES),
        assertion: bytesField(1, MAX_ASSERTION_BYTES),
      }),
    )
    .max(LIMITS.maxConsentOperationsPerRequest),
  anchor: anchorSchema,
  /** EIP-712 `Anchor` by the dealer itself: nobody else can use up its epoch at a witness. */
  dealerSignature: signatureField,
});

export const MAX_CO_SIGN_BYTES =
  LIMITS.maxConsentOperationsPerRequest * (MAX_OPERATION_BYTES + MAX_ASSERTION_BYTES + 64) + 4_096;
