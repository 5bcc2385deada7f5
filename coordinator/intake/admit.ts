// The door for uploads: size, schema, membership, round, signature, residues. What passes is stored, then acknowledged.

import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { uploadMessage } from '../../protocol/messages/upload.ts';
import { LIMITS } from '../../protocol/params.ts';
import { decodePayload } from '../../protocol/secagg/payload.ts';
import { SEALED_SHARE_BYTES, sharesRoot } from '../../protocol/secagg/shares.ts';
import { sha256 } from '../transcript/hash.ts';
import type { Transcript } from '../transcript/transcript.ts';

export interface UploadStruct {
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
}

/** An upload that passed the door. It counts once the chain holds the matching commit. */
export interface AdmittedUpload extends UploadStruct {
  readonly shareHashes: readonly Hex[];
  readonly bytes: number;
}

export interface IntakeParts {
  readonly transcript: Transcript;
  /** Blocks that this task's update vector makes. */
  readonly blocks: number;
  readonly keyHolderCount: () => Promise<number>;
  readonly isDealer: (address: Hex) => Promise<boolean>;
  readonly isOpen: (round: number) => boolean;
  /** The address that signed (EIP-712 `Upload`). */
  readonly recoverUpload: (upload: UploadStruct, signature: Hex) => Hex;
}

/** At most this many attempts of one dealer in one round are stored: a re-selection needs one, a crash another. */
const MAX_ATTEMPTS = 16;

/**
 * @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, NOT_A_MEMBER, CONFLICT (round not open, or too many
 * attempts), PAYLOAD_MALFORMED, SIGNATURE_INVALID
 */
export async function admitUpload(body: Uint8Array, parts: IntakeParts): Promise<AdmittedUpload> {
  const message = decodeCbor(body, uploadMessage, LIMITS.maxUploadBytes);
  const { dealer, round, attempt } = message;
  if (!(await parts.isDealer(dealer))) throw new ConcordatError('NOT_A_MEMBER', dealer, { dealer });
  if (!parts.isOpen(round)) throw new ConcordatError('CONFLICT', `round ${round} takes no uploads`, { round });
  if (attempt > MAX_ATTEMPTS) throw new ConcordatError('CONFLICT', `attempt ${attempt} of round ${round}`, { attempt });
  const keyHolders = await parts.keyHolderCount();
  if (message.sealedShares.length !== keyHolders) {
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `${message.sealedShares.length} shares for ${keyHolders} key-holders`,
    );
  }
  if (message.sealedShares.some((share) => share.length !== SEALED_SHARE_BYTES)) {
    throw new ConcordatError('MESSAGE_MALFORMED', `a sealed share has ${SEALED_SHARE_BYTES} bytes`);
  }
  decodePayload(message.payload, parts.blocks);
  const shareHashes = message.sealedShares.map(sha256);
  const upload = {
    dealer,
    round,
    attempt,
    payloadHash: sha256(message.payload),
    sharesRoot: sharesRoot(shareHashes),
  };
  if (parts.recoverUpload(upload, message.signature) !== dealer) {
    throw new ConcordatError('SIGNATURE_INVALID', `the upload of ${dealer}`, { dealer, round });
  }
  await Promise.all([message.payload, ...message.sealedShares].map(parts.transcript.putBlob));
  await parts.transcript.appendOnce({
    type: 'upload',
    round,
    dealer,
    attempt,
    payload: upload.payloadHash,
    sealedShares: shareHashes,
    signature: message.signature,
  });
  return { ...upload, shareHashes, bytes: body.length };
}
