// The dealer's own door, behind the operator token: invitations to print, and the drill that shows a stale commit refused.
import express, { type Router } from 'express';
import { requireOperator } from '../../kit/operator.ts';
import type { Invitations } from '../consent/invitations.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { Drill } from '../drill.ts';

export interface OperatorDoorParts {
  readonly token: string;
  readonly gate: ConsentGate;
  readonly invitations: Invitations;
  readonly drill: Drill;
}

export function createOperatorRouter(parts: OperatorDoorParts): Router {
  const router = express.Router();
  const operator = requireOperator(parts.token);
  router.get('/v1/consent/invitations', operator, (_request, response) => {
    response.json(
      parts.gate.customerIds.map((customerId) => ({ customerId, code: parts.invitations.codeFor(customerId) })),
    );
  });
  router.post('/v1/drills/stale-commit', operator, (_request, response) => {
    response.status(202).json(parts.drill.arm());
  });
  return router;
}
