// Opening the round's sum: the key-holders' answers, each written down as it comes, until there are enough that open it.
import type { KeyHolder } from '../../engines/chain/federation.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import type { AnswerMessage } from '../../protocol/messages/answer.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import type { AnswerQuestion } from '../key-holders/answers.ts';
import type { OpenedSum } from '../opening/open.ts';
import type { Transcript } from '../transcript/transcript.ts';
import type { Signed } from './fingerprints.ts';
import type { RoundParts } from './parts.ts';
import type { RoundSet } from './set.ts';

/** How long a finalised round waits for enough key-holders before it is given up. */
const PATIENCE_MS = 120_000;
/** And how long for one more, when those that answered do not open the sum: one of them may have lied. */
const DOUBT_MS = 15_000;
const ASK_AGAIN_MS = 500;

/** What one answer more may put right. */
const MAY_CHANGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SHARES_INSUFFICIENT',
  'SHARES_INCONSISTENT',
  'OPENING_NOISY',
]);

export interface SumToOpen {
  readonly round: number;
  readonly record: Pick<RoundRecord, 'seed'>;
  readonly set: RoundSet;
  readonly sum: SealedSum;
  readonly fingerprints: Signed;
}

export interface OpeningKeyHolders {
  readonly keyHolders: readonly KeyHolder[];
  readonly threshold: number;
}

export interface OpeningParts
  extends OpeningKeyHolders,
    Pick<RoundParts, 'transcript' | 'opener' | 'packing' | 'valueCount' | 'clock' | 'signal' | 'log'> {
  readonly ask: (question: AnswerQuestion) => Promise<readonly AnswerMessage[]>;
}

type Answers = Map<number, Uint8Array>;

/** @throws ConcordatError SHARES_INSUFFICIENT, and as openSum once all have answered or nobody else does */
export async function openRoundSum(toOpen: SumToOpen, parts: OpeningParts): Promise<OpenedSum> {
  const { round } = toOpen;
  const { keyHolders, threshold, transcript, clock, log } = parts;
  const answers = await readAnswers(round, keyHolders, transcript);
  if (!(await gather(answers, threshold, clock.nowMs() + PATIENCE_MS, toOpen, parts))) {
    throw new ConcordatError('SHARES_INSUFFICIENT', `${answers.size} of ${threshold} key-holders answered`);
  }
  let untilMs: number | undefined;
  for (;;) {
    try {
      const opened = openWith(answers, toOpen, parts);
      await recordOpening(round, opened, transcript);
      return opened;
    } catch (error) {
      const mayChange = error instanceof ConcordatError && MAY_CHANGE.has(error.code);
      if (!mayChange || answers.size >= keyHolders.length) throw error;
      log.warn(
        { round, code: error.code, answers: answers.size },
        'these answers do not open the sum: asking for more',
      );
      untilMs ??= clock.nowMs() + DOUBT_MS;
      if (!(await gather(answers, answers.size + 1, untilMs, toOpen, parts))) throw error;
    }
  }
}

function openWith(answers: Answers, { record, set, sum }: SumToOpen, parts: OpeningParts): OpenedSum {
  return parts.opener.open({
    seed: record.seed,
    packing: parts.packing,
    aggregate: sum.residues,
    dealers: set.uploads.length,
    valueCount: parts.valueCount,
    threshold: parts.threshold,
    answers: [...answers].map(([index, bytes]) => ({ index, bytes })),
  });
}

/** Asks whoever has not answered, again and again. @returns whether there are `enough` answers in time */
async function gather(
  answers: Answers,
  enough: number,
  untilMs: number,
  { round, set: { setHash, uploads: set }, sum: { aggregateHash }, fingerprints }: SumToOpen,
  { transcript, clock, signal, ask }: OpeningParts,
): Promise<boolean> {
  while (answers.size < enough) {
    const withinMs = untilMs - clock.nowMs();
    if (withinMs <= 0 || signal.aborted) return false;
    const skip = new Set(answers.keys());
    for (const message of await ask({ round, setHash, set, aggregateHash, fingerprints, enough, skip, withinMs })) {
      const { index, keyHolder, answer: bytes, signature } = message;
      const answer = await transcript.putBlob(bytes);
      await transcript.appendOnce({ type: 'answer', round, keyHolder, aggregate: aggregateHash, answer, signature });
      answers.set(index, bytes);
    }
    if (answers.size < enough) await clock.sleep(ASK_AGAIN_MS, signal);
  }
  return true;
}

/** Answers that are written down already: a second one of the same key-holder would not be taken. */
async function readAnswers(round: number, keyHolders: readonly KeyHolder[], transcript: Transcript): Promise<Answers> {
  const answers: Answers = new Map();
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
