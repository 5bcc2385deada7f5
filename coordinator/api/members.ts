// What dealers send: uploads and fingerprints. Every door below checks signature and membership itself.
import express, { type Request, type Router } from 'express';
import { ConcordatError } from '../../protocol/errors.ts';
import { hashField } from '../../protocol/messages/fields.ts';
import { MAX_FINGERPRINT_MESSAGE_BYTES } from '../../protocol/messages/fingerprint.ts';
import { MAX_UPLOAD_MESSAGE_BYTES } from '../../protocol/messages/upload.ts';
import type { Intake } from '../intake/intake.ts';

export interface MemberParts {
  readonly intake: Pick<Intake, 'announce' | 'receive'>;
  /** @throws ConcordatError when the fingerprint is not one that is asked for */
  readonly takeFingerprint: (body: Uint8Array) => void;
}

const CBOR = 'application/cbor';
const BYTES = 'application/octet-stream';

export function createMemberRouter(parts: MemberParts): Router {
  const router = express.Router();
  const cbor = (limit: number) => express.raw({ type: CBOR, limit, inflate: false });
  router.post('/v1/uploads', cbor(MAX_UPLOAD_MESSAGE_BYTES), async (request, response) => {
    response.json({ payload: await parts.intake.announce(bodyOf(request.body)) });
  });
  router.put('/v1/payloads/:hash', async (request, response) => {
    await receive(request, parts.intake);
    response.json({ payload: 'stored' });
  });
  router.post('/v1/fingerprints', cbor(MAX_FINGERPRINT_MESSAGE_BYTES), (request, response) => {
    parts.takeFingerprint(bodyOf(request.body));
    response.status(204).end();
  });
  return router;
}

async function receive(request: Request, intake: MemberParts['intake']): Promise<void> {
  const hash = hashField.safeParse(request.params.hash);
  const plain = request.headers['content-encoding'] === undefined;
  if (!hash.success || !plain || request.headers['content-type'] !== BYTES) {
    throw new ConcordatError('MESSAGE_MALFORMED', `PUT the bytes as ${BYTES} under their sha256`);
  }
  try {
    await intake.receive(hash.data, request.headers['content-length'], request);
  } finally {
    request.resume(); // what is left is read and dropped, or the sender would not get to the answer
  }
}

/** A body of another content type stays unread, and decodes as nothing. */
const bodyOf = (body: unknown): Uint8Array => (Buffer.isBuffer(body) ? new Uint8Array(body) : new Uint8Array());
