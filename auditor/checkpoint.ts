// What an audit remembers for the next one: how far the history had come, so that it can only have grown since.
import { z } from 'zod';
import { type Hex, sha256, toHex, utf8ToBytes } from '../protocol/bytes.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../protocol/consent/canonical-json.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { addressField, hashField, roundField } from '../protocol/messages/fields.ts';
import type { Evidence } from './evidence.ts';
import { eventsOf, type History } from './history.ts';
import { eventsOfLine } from './lineage.ts';

const MAX_CHECKPOINT_BYTES = 4 * 2 ** 20;
const count = z.int().min(0);

const checkpointSchema = z.strictObject({
  v: z.literal('concordat/1/audit-checkpoint'),
  federation: addressField,
  chainId: z.int().min(1),
  /** The last one that was read. */
  block: z.strictObject({ number: count, hash: hashField }),
  transcript: z.strictObject({ entries: z.int().min(1), head: hashField }),
  /** The last of each task, in ascending order of task. */
  models: z.array(z.strictObject({ task: hashField, round: roundField, model: hashField })),
  /** The last of each dealer, in ascending order of dealer. */
  anchors: z.array(z.strictObject({ dealer: addressField, epoch: count, root: hashField, logHead: hashField })),
  /** sha256 of the report, as `--json` writes it. */
  report: hashField,
});

export type Checkpoint = z.infer<typeof checkpointSchema>;

export const encodeCheckpoint = (checkpoint: Checkpoint): Uint8Array => encodeCanonicalJson(checkpoint);

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { data, error } = checkpointSchema.safeParse(parseCanonicalJson(bytes, MAX_CHECKPOINT_BYTES));
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new ConcordatError('MESSAGE_MALFORMED', `checkpoint: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/**
 * Where the history stands now.
 * @param headHash of the last block that was read
 * @param report its text
 */
export function checkpointOf({ history, bundle }: Evidence, headHash: Hex, report: string): Checkpoint {
  const last = bundle.entries.at(-1);
  if (last === undefined) throw new ConcordatError('NOT_FOUND', 'a bundle without entries leaves nothing to remember');
  const { federation, chainId } = history.deployment;
  return {
    v: 'concordat/1/audit-checkpoint',
    federation,
    chainId,
    block: { number: history.headBlock, hash: headHash },
    transcript: { entries: bundle.entries.length, head: last.hash },
    models: lastModels(history),
    anchors: lastAnchors(history),
    report: toHex(sha256(utf8ToBytes(report))),
  };
}

function lastModels(history: History): Checkpoint['models'] {
  const last = new Map<Hex, Checkpoint['models'][number]>();
  for (const { taskHash, round, modelHash } of eventsOf(eventsOfLine(history), 'Published')) {
    last.set(taskHash, { task: taskHash, round, model: modelHash });
  }
  return [...last.values()].sort((a, b) => (a.task < b.task ? -1 : 1));
}

function lastAnchors(history: History): Checkpoint['anchors'] {
  const last = new Map<Hex, Checkpoint['anchors'][number]>();
  for (const { dealer, epoch, root, logHead } of eventsOf(eventsOfLine(history), 'Anchored')) {
    last.set(dealer, { dealer, epoch, root, logHead });
  }
  return [...last.values()].sort((a, b) => (a.dealer < b.dealer ? -1 : 1));
}
