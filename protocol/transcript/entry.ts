// One entry of the public transcript: canonical CBOR, chained by hash. Blobs are named by their sha256.
import { z } from 'zod';
import { type Hex, sha256, toHex } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../codec.ts';
import { addressField, attemptField, bytesField, hashField, roundField, signatureField } from '../messages/fields.ts';
import { FINGERPRINT_BYTES } from '../secagg/fingerprint.ts';

const count = z.int().min(0);

/** `genesis`: what the whole history stands on. All files are blobs of the bundle. */
const genesis = z.strictObject({
  type: z.literal('genesis'),
  chainId: z.int().min(1),
  federation: addressField,
  task: hashField,
  dataContract: hashField,
  verificationKey: hashField,
  initialModel: hashField,
  /** Where customers sign: what their passkey assertions are checked against. */
  relyingParty: z.strictObject({ rpId: z.string().max(253), origins: z.array(z.string().max(300)).min(1).max(16) }),
});

/** `task`: a later task of the same federation, as `genesis` names the first one. Before any entry of its rounds. */
const task = z.strictObject({
  type: z.literal('task'),
  task: hashField,
  dataContract: hashField,
  initialModel: hashField,
});

/** `consent`: the operations a witness co-signed for one epoch of one dealer (blob: CBOR list). */
const consent = z.strictObject({
  type: z.literal('consent'),
  dealer: addressField,
  epoch: count,
  operations: hashField,
});

const upload = z.strictObject({
  type: z.literal('upload'),
  round: roundField,
  dealer: addressField,
  attempt: attemptField,
  payload: hashField,
  sealedShares: z.array(hashField),
  signature: signatureField,
});

/** `vouch`: what a key-holder said of the shares dealt to it, before the set was fixed (blob: CBOR list). */
const vouch = z.strictObject({
  type: z.literal('vouch'),
  round: roundField,
  keyHolder: addressField,
  vouches: hashField,
  signature: signatureField,
});

/** `fingerprint`: of one payload of the set, under the challenge of this aggregate, by its dealer. */
const fingerprint = z.strictObject({
  type: z.literal('fingerprint'),
  round: roundField,
  dealer: addressField,
  aggregate: hashField,
  fingerprint: bytesField(FINGERPRINT_BYTES, FINGERPRINT_BYTES),
  signature: signatureField,
});

const aggregate = z.strictObject({
  type: z.literal('aggregate'),
  round: roundField,
  dealers: z.array(addressField),
  aggregate: hashField,
});

const answer = z.strictObject({
  type: z.literal('answer'),
  round: roundField,
  keyHolder: addressField,
  aggregate: hashField,
  answer: hashField,
  signature: signatureField,
});

/** `opened`: the sum of the one-time keys (int32le) and what it opens to (uint32le per value). */
const opened = z.strictObject({
  type: z.literal('opened'),
  round: roundField,
  keySum: hashField,
  values: hashField,
  maxNoise: count,
});

const model = z.strictObject({
  type: z.literal('model'),
  round: roundField,
  baseModel: hashField,
  model: hashField,
  accuracyBps: count,
  aucBps: count,
});

const failed = z.strictObject({ type: z.literal('failed'), round: roundField, reason: z.string().max(300) });

export const entryBody = z.discriminatedUnion('type', [
  genesis,
  task,
  consent,
  upload,
  vouch,
  aggregate,
  fingerprint,
  answer,
  opened,
  model,
  failed,
]);
export type EntryBody = z.infer<typeof entryBody>;

const entrySchema = z.strictObject({ v: z.literal('concordat/1/entry'), seq: count, prev: hashField, body: entryBody });
export type Entry = z.infer<typeof entrySchema>;

export const MAX_ENTRY_BYTES = 1_048_576;
export const GENESIS_PREV: Hex = `0x${'00'.repeat(32)}`;

export function encodeEntry(seq: number, prev: Hex, body: EntryBody): { bytes: Uint8Array; hash: Hex } {
  const bytes = encodeCbor({ v: 'concordat/1/entry', seq, prev, body });
  return { bytes, hash: toHex(sha256(bytes)) };
}

/** @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE */
export const decodeEntry = (bytes: Uint8Array): Entry => decodeCbor(bytes, entrySchema, MAX_ENTRY_BYTES);
