// Shamir sharing of the one-time secret, coefficient by coefficient, and its reconstruction from any t answers.
import { ConcordatError } from '../errors.ts';
import { LIMITS, SECAGG } from '../params.ts';
import { type FillRandom, RING_DEGREE } from './block.ts';
import { lagrangeWeights, SHARE_PRIME } from './field.ts';

/** Residues mod 65521: one share (SHARE_LENGTH of them), or a key-holder's sum over a set (N, without the masks). */
export type ShareVector = Uint16Array;

/** A share is N residues of the secret and then a few of random masks, which only the test of consistency uses. */
export const SHARE_LENGTH = RING_DEGREE + SECAGG.shareMasks;

/** A share of key-holder `index` (1-based, in the order of registration): the polynomial at x = index. */
export interface IndexedShare {
  readonly index: number;
  readonly share: ShareVector;
}

export const SHARE_BYTES = 2 * SHARE_LENGTH;
/** What a key-holder answers: the sum over a set. */
export const ANSWER_BYTES = 2 * RING_DEGREE;

/** @throws ConcordatError VALUE_OUT_OF_RANGE unless 1 ≤ threshold ≤ holders ≤ 32 */
export function checkThreshold(holders: number, threshold: number): void {
  const whole = Number.isInteger(holders) && Number.isInteger(threshold);
  if (!whole || threshold < 1 || threshold > holders || holders > LIMITS.maxKeyHolders) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `threshold ${threshold} of ${holders} key-holders`, {
      holders,
      threshold,
    });
  }
}

/** Uniform residues by rejection: a 16-bit word is refused in 15 of 65,536 cases. */
function uniformVector(length: number, fillRandom: FillRandom): Uint16Array {
  const out = new Uint16Array(length);
  const pool = new Uint16Array(length);
  for (let taken = 0; taken < length; ) {
    const words = pool.subarray(taken);
    fillRandom(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    for (const word of words) if (word < SHARE_PRIME) out[taken++] = word;
  }
  pool.fill(0);
  return out;
}

/**
 * Shares for key-holders 1..holders: per coefficient, a fresh random polynomial of degree threshold−1 with the secret at 0;
 * then the same for each mask, with a random value at 0. Fewer than `threshold` shares are independent of the secret.
 * @param secret N signed integers, |s| < 65521
 */
export function shareSecret(
  secret: Int32Array,
  holders: number,
  threshold: number,
  fillRandom: FillRandom,
): ShareVector[] {
  checkThreshold(holders, threshold);
  const masks = uniformVector(SECAGG.shareMasks, fillRandom);
  const coefficients = Array.from({ length: threshold - 1 }, () => uniformVector(SHARE_LENGTH, fillRandom));
  const shares = Array.from({ length: holders }, (_, i) => {
    const x = i + 1;
    const share = new Uint16Array(SHARE_LENGTH);
    for (let c = 0; c < SHARE_LENGTH; c++) {
      let y = 0;
      for (let k = coefficients.length - 1; k >= 0; k--) y = ((y + (coefficients[k]?.[c] ?? 0)) * x) % SHARE_PRIME;
      const s = c < RING_DEGREE ? (secret[c] ?? 0) : (masks[c - RING_DEGREE] ?? 0);
      share[c] = (y + (s < 0 ? s + SHARE_PRIME : s)) % SHARE_PRIME;
    }
    return share;
  });
  for (const vector of [masks, ...coefficients]) vector.fill(0);
  return shares;
}

/** acc += share, mod 65521, over the N residues of the secret: what a key-holder does over the set. */
export function addShares(acc: ShareVector, share: ShareVector): void {
  for (let i = 0; i < RING_DEGREE; i++) {
    const sum = (acc[i] ?? 0) + (share[i] ?? 0);
    acc[i] = sum >= SHARE_PRIME ? sum - SHARE_PRIME : sum;
  }
}

/**
 * The polynomial's value at 0, centred into [-32760, 32760]. A sum of secrets of n ≤ 819 dealers always fits
 * (40·n); above that, 32,760 is still over 228 standard deviations at 1,024 dealers.
 * @param shares exactly as many as the threshold, of distinct key-holders
 */
export function reconstruct(shares: readonly IndexedShare[]): Int32Array {
  const weights = lagrangeWeights(
    shares.map((s) => s.index),
    0,
  );
  const out = new Int32Array(RING_DEGREE);
  for (let c = 0; c < RING_DEGREE; c++) {
    let y = 0;
    for (let k = 0; k < shares.length; k++) y = (y + (weights[k] ?? 0) * (shares[k]?.share[c] ?? 0)) % SHARE_PRIME;
    out[c] = y > SHARE_PRIME / 2 ? y - SHARE_PRIME : y;
  }
  return out;
}

/** uint16, little-endian: a share or an answer. */
export function encodeShare(share: ShareVector): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * share.length);
  const view = new DataView(bytes.buffer);
  share.forEach((word, i) => {
    view.setUint16(2 * i, word, true);
  });
  return bytes;
}

/** One dealer's share. @throws ConcordatError MESSAGE_MALFORMED unless it is SHARE_LENGTH residues below 65521 */
export const decodeShare = (bytes: Uint8Array): ShareVector => decodeResidues(bytes, SHARE_LENGTH, 'a share');

/** A key-holder's sum over a set. @throws ConcordatError MESSAGE_MALFORMED unless it is N residues below 65521 */
export const decodeAnswer = (bytes: Uint8Array): ShareVector => decodeResidues(bytes, RING_DEGREE, 'an answer');

function decodeResidues(bytes: Uint8Array, length: number, what: string): ShareVector {
  if (bytes.length !== 2 * length) {
    throw new ConcordatError('MESSAGE_MALFORMED', `${what} has ${2 * length} bytes, not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const residues = new Uint16Array(length);
  for (let i = 0; i < length; i++) {
    const word = view.getUint16(2 * i, true);
    if (word >= SHARE_PRIME) {
      throw new ConcordatError('MESSAGE_MALFORMED', `residue ${i} of ${what} is not below ${SHARE_PRIME}`);
    }
    residues[i] = word;
  }
  return residues;
}
