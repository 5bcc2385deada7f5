// A witness's doors: dealers have anchors co-signed, and anyone reads what it signed, from which entries, and its evidence.
import express, { type Request, type Router } from 'express';
import { z } from 'zod';
import { ConcordatError } from '../protocol/errors.ts';
import { addressField } from '../protocol/messages/fields.ts';
import { MAX_CO_SIGN_BYTES } from '../protocol/messages/witness.ts';
import type { WitnessService } from './service.ts';
import type { AnchorPlace } from './witness-store.ts';

const CBOR = 'application/cbor';
const indexField = z.coerce
  .number()
  .int()
  .min(0)
  .max(2 ** 32);

/**
 * POST /v1/witness/anchors (application/cbor) → {epoch, signature}; GET /v1/witness/heads[?after=dealer/epoch] → headsMessage;
 * GET /v1/witness/log/:dealer[?from=index] → application/cbor; GET /v1/witness/evidence → [equivocation].
 */
export function createWitnessRouter(service: WitnessService): Router {
  const router = express.Router();
  const body = express.raw({ type: CBOR, limit: MAX_CO_SIGN_BYTES, inflate: false });
  router.post('/v1/witness/anchors', body, async (request, response) => {
    // a body of another content type stays unread, and decodes as nothing
    const bytes = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : new Uint8Array();
    const { anchor, signature } = await service.coSign(bytes);
    response.json({ epoch: anchor.epoch, signature });
  });
  router.get('/v1/witness/heads', async (request, response) => {
    response.json(await service.heads(placeOf(request.query.after)));
  });
  router.get('/v1/witness/log/:dealer', async (request, response) => {
    const dealer = addressField.safeParse(request.params.dealer);
    const from = indexField.safeParse(request.query.from ?? '0');
    if (!dealer.success || !from.success) throw malformed('a log is read as /v1/witness/log/<dealer>?from=<index>');
    response.type(CBOR).send(Buffer.from(await service.log(dealer.data, from.data)));
  });
  router.get('/v1/witness/evidence', async (_request, response) => {
    response.json(await service.evidence());
  });
  return router;
}

function placeOf(after: Request['query'][string]): AnchorPlace | undefined {
  if (after === undefined) return undefined;
  const [dealer, epoch, ...rest] = String(after).split('/');
  const place = z.strictObject({ dealer: addressField, epoch: indexField }).safeParse({ dealer, epoch });
  if (!place.success || rest.length > 0) throw malformed('heads are read from ?after=<dealer>/<epoch> on');
  return place.data;
}

const malformed = (detail: string): ConcordatError => new ConcordatError('MESSAGE_MALFORMED', detail);
