// A key-holder's door: who it is, and its answer. Canonical CBOR in and out; errors go to the app's problem handler.
import express, { type Router } from 'express';
import { decodeCbor } from '../protocol/codec.ts';
import { answerRequest, MAX_ANSWER_REQUEST_BYTES } from '../protocol/messages/answer.ts';
import type { KeyHolder } from './holder.ts';

const CBOR = 'application/cbor';

/**
 * GET /v1/identity → {address, index, sealingPublicKey}; POST /v1/answers (application/cbor) → application/cbor.
 * Whoever asks gets the same answer: after SetFinalised the sum of the shares is public by design.
 */
export function createKeyHolderRouter(holder: KeyHolder): Router {
  const router = express.Router();
  router.get('/v1/identity', (_request, response) => {
    response.json(holder.identity);
  });
  router.post(
    '/v1/answers',
    express.raw({ type: CBOR, limit: MAX_ANSWER_REQUEST_BYTES, inflate: false }),
    async (request, response) => {
      // another content type leaves the body unread: it decodes as nothing, and is refused as such
      const body = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : new Uint8Array();
      const answer = await holder.answer(decodeCbor(body, answerRequest, MAX_ANSWER_REQUEST_BYTES));
      response.type(CBOR).send(Buffer.from(answer));
    },
  );
  return router;
}
