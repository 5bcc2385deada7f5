// What anyone may read of the coordinator: its health, the task, rounds so far, and the transcript's files as they are.
import express, { type Router } from 'express';
import type { RoundOutcome } from '../rounds/driver.ts';

export interface CoordinatorStatus {
  readonly address: string;
  readonly federation: string;
  readonly chainId: number;
  readonly taskHash: string;
  readonly transcriptHead: string;
  readonly present: readonly string[];
  readonly running: boolean;
  readonly rounds: readonly RoundOutcome[];
  /** Gas by kind of transaction: total and count. */
  readonly gas: Readonly<Record<string, { readonly total: number; readonly count: number }>>;
}

export interface PublicParts {
  readonly status: () => CoordinatorStatus;
  readonly bundleDir: string;
  readonly taskJson: string;
  readonly contractJson: string;
}

export function createPublicRouter(parts: PublicParts): Router {
  const router = express.Router();
  router.get('/v1/health', (_request, response) => {
    response.json({ ok: true });
  });
  router.get('/v1/status', (_request, response) => {
    response.json(parts.status());
  });
  router.get('/v1/task', (_request, response) => {
    response.type('application/json').send(parts.taskJson);
  });
  router.get('/v1/data-contract', (_request, response) => {
    response.type('application/json').send(parts.contractJson);
  });
  // blobs are named by their hash and entries never change: cacheable for ever
  router.use('/v1/bundle', express.static(parts.bundleDir, { immutable: true, maxAge: '1y', index: false }));
  return router;
}
