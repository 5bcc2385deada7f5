// What a dealer asks a witness, and what a witness shows to anyone: the anchors it signed, and those it refused.
import { z } from 'zod';
import { anchorSchema } from '../consent/anchor.ts';
import { MAX_ASSERTION_BYTES } from '../consent/assertion.ts';
import { signingDomainSchema } from '../consent/equivocation.ts';
import { MAX_OPERATION_BYTES } from '../consent/operation.ts';
import { LIMITS } from '../params.ts';
import { addressField, bytesField, signatureField } from './fields.ts';

/** Co-sign this anchor, which these operations lead to. */
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

/** A page of signed anchors in the order of dealer and epoch; `next` is where the following page starts. */
export const MAX_HEADS_PER_PAGE = 100;
export const headsMessage = z.strictObject({
  v: z.literal('concordat/1/heads'),
  domain: signingDomainSchema,
  witness: addressField,
  heads: z
    .array(z.strictObject({ anchor: anchorSchema, dealerSignature: signatureField, signature: signatureField }))
    .max(MAX_HEADS_PER_PAGE),
  next: z
    .string()
    .regex(/^0x[0-9a-f]{40}\/[0-9]{1,12}$/, 'dealer/epoch')
    .optional(),
});
export type HeadsMessage = z.output<typeof headsMessage>;
export const MAX_HEADS_BYTES = 4_096 + MAX_HEADS_PER_PAGE * 1_024;
