// The receipts' door: whoever holds a signed operation gets its receipt; the dealer, for the customer, the one with the rounds.
import express, { type Router } from 'express';
import { requireOperator } from '../../kit/operator.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import type { Anchoring } from '../consent/anchoring.ts';
import type { ConsentBook } from '../consent/book.ts';
import type { ReceiptDesk } from '../consent/receipts.ts';
import type { Participations } from '../participation.ts';

export interface ReceiptDoorParts {
  readonly token: string;
  readonly book: ConsentBook;
  readonly desk: ReceiptDesk;
  readonly anchoring: Anchoring;
  readonly participations: Participations;
}

export function createReceiptRouter({ token, book, desk, anchoring, participations }: ReceiptDoorParts): Router {
  const router = express.Router();

  async function receiptAt(index: number | undefined) {
    const pending = index === undefined ? undefined : book.receiptAt(index);
    const [receipt] = pending === undefined ? [] : desk.promise([pending]);
    if (receipt === undefined) throw new ConcordatError('NOT_FOUND', 'the log has no such entry');
    return desk.complete(receipt, anchoring.anchored());
  }

  // nothing that the public log does not say of whoever knows the operation
  router.get('/v1/consent/receipts/:operationHash', async (request, response) => {
    response.json(await receiptAt(book.indexOfOperation(hashOf(request.params.operationHash))));
  });
  // who was in which round is not public: the dealer hands it out
  router.get('/v1/subjects/:subject/receipt', requireOperator(token), async (request, response) => {
    const subject = hashOf(request.params.subject);
    const receipt = await receiptAt(book.latestIndexOf(subject));
    response.json({ ...receipt, rounds: await participations.usageOf(subject) });
  });
  return router;
}

function hashOf(text: unknown): Hex {
  const hash = hashField.safeParse(text);
  if (!hash.success) throw new ConcordatError('MESSAGE_MALFORMED', 'not 32 bytes of hex');
  return hash.data;
}
