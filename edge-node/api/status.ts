// How the edge node is doing: counts and timings, nothing of any customer.
import express, { type Router } from 'express';
import type { SelectionCosts } from '../consent/selection.ts';
import type { DrillReport } from '../drill.ts';
import type { RoundResult } from '../round.ts';
import type { TaskStanding } from '../tasks/tasks.ts';

export interface EdgeStatus {
  readonly address: string;
  readonly records: number;
  readonly operations: number;
  readonly policies: number;
  readonly ready: boolean;
  readonly costs: SelectionCosts;
  readonly anchorGas: number;
  readonly rounds: readonly RoundResult[];
  readonly drills: readonly DrillReport[];
  /** That it was started with, and those it was offered since. */
  readonly tasks: readonly TaskStanding[];
}

export function createStatusRouter(status: () => EdgeStatus): Router {
  const router = express.Router();
  router.get('/v1/health', (_request, response) => {
    response.json({ ok: true });
  });
  router.get('/v1/status', (_request, response) => {
    response.json(status());
  });
  return router;
}
