// The customers' door: a quote for a set of rules, signed operations in, receipts out.
import express, { type Router } from 'express';
import { z } from 'zod';
import { toHex, uintToBytes } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import { EVIDENCE, type EvidenceLevel } from '../../protocol/consent/policy.ts';
import type { Receipt } from '../../protocol/consent/receipt.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { MAX_SUBMISSIONS_BYTES, submissionsMessage } from '../../protocol/messages/submissions.ts';
import { CONSENT } from '../../protocol/params.ts';
import type { Anchoring } from '../consent/anchoring.ts';
import type { ConsentBook } from '../consent/book.ts';
import type { Quotes } from '../consent/quotes.ts';
import type { Anchored, ReceiptDesk } from '../consent/receipts.ts';

export interface ConsentDoorParts {
  readonly book: ConsentBook;
  readonly quotes: Quotes;
  readonly anchoring: Anchoring;
  readonly desk: ReceiptDesk;
  /** New operations are in: anchor and prove ahead. */
  readonly onChange: () => void;
}

const levels = Object.values(EVIDENCE);
const quoteRequest = z.strictObject({
  grants: z.string().regex(/^0x[0-9a-f]{1,48}$/),
  conditions: z.strictObject({
    expiry: z
      .int()
      .min(0)
      .max(2 ** CONSENT.expiryBits - 1),
    accuracyFloorBps: z.int().min(0).max(10_000),
    privacyCapMilli: z
      .int()
      .min(0)
      .max(2 ** CONSENT.privacyCapBits - 1),
    evidence: z.literal(levels).transform((level) => level as EvidenceLevel),
  }),
});

export function createConsentRouter(parts: ConsentDoorParts): Router {
  const router = express.Router();
  router.post('/v1/consent/quotes', express.json({ limit: 2_048 }), (request, response) => {
    const parsed = quoteRequest.safeParse(request.body);
    if (!parsed.success) throw new ConcordatError('MESSAGE_MALFORMED', `quote: ${parsed.error.issues[0]?.message}`);
    const { grants, conditions } = parsed.data;
    const { salt, digest } = parts.quotes.quote({ grants: BigInt(grants), conditions });
    response.json({ salt: toHex(uintToBytes(salt, CONSENT.saltBytes)), digest: hexWord(digest) });
  });

  const cbor = express.raw({ type: 'application/cbor', limit: MAX_SUBMISSIONS_BYTES, inflate: false });
  router.post('/v1/consent/operations', cbor, async (request, response) => {
    const body = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : new Uint8Array();
    const { submissions, wait } = decodeCbor(body, submissionsMessage, MAX_SUBMISSIONS_BYTES);
    const outcomes = await parts.book.submitAll(
      submissions.map(({ invitationCode, ...rest }) => ({
        ...rest,
        ...(invitationCode !== undefined && { invitationCode }),
      })),
    );
    parts.onChange();
    const anchored = wait ? await parts.anchoring.flush() : undefined;
    const pending = outcomes.flatMap((outcome) => (outcome.accepted ? [outcome.receipt] : []));
    const receipts = await receiptsOf(pending, anchored, parts.desk);
    response.json(
      outcomes.map((outcome) =>
        outcome.accepted
          ? { accepted: true, receipt: receipts.shift() }
          : { accepted: false, code: outcome.error.code, detail: outcome.error.detail },
      ),
    );
  });
  return router;
}

/** One customer gets the whole of it. In a batch each would carry the same stretch of log: they fetch theirs from the door. */
async function receiptsOf(
  pending: readonly Receipt[],
  anchored: Anchored | undefined,
  desk: ReceiptDesk,
): Promise<Receipt[]> {
  const receipts = desk.promise(pending);
  if (anchored === undefined) return receipts;
  const [only] = receipts;
  if (only !== undefined && receipts.length === 1) return [await desk.complete(only, anchored)];
  return receipts.map((receipt) => desk.withPath(receipt, anchored));
}
