// A key-holder's door: who it is, its vouches, the payloads it checks and its answer. Canonical CBOR in and out.
import type { IncomingMessage } from 'node:http';
import express, { type Request, type Response, type Router } from 'express';
import type { z } from 'zod';
import type { Hex } from '../protocol/bytes.ts';
import { decodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { answerRequest, MAX_ANSWER_REQUEST_BYTES } from '../protocol/messages/answer.ts';
import { hashField, roundField } from '../protocol/messages/fields.ts';
import { MAX_VOUCH_REQUEST_BYTES, vouchRequest } from '../protocol/messages/vouch.ts';
import type { KeyHolder } from './holder.ts';

const CBOR = 'application/cbor';
const OCTETS = 'application/octet-stream';

/**
 * GET /v1/identity → {address, index}; POST /v1/vouches and /v1/answers (application/cbor) → application/cbor;
 * PUT /v1/rounds/:round/payloads/:hash?aggregate=:hash (application/octet-stream) → 204.
 * Whoever asks gets the same: vouches are masked, and after SetFinalised the sum of the shares is public by design.
 */
export function createKeyHolderRouter(holder: KeyHolder): Router {
  const router = express.Router();
  router.get('/v1/identity', (_request, response) => {
    response.json(holder.identity);
  });
  router.post('/v1/vouches', ...cbor(vouchRequest, MAX_VOUCH_REQUEST_BYTES, holder.vouch));
  router.post('/v1/answers', ...cbor(answerRequest, MAX_ANSWER_REQUEST_BYTES, holder.answer));
  router.put('/v1/rounds/:round/payloads/:hash', async (request, response) => {
    const { round, hash, aggregate } = addressOf(request);
    try {
      if (request.headers['content-type'] !== OCTETS) throw malformed(`content type ${OCTETS} is expected`);
      await holder.takePayload(round, hash, aggregate, chunksOf(request));
    } catch (error) {
      // the rest is read and dropped, so that the sender hears why; then the connection is closed
      response.set('connection', 'close');
      request.resume();
      throw error;
    }
    response.status(204).end();
  });
  return router;
}

function cbor<S extends z.ZodType>(schema: S, limit: number, handle: (message: z.output<S>) => Promise<Uint8Array>) {
  return [
    express.raw({ type: CBOR, limit, inflate: false }),
    async (request: Request, response: Response): Promise<void> => {
      // another content type leaves the body unread: it decodes as nothing, and is refused as such
      const body = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : new Uint8Array();
      response.type(CBOR).send(Buffer.from(await handle(decodeCbor(body, schema, limit))));
    },
  ] as const;
}

function addressOf(request: Request): { readonly round: number; readonly hash: Hex; readonly aggregate: Hex } {
  const round = roundField.safeParse(Number(request.params.round));
  const hash = hashField.safeParse(request.params.hash);
  const aggregate = hashField.safeParse(request.query.aggregate);
  if (!round.success || !hash.success || !aggregate.success) {
    throw malformed('a payload is put under its round, its hash and ?aggregate=, the hash of the sum');
  }
  return { round: round.data, hash: hash.data, aggregate: aggregate.data };
}

/** Leaves the request open when its reader throws: a destroyed one would take the answer with it. */
const chunksOf = (request: IncomingMessage): AsyncIterable<Uint8Array> => request.iterator({ destroyOnReturn: false });

const malformed = (detail: string): ConcordatError => new ConcordatError('MESSAGE_MALFORMED', detail);
