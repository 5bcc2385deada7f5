// Opening while answers are still on their way: a false one among the first does not end the round when an honest one may come.
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { AnswerQuestion } from '../../coordinator/key-holders/answers.ts';
import type { KeyHolderAnswer } from '../../coordinator/opening/answers.ts';
import { openSum } from '../../coordinator/opening/open.ts';
import { type OpeningParts, openRoundSum, type SumToOpen } from '../../coordinator/rounds/opening.ts';
import { createSimdOpener } from '../../engines/ring/open-simd.ts';
import type { AnswerMessage } from '../../protocol/messages/answer.ts';
import { decodeAnswer, encodeShare } from '../../protocol/secagg/shamir.ts';
import {
  admittedOf,
  entriesOf,
  partyOf,
  SILENT,
  steppedClock,
  type TranscriptInFolder,
  temporaryTranscript,
} from './coordinator-world.ts';
import { codeOf, ENGINES, honestAnswers, KERNEL, SEED, type SealedRound, sealRound, sumOf } from './secagg-fixtures.ts';

const [ROUND, HOLDERS, THRESHOLD, VALUES] = [3, 5, 3, 500];
const KEY_HOLDERS = Array.from({ length: HOLDERS }, (_, i) => partyOf(`key-holder ${i + 1}`));
const REGISTERED = KEY_HOLDERS.map(({ address }, i) => ({ address, index: i + 1, keyEpoch: 1, keyHash: undefined }));

let round: SealedRound;
let honest: readonly KeyHolderAnswer[];
let toOpen: SumToOpen;
let opener: OpeningParts['opener'];
beforeAll(async () => {
  const ring = await ENGINES[1].createRing();
  round = sealRound(ring, { dealers: 3, holders: HOLDERS, threshold: THRESHOLD, valueCount: VALUES });
  honest = honestAnswers(round);
  const { residues } = sumOf(ring, round);
  const uploads = round.dealers.map((dealer) => admittedOf(dealer, new TextEncoder().encode(dealer), 1, ROUND));
  const hash = uploads[0]?.payloadHash ?? '0x';
  const sum = { residues, aggregateHash: hash };
  toOpen = { round: ROUND, record: { seed: SEED }, set: { setHash: hash, uploads }, sum, fingerprints: new Map() };
  const engine = await createSimdOpener(KERNEL);
  opener = { open: (request) => openSum(engine, request) };
});

let store: TranscriptInFolder;
let asked: AnswerQuestion[];
beforeEach(async () => {
  store = await temporaryTranscript();
  asked = [];
});

/** @param comesAtMs by index: when each answers, from the start on; the false ones lie at a coefficient of their own */
function partsWith(comesAtMs: Readonly<Record<number, number>>, liars: readonly number[] = []): OpeningParts {
  const clock = steppedClock();
  const startedMs = clock.nowMs();
  const messageOf = ({ index, bytes }: KeyHolderAnswer): AnswerMessage => {
    const share = decodeAnswer(bytes);
    if (liars.includes(index)) share[index] = ((share[index] ?? 0) + 1) % 65_521;
    const keyHolder = KEY_HOLDERS[index - 1]?.address ?? '0x';
    const { set, sum } = toOpen;
    const about = { round: ROUND, setHash: set.setHash, aggregateHash: sum.aggregateHash };
    const signature = `0x${'51'.repeat(65)}` as const;
    return { v: 'concordat/1/answer', keyHolder, index, ...about, answer: encodeShare(share), signature };
  };
  return {
    keyHolders: REGISTERED,
    threshold: THRESHOLD,
    transcript: store.transcript,
    opener,
    packing: round.packing,
    valueCount: VALUES,
    clock,
    signal: new AbortController().signal,
    log: SILENT,
    ask: async (question) => {
      asked.push(question);
      return honest
        .filter(({ index }) => !question.skip.has(index) && clock.nowMs() - startedMs >= (comesAtMs[index] ?? Infinity))
        .map(messageOf);
    },
  };
}

const answered = () => entriesOf(store.transcript, 'answer').length;
const isExact = (values: Uint32Array): boolean => values.every((value, j) => value === round.truth[j]);

test('honest answers open the sum at once, and nobody is asked again', async () => {
  const opened = await openRoundSum(toOpen, partsWith({ 1: 0, 3: 0, 4: 0 }));
  expect([isExact(opened.values), opened.suspects, asked.length]).toEqual([true, [], 1]);
});

test('exactly as many as needed and one of them false: the next one tells, when it comes within fifteen seconds', async () => {
  const opened = await openRoundSum(toOpen, partsWith({ 1: 0, 2: 0, 3: 0, 4: 14_000 }, [2]));
  expect([isExact(opened.values), opened.suspects, answered()]).toEqual([true, [2], 4]);
  expect(entriesOf(store.transcript, 'opened')).toHaveLength(1);
});

test('two false ones of four contradict each other: the fifth tells', async () => {
  const opened = await openRoundSum(toOpen, partsWith({ 1: 0, 2: 0, 3: 0, 4: 0, 5: 9_000 }, [1, 4]));
  expect([isExact(opened.values), opened.suspects, answered()]).toEqual([true, [1, 4], 5]);
});

test('when nobody else answers it is decided after fifteen seconds', async () => {
  const parts = partsWith({ 1: 0, 2: 0, 3: 0, 4: 16_000 }, [2]);
  const startedMs = parts.clock.nowMs();
  expect(await codeOf(() => openRoundSum(toOpen, parts))).toBe('OPENING_NOISY');
  expect(parts.clock.nowMs() - startedMs).toBeLessThan(16_000);
  expect(asked.every(({ withinMs }, i) => i === 0 || withinMs <= 15_000)).toBe(true);
  expect(entriesOf(store.transcript, 'opened')).toEqual([]);
});

test('and at once when all have answered', async () => {
  const parts = partsWith({ 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 }, [1, 2, 3]);
  const startedMs = parts.clock.nowMs();
  expect(await codeOf(() => openRoundSum(toOpen, parts))).toBe('SHARES_INCONSISTENT');
  expect([parts.clock.nowMs() - startedMs, asked.length]).toEqual([0, 1]);
});

test('P7: killed in doubt, it goes on with the answers that are written down', async () => {
  const parts = partsWith({ 1: 0, 2: 0, 3: 0 }, [2]);
  expect(await codeOf(() => openRoundSum(toOpen, parts))).toBe('OPENING_NOISY');
  store = { ...store, transcript: await store.reopen() };
  asked = [];
  const opened = await openRoundSum(toOpen, partsWith({ 5: 0 }));
  expect([isExact(opened.values), opened.suspects]).toEqual([true, [2]]);
  expect(asked.map(({ skip }) => [...skip])).toEqual([[1, 2, 3]]);
});

test('too few in two minutes are too few', async () => {
  const parts = partsWith({ 1: 0, 2: 0, 3: 121_000 });
  expect(await codeOf(() => openRoundSum(toOpen, parts))).toBe('SHARES_INSUFFICIENT');
  const late = partsWith({ 1: 0, 2: 0, 3: 119_000 });
  expect(isExact((await openRoundSum(toOpen, late)).values)).toBe(true);
});
