// The dealer's personal models, for the dealer alone: how much better they do, and the model itself.
import express, { type Request, type Router } from 'express';
import { requireOperator } from '../../kit/operator.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import type { PersonalModel } from '../personal/file.ts';
import type { PersonalModels } from '../personal/models.ts';

export interface PersonalDoorParts {
  readonly token: string;
  readonly models: Pick<PersonalModels, 'of'>;
  /** Meant when none is named. */
  readonly firstTask: Hex;
}

/** What is said of one: counts and figures, nobody's name. */
export type PersonalReport = Omit<PersonalModel, 'customers' | 'model'>;

export function createPersonalRouter({ token, models, firstTask }: PersonalDoorParts): Router {
  const router = express.Router();
  const operator = requireOperator(token);
  const asked = async ({ query }: Request): Promise<PersonalModel> => {
    const task = hashField.optional().safeParse(query.task);
    if (!task.success) throw new ConcordatError('MESSAGE_MALFORMED', 'task: its hash, 32 bytes of hex');
    const model = await models.of(task.data ?? firstTask);
    if (model === undefined) throw new ConcordatError('NOT_FOUND', 'no personal model of this task');
    return model;
  };
  router.get('/v1/operator/personal-model', operator, async (request, response) => {
    const { customers: _customers, model: _model, ...report } = await asked(request);
    response.json(report satisfies PersonalReport);
  });
  router.get('/v1/operator/personal-model/file', operator, async (request, response) => {
    const { model } = await asked(request);
    response.type('application/cbor').send(Buffer.from(model));
  });
  return router;
}
