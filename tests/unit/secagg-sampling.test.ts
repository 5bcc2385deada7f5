// Random bytes to small errors, and a seed to public polynomials.
import { expect, test } from 'vitest';
import { nodeShake128 } from '../../kit/shake.ts';
import { PRIMES, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { expandA, nobleShake128, type Xof } from '../../protocol/secagg/public-a.ts';
import { CBD_BYTES, CBD_VARIANCE, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { streamOf } from './secagg-fixtures.ts';

test('a sample is ones of the first five bytes minus ones of the last five', () => {
  const bytes = Uint8Array.of(
    ...[255, 255, 255, 255, 255, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 255, 255, 255, 255, 255],
    ...[1, 2, 4, 8, 0x81, 0, 0, 0, 0, 0],
    ...[0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0x55, 0x55, 0x55, 0x55, 0x57],
  );
  const out = new Int32Array(4);
  sampleCbd(bytes, out);
  expect([...out]).toEqual([40, -40, 6, -1]);
  expect(() => sampleCbd(bytes.subarray(1), out)).toThrow(RangeError);
});

test('mean and variance are those of 40 trials', () => {
  const count = 200_000;
  const [bytes, out] = [new Uint8Array(CBD_BYTES * count), new Int32Array(count)];
  streamOf('cbd')(bytes);
  sampleCbd(bytes, out);
  const mean = out.reduce((a, x) => a + x, 0) / count;
  const variance = out.reduce((a, x) => a + x * x, 0) / count;
  // five standard errors
  expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(CBD_VARIANCE / count));
  expect(Math.abs(variance / CBD_VARIANCE - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
});

const seed = new Uint8Array(32).fill(9);

test('OpenSSL and the pure SHAKE128 expand the same polynomials, all below their primes', () => {
  for (const block of [0, 1, 81, 2 ** 32 - 1]) {
    const a = expandA(seed, block, nodeShake128);
    expect(a).toEqual(expandA(seed, block, nobleShake128));
    expect(a.every((x, i) => x < (PRIMES[Math.floor(i / RING_DEGREE)] ?? 0))).toBe(true);
  }
});

test('blocks, primes and seeds do not share polynomials', () => {
  const first = (a: Uint32Array): string => [0, 1, 2].map((j) => a[j * RING_DEGREE]).join();
  const other = Uint8Array.from(seed, (byte, i) => (i === 31 ? byte ^ 1 : byte));
  const seen = [expandA(seed, 0), expandA(seed, 1), expandA(seed, 256), expandA(other, 0)].map(first);
  expect(new Set(seen).size).toBe(4);
  expect(() => expandA(new Uint8Array(31), 0)).toThrow(RangeError);
  expect(() => expandA(seed, 2 ** 32)).toThrow(RangeError);
});

test('words at or above the prime are skipped, also when the stream has to be extended', () => {
  // every second word is all ones (2^30-1 after masking, above every prime), so 4,128 words give only 2,064
  const halfUseless: Xof = (_input, length) => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let w = 0; w < length / 4; w++) view.setUint32(4 * w, w % 2 === 0 ? 0xffff_ffff : w, true);
    return bytes;
  };
  const a = expandA(seed, 0, halfUseless);
  expect([...a.subarray(0, 3)]).toEqual([1, 3, 5]);
  expect(a[RING_DEGREE - 1]).toBe(2 * RING_DEGREE - 1);
});
