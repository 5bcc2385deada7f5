// Signed consent operations on their way from customers' devices to their dealer.
import { z } from 'zod';
import { MAX_ASSERTION_BYTES } from '../consent/assertion.ts';
import { MAX_OPERATION_BYTES } from '../consent/operation.ts';
import { LIMITS } from '../params.ts';
import { bytesField } from './fields.ts';

const MAX_RECORD_BYTES = 8_192;

export const submissionsMessage = z.strictObject({
  v: z.literal('concordat/1/submissions'),
  /** Answer only when the operations are anchored on chain: the receipts then carry their paths. */
  wait: z.boolean(),
  submissions: z
    .array(
      z.strictObject({
        customerId: z.string().min(1).max(64),
        invitationCode: z.string().max(64).optional(),
        record: bytesField(1, MAX_RECORD_BYTES),
        operation: bytesField(1, MAX_OPERATION_BYTES),
        assertion: bytesField(1, MAX_ASSERTION_BYTES),
      }),
    )
    .min(1)
    .max(LIMITS.maxConsentOperationsPerRequest),
});

export const MAX_SUBMISSIONS_BYTES =
  LIMITS.maxConsentOperationsPerRequest * (MAX_RECORD_BYTES + MAX_OPERATION_BYTES + MAX_ASSERTION_BYTES + 256);
