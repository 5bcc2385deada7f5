// Opening a sum under attack: too few, wrong, lying answers; altered payloads; colluding key-holders.
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeyHolderAnswer } from '../../coordinator/opening/answers.ts';
import { type OpenRequest, openSum } from '../../coordinator/opening/open.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { lagrangeWeights } from '../../protocol/secagg/field.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { PACKING_NAMES, type PackingName } from '../../protocol/secagg/packing.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { decodeAnswer, encodeShare } from '../../protocol/secagg/shamir.ts';
import { codeOf, ENGINES, honestAnswers, SEED, type SealedRound, sealRound, sumOf } from '../unit/secagg-fixtures.ts';

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
  });

  function setUp(
    holders: number,
    threshold: number,
    dealers = 4,
    valueCount = 15_000,
    packing?: [PackingName, number],
  ) {
    const [name = '3x26', valueBits = 16] = packing ?? [];
    const round = sealRound(ring, { dealers, holders, threshold, valueCount, packing: name, valueBits });
    const { residues: aggregate } = sumOf(ring, round);
    const answers = honestAnswers(round);
    const request: OpenRequest = {
      seed: SEED,
      packing: round.packing,
      aggregate,
      dealers,
      valueCount,
      threshold,
      answers,
    };
    return { round, answers, request };
  }

  const exact = (round: SealedRound, values: Uint32Array): boolean =>
    values.every((value, j) => value === round.truth[j]);

  /** Adds to some coefficients of one key-holder's answer. */
  const lie = (
    answers: readonly KeyHolderAnswer[],
    index: number,
    amount = 1,
    coefficients = [11],
  ): KeyHolderAnswer[] =>
    answers.map((answer) => {
      if (answer.index !== index) return answer;
      const share = decodeAnswer(answer.bytes);
      for (const c of coefficients) share[c] = ((share[c] ?? 0) + amount) % 65_521;
      return { index, bytes: encodeShare(share) };
    });

  test('P2 every threshold-sized choice of answers opens the sum exactly', () => {
    const { round, answers, request } = setUp(5, 4);
    for (const leftOut of answers) {
      const opened = openSum(opener, { ...request, answers: answers.filter((answer) => answer !== leftOut) });
      expect(exact(round, opened.values)).toBe(true);
      expect(opened).toMatchObject({ suspects: [], noise: { clean: true } });
      expect(opened.usedKeyHolders).not.toContain(leftOut.index);
    }
  });

  test.each(PACKING_NAMES.map((name, i): [PackingName, number] => [name, [16, 16, 12][i] ?? 12]))(
    'packing %s of %i-bit values opens exactly, and a false answer is found in it',
    (name, valueBits) => {
      const { round, answers, request } = setUp(5, 3, 4, 30_000, [name, valueBits]);
      const opened = openSum(opener, { ...request, answers: lie(answers, 2) });
      expect([exact(round, opened.values), opened.suspects]).toEqual([true, [2]]);
    },
  );

  test('a sum of more dealers than the packing holds is not read', async () => {
    const { request } = setUp(3, 2, 3, 500, ['5x15', 13]);
    expect(await codeOf(() => openSum(opener, { ...request, dealers: 5 }))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('P2 t-1 answers are refused, and forced through they open nothing', async () => {
    const { round, answers, request } = setUp(5, 4);
    expect(await codeOf(() => openSum(opener, { ...request, answers: answers.slice(0, 3) }))).toBe(
      'SHARES_INSUFFICIENT',
    );
    const forced = { ...request, answers: answers.slice(0, 3), threshold: 3 };
    expect(await codeOf(() => openSum(opener, forced))).toBe('OPENING_NOISY');
    const values = new Uint32Array(request.aggregate.length);
    const secretSum = new Int32Array(4096).fill(3);
    opener.open({
      seed: new Uint8Array(32),
      secretSum,
      packing: request.packing,
      aggregate: request.aggregate,
      values,
      onNoise: () => {},
    });
    expect(values.filter((value, j) => value === round.truth[j]).length).toBeLessThan(3);
  });

  test('P2 a subset of the dealers cannot be opened with the answers for the set', async () => {
    const { round, request } = setUp(5, 4);
    const smaller = sumOf(ring, { ...round, updates: round.updates.slice(1) });
    expect(await codeOf(() => openSum(opener, { ...request, aggregate: smaller.residues }))).toBe('OPENING_NOISY');
    const single = sumOf(ring, { ...round, updates: round.updates.slice(0, 1) });
    const alone = { ...request, aggregate: single.residues, dealers: 1 };
    expect(await codeOf(() => openSum(opener, alone))).toBe('OPENING_NOISY');
  });

  test('[AGG-1] a residue changed under one prime, or a block of zeros, is noticed', async () => {
    const { request } = setUp(3, 2);
    const alterations: ((residues: Uint32Array) => void)[] = [
      (residues) => residues.fill(0, RESIDUES_PER_BLOCK),
      (residues) => {
        for (let i = 0; i < 8; i++) residues[i] = ((residues[i] ?? 0) + 12_345_678) % PRIMES[0];
      },
    ];
    for (const alter of alterations) {
      const aggregate = request.aggregate.slice();
      alter(aggregate);
      expect(await codeOf(() => openSum(opener, { ...request, aggregate }))).toBe('OPENING_NOISY');
    }
  });

  test('the wrong seed opens nothing', async () => {
    const { request } = setUp(3, 2);
    expect(await codeOf(() => openSum(opener, { ...request, seed: `0x${'11'.repeat(32)}` }))).toBe('OPENING_NOISY');
  });

  test.each([
    [5, 3],
    [5, 4],
    [4, 3],
    [7, 4],
  ])('n=%i, t=%i: whichever key-holder lies is named, and the sum opens', (n, t) => {
    const { round, answers, request } = setUp(n, t, 3, 500);
    for (let index = 1; index <= n; index++) {
      const opened = openSum(opener, { ...request, answers: lie(answers, index) });
      expect(opened.suspects).toEqual([index]);
      expect(opened.usedKeyHolders).not.toContain(index);
      expect(exact(round, opened.values)).toBe(true);
    }
  });

  test('liars that outvote the arithmetic are found by the trial opening', () => {
    const { round, answers, request } = setUp(5, 3, 3, 500);
    // +1 at 2 and 3 makes 5 look like the liar to Reed-Solomon decoding
    const opened = openSum(opener, { ...request, answers: lie(lie(answers, 2), 3) });
    expect(opened.suspects).toEqual([2, 3]);
    expect(exact(round, opened.values)).toBe(true);
  });

  test('two liars with t=3 of 5 on one false polynomial through two honest answers are found out', () => {
    const { answers, request } = setUp(5, 3, 3, 500);
    // the coalition 4, 5 saw the answers of 1 and 2: it answers so that {1, 2, 4, 5} agree and 3 stands out
    const weights = lagrangeWeights([1, 2, 4], 5);
    const forged = lie(answers, 4, 777);
    const [one, two, four] = [0, 1, 3].map((i) => decodeAnswer(forged[i]?.bytes ?? new Uint8Array()));
    const five = Uint16Array.from({ length: 4096 }, (_, c) =>
      [one, two, four].reduce((sum, share, k) => (sum + (weights[k] ?? 0) * (share?.[c] ?? 0)) % 65_521, 0),
    );
    const final = forged.map((answer) => (answer.index === 5 ? { index: 5, bytes: encodeShare(five) } : answer));
    expect(openSum(opener, { ...request, answers: final }).suspects).toEqual([4, 5]);
  });

  test('with exactly t answers a liar cannot be named, but nothing false comes out', async () => {
    const { answers, request } = setUp(5, 4, 3, 500);
    expect(await codeOf(() => openSum(opener, { ...request, answers: lie(answers, 2).slice(0, 4) }))).toBe(
      'OPENING_NOISY',
    );
  });

  test('when fewer than t are honest, the answers are called inconsistent', async () => {
    const { answers, request } = setUp(5, 4, 3, 500);
    const two = lie(lie(answers, 1), 2, 5);
    expect(await codeOf(() => openSum(opener, { ...request, answers: two }))).toBe('SHARES_INCONSISTENT');
  });

  test('malformed answers count as none and are named', () => {
    const { answers, request } = setUp(4, 3, 3, 500);
    const broken = answers.map((a) => (a.index === 2 ? { index: 2, bytes: a.bytes.subarray(1) } : a));
    expect(openSum(opener, { ...request, answers: broken }).suspects).toEqual([2]);
    const few = broken.slice(0, 3);
    expect(() => openSum(opener, { ...request, answers: few })).toThrow(ConcordatError);
    expect(() => openSum(opener, { ...request, answers: few })).toThrow(/SHARES_INSUFFICIENT: 2 answers, 3 needed/);
  });

  test('a key-holder twice, an impossible index or shape is refused', async () => {
    const { answers, request } = setUp(3, 2, 3, 500);
    const twice = [...answers, ...answers.slice(0, 1)];
    expect(await codeOf(() => openSum(opener, { ...request, answers: twice }))).toBe('MESSAGE_MALFORMED');
    for (const index of [0, 33, 1.5]) {
      const odd = [...answers.slice(1), { index, bytes: new Uint8Array(8192) }];
      expect(await codeOf(() => openSum(opener, { ...request, answers: odd }))).toBe('MESSAGE_MALFORMED');
    }
    expect(await codeOf(() => openSum(opener, { ...request, valueCount: 12_289 }))).toBe('PAYLOAD_MALFORMED');
    expect(await codeOf(() => openSum(opener, { ...request, dealers: 0 }))).toBe('VALUE_OUT_OF_RANGE');
  });

  test('answers of all zeros reach no engine that cannot take them', async () => {
    const { request } = setUp(3, 2, 3, 500);
    const zeros = [1, 2, 3].map((index) => ({ index, bytes: new Uint8Array(8192) }));
    expect(await codeOf(() => openSum(opener, { ...request, answers: zeros }))).toBe('OPENING_NOISY');
  });

  test('a dealer that packed into the padding is noticed', async () => {
    const { request } = setUp(3, 2, 3, 500);
    expect(await codeOf(() => openSum(opener, { ...request, valueCount: 499 }))).toBe('VALUE_OUT_OF_RANGE');
  });
});
