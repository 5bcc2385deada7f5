// What a customer has given so far, for the dealer to hand out: who was eligible for which round is not public.
import express, { type Router } from 'express';
import { requireOperator } from '../../kit/operator.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import type { PrivacyLedger } from '../privacy/ledger.ts';

export interface PrivacyDoorParts {
  readonly token: string;
  /** Of a task that this dealer accepts; of the first without a hash. */
  readonly privacyOf: (taskHash: Hex | undefined) => PrivacyLedger | undefined;
}

export function createPrivacyRouter({ token, privacyOf }: PrivacyDoorParts): Router {
  const router = express.Router();
  router.get('/v1/subjects/:subject/privacy', requireOperator(token), async (request, response) => {
    const subject = hashField.safeParse(request.params.subject);
    if (!subject.success) throw new ConcordatError('MESSAGE_MALFORMED', 'subject: 32 bytes of hex');
    const task = hashField.optional().safeParse(request.query.task);
    if (!task.success) throw new ConcordatError('MESSAGE_MALFORMED', 'task: its hash, 32 bytes of hex');
    const privacy = privacyOf(task.data);
    if (privacy === undefined) throw new ConcordatError('NOT_FOUND', 'this dealer accepts no such task');
    const spent = await privacy.of(subject.data);
    if (spent === undefined) throw new ConcordatError('NOT_FOUND', 'the task has no privacy budget');
    response.json(spent);
  });
  return router;
}
