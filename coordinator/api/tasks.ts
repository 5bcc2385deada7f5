// Tasks over HTTP: anyone may see them and their documents; submitting and stopping is the data science team's, behind the
// operator token.
import express, { type Request, type Router } from 'express';
import { z } from 'zod';
import { requireOperator } from '../../kit/operator.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import type { TaskDesk } from '../tasks/desk.ts';
import { MAX_ROUNDS } from '../tasks/record.ts';

/** Of a task or a contract, in characters: as much as the YAML reader takes. */
const MAX_DOCUMENT = 1_000_000;
const MAX_BODY_BYTES = 4_194_304;

const submission = z.strictObject({
  task: z.string().min(1).max(MAX_DOCUMENT),
  contract: z.string().min(1).max(MAX_DOCUMENT),
  rounds: z.int().min(1).max(MAX_ROUNDS).optional(),
});

export function createTaskRouter(desk: TaskDesk, token: string): Router {
  const router = express.Router();
  const operator = requireOperator(token);
  router.get('/v1/tasks', (_request, response) => {
    response.json({ tasks: desk.list() });
  });
  router.get('/v1/tasks/:hash', (request, response) => {
    response.json(desk.details(hashOf(request)));
  });
  router.get('/v1/tasks/:hash/rounds', (request, response) => {
    const after = z.coerce.number().int().min(0).default(0).safeParse(request.query.after);
    if (!after.success) throw new ConcordatError('MESSAGE_MALFORMED', 'after: the number of a round');
    response.json({ rounds: desk.outcomes(hashOf(request), after.data) });
  });
  router.post('/v1/tasks', operator, express.json({ limit: MAX_BODY_BYTES }), async (request, response) => {
    const parsed = submission.safeParse(request.body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new ConcordatError(
        'MESSAGE_MALFORMED',
        `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`,
      );
    }
    response.status(202).json(await desk.submit(parsed.data));
  });
  router.post('/v1/tasks/:hash/stop', operator, async (request, response) => {
    response.status(202).json(await desk.stop(hashOf(request)));
  });
  return router;
}

function hashOf(request: Request) {
  const hash = hashField.safeParse(request.params.hash);
  if (hash.success) return hash.data;
  throw new ConcordatError('MESSAGE_MALFORMED', 'task: its hash, 0x and 64 lower-case hex digits');
}
