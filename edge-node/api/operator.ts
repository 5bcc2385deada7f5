// The dealer's own door, behind the operator token: invitations to print, records to read again, a customer's history and
// proof of use to hand out, and the drill that shows a stale commit refused.
import express, { type Router } from 'express';
import { requireOperator } from '../../kit/operator.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import type { HistoryDesk } from '../consent/history.ts';
import type { Invitations } from '../consent/invitations.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { Drill } from '../drill.ts';
import type { Participations } from '../participation.ts';

export interface OperatorDoorParts {
  readonly token: string;
  readonly gate: ConsentGate;
  readonly invitations: Invitations;
  readonly drill: Drill;
  readonly participations: Participations;
  readonly history: HistoryDesk;
}

export function createOperatorRouter(parts: OperatorDoorParts): Router {
  const router = express.Router();
  const operator = requireOperator(parts.token);
  router.get('/v1/consent/invitations', operator, (_request, response) => {
    response.json(
      parts.gate.customerIds.map((customerId) => ({ customerId, code: parts.invitations.codeFor(customerId) })),
    );
  });
  router.post('/v1/records/reload', operator, async (_request, response) => {
    await parts.gate.reload();
    response.json({ records: parts.gate.recordCount });
  });
  // not for everyone who knows a pseudonym: the log is public, who was in which round is not
  router.get('/v1/subjects/:subject/rounds', operator, async (request, response) => {
    const subject = hashField.safeParse(request.params.subject);
    if (!subject.success) throw new ConcordatError('MESSAGE_MALFORMED', 'subject: 32 bytes of hex');
    response.json(await parts.participations.usageOf(subject.data));
  });
  router.get('/v1/subjects/:subject/history', operator, async (request, response) => {
    const subject = hashField.safeParse(request.params.subject);
    if (!subject.success) throw new ConcordatError('MESSAGE_MALFORMED', 'subject: 32 bytes of hex');
    const { events, standing } = await parts.history(subject.data);
    if (events.length === 0) throw new ConcordatError('NOT_FOUND', `no log entry of ${subject.data}`);
    response.json({ events, standing: Object.fromEntries(standing) });
  });
  router.post('/v1/drills/stale-commit', operator, (_request, response) => {
    response.status(202).json(parts.drill.arm());
  });
  return router;
}
