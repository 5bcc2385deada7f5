// Rounds of the first task, for whoever started the federation with it. Behind the operator token.
import express, { type Router } from 'express';
import { z } from 'zod';
import { requireOperator } from '../../kit/operator.ts';
import { ConcordatError } from '../../protocol/errors.ts';

const runRequest = z.strictObject({ rounds: z.int().min(1).max(10_000) });

export interface ControlParts {
  readonly token: string;
  /** Resolves once the wish is kept; they run in the background. @throws ConcordatError CONFLICT while some are running */
  readonly run: (rounds: number) => Promise<void>;
}

export function createControlRouter(parts: ControlParts): Router {
  const router = express.Router();
  router.post('/v1/rounds', requireOperator(parts.token), express.json({ limit: 1_024 }), async (request, response) => {
    const parsed = runRequest.safeParse(request.body);
    if (!parsed.success) throw new ConcordatError('MESSAGE_MALFORMED', 'rounds: a whole number from 1 to 10,000');
    await parts.run(parsed.data.rounds);
    response.status(202).json({ accepted: parsed.data.rounds });
  });
  return router;
}
