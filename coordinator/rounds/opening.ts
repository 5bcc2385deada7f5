// Opening the round's sum: the key-holders' answers, each written down as it comes, until there are enough.
import type { KeyHolder } from '../../engines/chain/federation.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import { askForAnswers } from '../key-holders/answers.ts';
import type { KeyHolderAnswer } from '../opening/answers.ts';
import type { OpenedSum } from '../opening/open.ts';
import type { Transcript } from '../transcript/transcript.ts';
import type { Signed } from './fingerprints.ts';
import type { RoundParts } from './parts.ts';
import type { RoundSet } from './set.ts';

/** How long a finalised round waits for enough key-holders before it is given up. */
const PATIENCE_MS = 120_000;
const ASK_AGAIN_MS = 500;

export interface SumToOpen {
  readonly round: number;
  readonly record: RoundRecord;
  readonly set: RoundSet;
  readonly sum: SealedSum;
  readonly fingerprints: Signed;
}

export interface OpeningKeyHolders {
  readonly keyHolders: readonly KeyHolder[];
  readonly threshold: number;
}

/** @throws ConcordatError SHARES_INSUFFICIENT, and as openSum */
export async function openRoundSum(
  toOpen: SumToOpen,
  { keyHolders, threshold }: OpeningKeyHolders,
  parts: RoundParts,
): Promise<OpenedSum> {
  const { round, record, set, sum } = toOpen;
  const answers = await collectAnswers(toOpen, { keyHolders, threshold }, parts);
  const opened = parts.opener.open({
    seed: record.seed,
    packing: parts.packing,
    aggregate: sum.residues,
    dealers: set.uploads.length,
    valueCount: parts.valueCount,
    threshold,
    answers,
  });
  await recordOpening(round, opened, parts.transcript);
  return opened;
}

async function collectAnswers(
  { round, set, sum, fingerprints }: SumToOpen,
  { keyHolders, threshold }: OpeningKeyHolders,
  parts: RoundParts,
): Promise<KeyHolderAnswer[]> {
  const { transcript, clock, signal } = parts;
  const { aggregateHash } = sum;
  const answers = await readAnswers(round, keyHolders, transcript);
  const giveUpAtMs = clock.nowMs() + PATIENCE_MS;
  for (;;) {
    const skip = new Set(answers.keys());
    const question = { round, setHash: set.setHash, set: set.uploads, aggregateHash, fingerprints, skip };
    for (const message of await askForAnswers({ ...question, enough: threshold }, { ...parts, keyHolders })) {
      const { index, keyHolder, answer: bytes, signature } = message;
      const answer = await transcript.putBlob(bytes);
      await transcript.appendOnce({ type: 'answer', round, keyHolder, aggregate: aggregateHash, answer, signature });
      answers.set(index, bytes);
    }
    if (answers.size >= threshold) return [...answers].map(([index, bytes]) => ({ index, bytes }));
    const missing = `${answers.size} of ${threshold} key-holders answered`;
    if (clock.nowMs() >= giveUpAtMs || signal.aborted) throw new ConcordatError('SHARES_INSUFFICIENT', missing);
    await clock.sleep(ASK_AGAIN_MS, signal);
  }
}

/** Answers that are written down already: a second one of the same key-holder would not be taken. */
async function readAnswers(
  round: number,
  keyHolders: readonly KeyHolder[],
  transcript: Transcript,
): Promise<Map<number, Uint8Array>> {
  const answers = new Map<number, Uint8Array>();
  for (const { body } of transcript.entries()) {
    if (body.type !== 'answer' || body.round !== round) continue;
    const index = keyHolders.find(({ address }) => address === body.keyHolder)?.index;
    if (index !== undefined) answers.set(index, await transcript.getBlob(body.answer));
  }
  return answers;
}

async function recordOpening(round: number, opened: OpenedSum, transcript: Transcript): Promise<void> {
  const keySum = await transcript.putBlob(int32Bytes(opened.secretSum));
  const values = await transcript.putBlob(int32Bytes(opened.values));
  await transcript.appendOnce({ type: 'opened', round, keySum, values, maxNoise: opened.noise.maxAbs });
}

/** 32-bit words, little-endian whatever the machine. */
function int32Bytes(words: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setInt32(4 * i, word | 0, true);
  });
  return bytes;
}
