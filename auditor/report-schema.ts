// A report that comes from elsewhere, read at the door: every field that is shown to a person is checked first.
import { z } from 'zod';
import { addressField, hashField, signatureField } from '../protocol/messages/fields.ts';

/** A report of hundreds of rounds is some megabytes. */
export const MAX_REPORT_BYTES = 64 * 1_048_576;

const count = z.int().min(0);
const text = z.string();
const verdict = z.enum(['pass', 'fail', 'inconclusive']);
const promiseId = z.enum(['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8']);

const check = z.strictObject({
  id: z.string().regex(/^\d\d$/),
  title: text,
  promises: z.array(promiseId),
  meaning: text,
  cannot: text,
  verdict,
  checked: count,
  failed: count,
  inconclusive: count,
  failures: z.array(z.strictObject({ what: text, expected: text.optional(), got: text.optional() })),
  note: text,
  ms: count,
});

const promise = z.strictObject({
  id: promiseId,
  title: text,
  says: text,
  leavesOpen: text,
  checks: z.array(z.string().regex(/^\d\d$/)),
  verdict: z.enum([...verdict.options, 'not audited']),
});

const line = z.strictObject({
  round: count,
  openedAt: count,
  status: z.enum(['published', 'failed', 'under way']),
  reason: text.optional(),
  task: hashField,
  dealers: z.array(z.strictObject({ dealer: addressField, weight: count })),
  leftOut: z.array(addressField),
  accuracyBps: count.optional(),
  aucBps: count.optional(),
  epsilonMilli: count.optional(),
  model: hashField.optional(),
});

const report = z.strictObject({
  formatVersion: z.literal('concordat/1/audit-report'),
  protocolVersion: text,
  federation: addressField,
  chainId: count,
  headBlock: count,
  transcriptHead: hashField.optional(),
  rounds: z.strictObject({ opened: count, published: count, failed: count }),
  madeAt: count,
  ms: count,
  bundle: z.strictObject({ files: count, bytes: count, readMs: count }).optional(),
  promises: z.array(promise),
  timeline: z.array(line),
  checks: z.array(check),
  checksRun: count,
  checksFailed: count,
});

export const signedReport = report.extend({
  signature: z.strictObject({ signer: addressField, hash: hashField, signature: signatureField }).optional(),
});
