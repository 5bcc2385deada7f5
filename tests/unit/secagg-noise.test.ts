// The residual-noise check: silent on honest noise, loud on everything else.
import { randomFillSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createNoiseMeter, type NoiseReport } from '../../protocol/secagg/noise.ts';
import { sampleCbd } from '../../protocol/secagg/sampling.ts';

/** Σ of `dealers` fresh errors, one block. */
function honest(dealers: number): Int32Array {
  const [bytes, one, sum] = [
    new Uint8Array(10 * RING_DEGREE),
    new Int32Array(RING_DEGREE),
    new Int32Array(RING_DEGREE),
  ];
  for (let d = 0; d < dealers; d++) {
    randomFillSync(bytes);
    sampleCbd(bytes, one);
    for (let i = 0; i < RING_DEGREE; i++) sum[i] = (sum[i] ?? 0) + (one[i] ?? 0);
  }
  return sum;
}

function judge(dealers: number, ...blocks: readonly Int32Array[]): NoiseReport {
  const meter = createNoiseMeter(dealers);
  for (const block of blocks) meter.add(block);
  return meter.report();
}

describe('[AGG-1] honest noise never alarms', () => {
  test.each([
    [1, 400],
    [2, 300],
    [3, 200],
    [10, 60],
    [64, 12],
    [1024, 1],
  ])('%i dealers, %i openings', (dealers, runs) => {
    const alarms = Array.from({ length: runs }, () => judge(dealers, honest(dealers))).filter((r) => !r.clean);
    expect(alarms).toEqual([]);
  });
  test('nor over many blocks', () => {
    expect(judge(3, ...Array.from({ length: 100 }, () => honest(3))).clean).toBe(true);
  });
});

describe('[AGG-1] other noise does', () => {
  test('no noise at all: an encryption without an error', () => {
    expect(judge(3, new Int32Array(RING_DEGREE)).clean).toBe(false);
  });
  test('one dealer more or fewer than the set says, in eight blocks of three or four dealers', () => {
    const blocks = (dealers: number): Int32Array[] => Array.from({ length: 8 }, () => honest(dealers));
    expect(judge(3, ...blocks(4)).clean).toBe(false);
    expect(judge(4, ...blocks(3)).clean).toBe(false);
  });
  test('a single coefficient far out', () => {
    const noise = honest(3);
    // 22,500 of the 56,500 that the sum of squares leaves room for: only the maximum sees it
    noise[77] = 150;
    expect(judge(3, noise).clean).toBe(false);
  });
  test('uniform noise, even at 1,024 dealers, is far above what is allowed', () => {
    const words = new Uint16Array(RING_DEGREE);
    randomFillSync(words);
    const uniform = Int32Array.from(words, (word) => (word % 4096) - 2048);
    expect(judge(1024, uniform).clean).toBe(false);
  });
  test('no samples are no evidence', () => {
    expect(judge(3).clean).toBe(false);
  });
  test('the allowance stays below what decoding can hold', () => {
    const meter = createNoiseMeter(1024);
    for (let block = 0; block < 800; block++) meter.add(new Int32Array(RING_DEGREE));
    expect(meter.report().maxAbsAllowed).toBeLessThan(2048);
  });
});
