// The first door for uploads: the signed message with the sealed shares, which announces a payload by its hash.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  MAX_UPLOAD_MESSAGE_BYTES,
  type UploadMessage,
  type UploadStatement,
  uploadMessage,
} from '../../protocol/messages/upload.ts';
import { sharesRoot } from '../../protocol/secagg/shares.ts';
import type { Blobs } from '../transcript/blobs.ts';
import { sha256 } from '../transcript/hash.ts';
import { type AdmittedUpload, isUploadOf, type Uploads } from './uploads.ts';

/** The round that takes uploads, and how many sealed shares each has. */
export interface OpenRound {
  readonly round: number;
  readonly keyHolders: number;
}

export interface AnnounceParts {
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly isDealer: (address: Hex) => Promise<boolean>;
  /** The address that signed (EIP-712 `Upload`). */
  readonly recoverUpload: (upload: UploadStatement, signature: Hex) => Hex;
}

/** At most this many attempts of one dealer in one round are stored: a re-selection needs one, a crash another. */
const MAX_ATTEMPTS = 16;

/** Checked messages of the open round whose payload has yet to come, by payload. In memory: after a restart the dealer sends both again. */
export type Announced = Map<Hex, AdmittedUpload>;

/**
 * @returns whether the payload is still to be sent
 * @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, NOT_A_MEMBER, SIGNATURE_INVALID, and CONFLICT: the round
 * is not open, too many attempts, or the payload or the attempt is taken
 */
export async function announceUpload(
  body: Uint8Array,
  open: OpenRound | undefined,
  announced: Announced,
  parts: AnnounceParts,
): Promise<'wanted' | 'stored'> {
  const message = decodeCbor(body, uploadMessage, MAX_UPLOAD_MESSAGE_BYTES);
  const announcement = await checkMessage(message, open, parts);
  if (isKnown(announcement, announced, parts.uploads)) return stateOf(announcement, parts.uploads);
  await Promise.all(message.sealedShares.map(parts.blobs.putBlob));
  // another may have come while the shares were written: looked at again, and taken in the same step
  if (!isKnown(announcement, announced, parts.uploads)) announced.set(announcement.payloadHash, announcement);
  return stateOf(announcement, parts.uploads);
}

const stateOf = ({ payloadHash }: AdmittedUpload, uploads: Uploads) =>
  uploads.withPayload(payloadHash) === undefined ? 'wanted' : 'stored';

async function checkMessage(
  message: UploadMessage,
  open: OpenRound | undefined,
  parts: AnnounceParts,
): Promise<AdmittedUpload> {
  const { dealer, round, attempt, payloadHash, sealedShares, signature } = message;
  if (!(await parts.isDealer(dealer))) throw new ConcordatError('NOT_A_MEMBER', dealer, { dealer });
  if (open?.round !== round) throw new ConcordatError('CONFLICT', `round ${round} takes no uploads`, { round });
  if (attempt > MAX_ATTEMPTS) throw new ConcordatError('CONFLICT', `attempt ${attempt} of round ${round}`, { attempt });
  if (sealedShares.length !== open.keyHolders) {
    const detail = `${sealedShares.length} shares for ${open.keyHolders} key-holders`;
    throw new ConcordatError('MESSAGE_MALFORMED', detail);
  }
  const shareHashes = sealedShares.map(sha256);
  const upload = { dealer, round, attempt, payloadHash, sharesRoot: sharesRoot(shareHashes) };
  if (parts.recoverUpload(upload, signature) !== dealer) {
    throw new ConcordatError('SIGNATURE_INVALID', `the upload of ${dealer}`, { dealer, round });
  }
  return { ...upload, shareHashes, signature };
}

/**
 * Whether this very upload is announced or in. A payload belongs to the first who announces it: a second dealer, or a
 * second attempt, with the same bytes would count somebody's update twice.
 * @throws ConcordatError CONFLICT
 */
function isKnown(upload: AdmittedUpload, announced: Announced, uploads: Uploads): boolean {
  const { dealer, round, attempt, payloadHash } = upload;
  const same = (other: AdmittedUpload): boolean =>
    other.dealer === dealer && other.round === round && isUploadOf(other, upload);
  const owner = uploads.withPayload(payloadHash) ?? announced.get(payloadHash);
  const isTaken = owner === undefined ? uploads.hasPayload(payloadHash) : !same(owner);
  if (isTaken) {
    throw new ConcordatError('CONFLICT', `payload ${payloadHash} is another upload’s already`, { dealer, payloadHash });
  }
  const ofAttempt =
    uploads.ofAttempt(round, dealer, attempt) ??
    [...announced.values()].find((other) => other.dealer === dealer && other.attempt === attempt);
  if (ofAttempt !== undefined && !same(ofAttempt)) {
    throw new ConcordatError('CONFLICT', `attempt ${attempt} of ${dealer} has another payload`, { dealer, attempt });
  }
  return owner !== undefined;
}
