// What an opened sum says, by the protocol's own decoding: the strategy's sums, and the histogram of the base model's scores.
import { decodeSums, type OpenedUpdate } from '../protocol/learning/update.ts';
import type { Evidence } from './evidence.ts';
import { type AuditedRound, theEntry, wordsOf } from './rounds.ts';
import type { TaskFacts } from './tasks.ts';

export async function openedSums(evidence: Evidence, facts: TaskFacts, round: AuditedRound): Promise<OpenedUpdate> {
  const { valueCount, vector } = facts;
  const words = wordsOf(await evidence.bundle.blob(theEntry(evidence, 'opened', round.round).values), valueCount);
  const sums = Uint32Array.from({ length: valueCount }, (_, i) => words.getUint32(4 * i, true));
  return decodeSums(sums, vector, round.members.length);
}
