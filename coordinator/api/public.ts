// What anyone may read of the coordinator: its health, the task, rounds so far, and the transcript's files as they are.
import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Entry } from '../../protocol/transcript/entry.ts';
import { MANIFEST_NAME } from '../../protocol/transcript/manifest.ts';
import type { RoundOutcome } from '../rounds/driver.ts';
import type { TaskDocuments } from '../tasks/desk.ts';

export interface CoordinatorStatus {
  readonly address: string;
  readonly federation: string;
  readonly chainId: number;
  /** Of the first task; all of them are under /v1/tasks. */
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
  /** Of the bundle, as of now. */
  readonly manifest: () => Uint8Array;
  /** Of the transcript, so far. */
  readonly entries: () => readonly Entry[];
  /** The first task: what the federation began with. */
  readonly first: TaskDocuments;
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
    response.type('application/json').send(parts.first.task);
  });
  router.get('/v1/data-contract', (_request, response) => {
    response.type('application/json').send(parts.first.contract);
  });
  router.get('/v1/rounds/:round/opened', (request, response) => {
    const { round } = request.params;
    const entry = parts.entries().findLast(({ body }) => body.type === 'opened' && String(body.round) === round);
    if (entry === undefined) throw new ConcordatError('NOT_FOUND', `no sum of round ${round.slice(0, 20)} was opened`);
    response.set('cache-control', ENTRY_FOR_EVER).json(entry.body);
  });
  router.get(`/v1/bundle/${MANIFEST_NAME}`, (_request, response) => {
    // the one file of a bundle that changes: kept by whoever likes, asked for again each time
    response.set('cache-control', 'no-cache').type('application/json').send(Buffer.from(parts.manifest()));
  });
  router.use('/v1/bundle', onlyBundleFiles, express.static(parts.bundleDir, FOR_EVER), noSuchFile);
  return router;
}

/** Blobs are named by their hash and entries never change. */
const FOR_EVER = { immutable: true, maxAge: '1y', index: false, redirect: false } as const;
/** An entry never changes, and there is one of its kind in a round. */
const ENTRY_FOR_EVER = 'public, max-age=31536000, immutable';
const BUNDLE_FILE = /^\/(entries\/\d{6,}\.cbor|blobs\/[0-9a-f]{64})$/;

/** A file that is only half-written has another name: it must not be kept for a year by anybody. */
function onlyBundleFiles(request: Request, response: Response, next: NextFunction): void {
  if (BUNDLE_FILE.test(request.path)) next();
  else noSuchFile(request, response);
}

function noSuchFile(request: Request, _response: Response): never {
  throw new ConcordatError('NOT_FOUND', `the bundle has no file ${request.path.slice(0, 100)}`);
}
