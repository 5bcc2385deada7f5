// One entry of a dealer's consent log: a subject moves from one policy digest to another, signed with a passkey.
import { z } from 'zod';
import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../codec.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { bytesAsHex, hexWord, writeHex } from './hex-schema.ts';
import { keccak256 } from './keccak.ts';
import { FIELD_ORDER } from './policy.ts';

const OPERATION_VERSION = `${PROTOCOL_VERSION}/operation` as const;

/** A canonical operation is 311-319 bytes long. */
export const MAX_OPERATION_BYTES = 512;

export interface Operation {
  /** The dealer's address. */
  readonly dealer: Hex;
  readonly subject: Hex;
  /** P-256 point, x ‖ y, 64 bytes. */
  readonly publicKey: Hex;
  /** 32 random bytes that keep one customer's subjects at two dealers apart. */
  readonly nonce: Hex;
  /** 1 for the subject's first operation, then one more each time. */
  readonly seq: number;
  /** 0 = in no bucket. */
  readonly oldDigest: bigint;
  readonly newDigest: bigint;
  /** sha256 of the CSA record the customer saw when signing. */
  readonly recordHash: Hex;
}

// A digest at or above the field order would be a second name for a smaller one (aliasing), so none decodes.
const digest = bytesAsHex(32)
  .transform((word) => BigInt(word))
  .refine((value) => value < FIELD_ORDER, 'must be below the field order');

const operationSchema = z.strictObject({
  v: z.literal(OPERATION_VERSION),
  dealer: bytesAsHex(20),
  subject: bytesAsHex(32),
  publicKey: bytesAsHex(64),
  nonce: bytesAsHex(32),
  seq: z.int().min(1),
  oldDigest: digest,
  newDigest: digest,
  recordHash: bytesAsHex(32),
});

/** Canonical CBOR; hashes, keys and digests as byte strings. */
export function encodeOperation(operation: Operation): Uint8Array {
  return encodeCbor({
    v: OPERATION_VERSION,
    dealer: fromHex(operation.dealer),
    subject: fromHex(operation.subject),
    publicKey: fromHex(operation.publicKey),
    nonce: fromHex(operation.nonce),
    seq: operation.seq,
    oldDigest: fromHex(hexWord(operation.oldDigest)),
    newDigest: fromHex(hexWord(operation.newDigest)),
    recordHash: fromHex(operation.recordHash),
  });
}

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeOperation(bytes: Uint8Array): Operation {
  const { v: _, ...operation } = decodeCbor(bytes, operationSchema, MAX_OPERATION_BYTES);
  return operation;
}

/** sha256 of the bytes as received: the WebAuthn challenge the customer signs. */
export const operationHash = (operationBytes: Uint8Array): Uint8Array => sha256(operationBytes);

const SUBJECT_TAG = utf8ToBytes(`${PROTOCOL_VERSION}/subject`);

/** keccak256(abi.encodePacked("concordat/1/subject", x, y, dealer, nonce)) */
export function subjectOf(publicKey: Hex, dealer: Hex, nonce: Hex): Hex {
  const preimage = new Uint8Array(SUBJECT_TAG.length + (publicKey.length + dealer.length + nonce.length - 6) / 2);
  preimage.set(SUBJECT_TAG);
  let at = SUBJECT_TAG.length;
  for (const part of [publicKey, dealer, nonce]) at = writeHex(part, preimage, at);
  return toHex(keccak256(preimage));
}
