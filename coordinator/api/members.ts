// What registered parties send: uploads and anchors to co-sign. Every door below checks signature and membership itself.
import express, { type Router } from 'express';
import { MAX_CO_SIGN_BYTES } from '../../protocol/messages/witness.ts';
import { LIMITS } from '../../protocol/params.ts';
import { type AdmittedUpload, admitUpload, type IntakeParts } from '../intake/admit.ts';
import { coSignAnchor, type WitnessServiceParts } from '../witness/service.ts';

export interface MemberParts {
  readonly intake: IntakeParts;
  readonly witness: WitnessServiceParts;
  readonly onAdmitted: (upload: AdmittedUpload) => void;
}

const CBOR = 'application/cbor';

export function createMemberRouter(parts: MemberParts): Router {
  const router = express.Router();
  const cbor = (limit: number) => express.raw({ type: CBOR, limit, inflate: false });
  router.post('/v1/uploads', cbor(LIMITS.maxUploadBytes), async (request, response) => {
    const upload = await admitUpload(bodyOf(request.body), parts.intake);
    parts.onAdmitted(upload);
    response.json({ payloadHash: upload.payloadHash, sharesRoot: upload.sharesRoot });
  });
  router.post('/v1/witness/anchors', cbor(MAX_CO_SIGN_BYTES), async (request, response) => {
    const { anchor, signature } = await coSignAnchor(bodyOf(request.body), parts.witness);
    response.json({ epoch: anchor.epoch, signature });
  });
  return router;
}

/** A body of another content type stays unread, and decodes as nothing. */
const bodyOf = (body: unknown): Uint8Array => (Buffer.isBuffer(body) ? new Uint8Array(body) : new Uint8Array());
