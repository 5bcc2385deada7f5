// A replay package: everything of one dealer's part in one round, opened by that dealer to one auditor on site. A folder of files.
import { z } from 'zod';
import { concatBytes, fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { canonicalJson } from '../learning/canonical-json.ts';
import { LIMITS, PROTOCOL_VERSION } from '../params.ts';
import { addressField, attemptField, hashField, roundField, signatureField } from './fields.ts';

export const stageTracesSchema = z.strictObject({ training: hashField, noise: hashField });

/** `dealer-state.cbor` and `server-state.cbor` only where the strategy has one. */
export const PACKAGE_FILES = [
  'records.jsonl',
  'attempt.json',
  'receipts.json',
  'task.yaml',
  'contract.yaml',
  'base-model.cbor',
  'server-state.cbor',
  'dealer-state.cbor',
] as const;
export type PackageFile = (typeof PACKAGE_FILES)[number];

const manifestFields = {
  v: z.literal(`${PROTOCOL_VERSION}/replay-package`),
  chainId: z.int().min(1),
  federation: addressField,
  dealer: addressField,
  round: roundField,
  attempt: attemptField,
  /** To whom, and why: the dealer's own words. */
  openedFor: z.string().min(1).max(500),
  openedAtSeconds: z.int().min(0),
  /** Subjects whose consent has ended since the round, and whose records the dealer opens all the same. */
  endedSince: z.array(hashField).max(LIMITS.maxRecordsPerDealer),
  /** sha256 of every other file. */
  files: z.partialRecord(z.enum(PACKAGE_FILES), hashField),
};
export const manifestSchema = z.strictObject({ ...manifestFields, signature: signatureField });
export type SignedManifest = z.output<typeof manifestSchema>;
export type Manifest = Omit<SignedManifest, 'signature'>;

/** What the dealer signs (EIP-712 `Opening`): that it opens exactly this. */
export const manifestHash = (manifest: Manifest): Hex => toHex(sha256(utf8ToBytes(canonicalJson(manifest))));

/** A line of records.jsonl; the lines are in the order of training. */
export const openedRecordSchema = z.strictObject({
  subject: hashField,
  /** 16 bytes; hashes to the record hash with the row. */
  salt: z
    .string()
    .regex(/^0x[0-9a-f]{32}$/)
    .transform((v) => v as Hex),
  row: z.record(z.string().max(200), z.union([z.string().max(200), z.number()])),
});
export type OpenedRecord = z.output<typeof openedRecordSchema>;

/** attempt.json */
export const openedAttemptSchema = z.strictObject({ seed: hashField, stages: stageTracesSchema });
export type OpenedAttempt = z.output<typeof openedAttemptSchema>;

const SAMPLE_TAG = utf8ToBytes(`${PROTOCOL_VERSION}/replay-sample`);

/** The subjects to show, drawn by a beacon that was unknown when the records were committed to: those of the least hashes. */
export function drawSample(subjects: readonly Hex[], beacon: Hex, recordsRoot: Hex, count: number): Hex[] {
  const drawn = subjects.map((subject) => {
    const rank = toHex(sha256(concatBytes(SAMPLE_TAG, fromHex(beacon), fromHex(recordsRoot), fromHex(subject))));
    return { subject, rank };
  });
  drawn.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return drawn.slice(0, count).map(({ subject }) => subject);
}

/** Records shown with their consent unless told. */
export const SAMPLE_SIZE = 20;
