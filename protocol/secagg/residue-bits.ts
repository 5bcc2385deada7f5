// Residues as a payload carries them: 30 bits each, one little-endian bit stream a polynomial. 16 residues are 15 words.
import { SECAGG } from '../params.ts';
import { RESIDUES_PER_BLOCK } from './block.ts';

const RESIDUES = 16;
const WORDS = 15;
const MASK = 2 ** SECAGG.residueBits - 1;

/** A polynomial is a whole number of groups, so a block is too: three polynomials of 3,840 words. */
export const PACKED_WORDS_PER_BLOCK = (RESIDUES_PER_BLOCK / RESIDUES) * WORDS;
export const PACKED_BYTES_PER_BLOCK = 4 * PACKED_WORDS_PER_BLOCK;

/** A caller's mistake, not input: RangeError. */
function countGroups(residues: Uint32Array, words: Uint32Array): number {
  const groups = residues.length / RESIDUES;
  if (!Number.isInteger(groups) || words.length !== groups * WORDS) {
    throw new RangeError(`${words.length} words are not those of ${residues.length} residues`);
  }
  return groups;
}

/** Residue i is bits 30i … 30i + 29 of the words. @param residues each below 2^30: what lies above would run into the next */
export function packResidues(residues: Uint32Array, words: Uint32Array): void {
  const groups = countGroups(residues, words);
  // word k of a group holds what is left of residue k, and the low bits of the next; unrolled, no shift is computed
  for (let i = 0, from = 0, to = 0; i < groups; i++, from += RESIDUES, to += WORDS) {
    const r0 = residues[from] ?? 0;
    const r1 = residues[from + 1] ?? 0;
    const r2 = residues[from + 2] ?? 0;
    const r3 = residues[from + 3] ?? 0;
    const r4 = residues[from + 4] ?? 0;
    const r5 = residues[from + 5] ?? 0;
    const r6 = residues[from + 6] ?? 0;
    const r7 = residues[from + 7] ?? 0;
    const r8 = residues[from + 8] ?? 0;
    const r9 = residues[from + 9] ?? 0;
    const r10 = residues[from + 10] ?? 0;
    const r11 = residues[from + 11] ?? 0;
    const r12 = residues[from + 12] ?? 0;
    const r13 = residues[from + 13] ?? 0;
    const r14 = residues[from + 14] ?? 0;
    const r15 = residues[from + 15] ?? 0;
    words[to] = r0 | (r1 << 30);
    words[to + 1] = (r1 >>> 2) | (r2 << 28);
    words[to + 2] = (r2 >>> 4) | (r3 << 26);
    words[to + 3] = (r3 >>> 6) | (r4 << 24);
    words[to + 4] = (r4 >>> 8) | (r5 << 22);
    words[to + 5] = (r5 >>> 10) | (r6 << 20);
    words[to + 6] = (r6 >>> 12) | (r7 << 18);
    words[to + 7] = (r7 >>> 14) | (r8 << 16);
    words[to + 8] = (r8 >>> 16) | (r9 << 14);
    words[to + 9] = (r9 >>> 18) | (r10 << 12);
    words[to + 10] = (r10 >>> 20) | (r11 << 10);
    words[to + 11] = (r11 >>> 22) | (r12 << 8);
    words[to + 12] = (r12 >>> 24) | (r13 << 6);
    words[to + 13] = (r13 >>> 26) | (r14 << 4);
    words[to + 14] = (r14 >>> 28) | (r15 << 2);
  }
}

/** The same backwards, on any words; whether a residue is below its prime is the caller's to check. */
export function unpackResidues(words: Uint32Array, residues: Uint32Array): void {
  const groups = countGroups(residues, words);
  for (let i = 0, from = 0, to = 0; i < groups; i++, from += WORDS, to += RESIDUES) {
    const w0 = words[from] ?? 0;
    const w1 = words[from + 1] ?? 0;
    const w2 = words[from + 2] ?? 0;
    const w3 = words[from + 3] ?? 0;
    const w4 = words[from + 4] ?? 0;
    const w5 = words[from + 5] ?? 0;
    const w6 = words[from + 6] ?? 0;
    const w7 = words[from + 7] ?? 0;
    const w8 = words[from + 8] ?? 0;
    const w9 = words[from + 9] ?? 0;
    const w10 = words[from + 10] ?? 0;
    const w11 = words[from + 11] ?? 0;
    const w12 = words[from + 12] ?? 0;
    const w13 = words[from + 13] ?? 0;
    const w14 = words[from + 14] ?? 0;
    residues[to] = w0 & MASK;
    residues[to + 1] = ((w0 >>> 30) | (w1 << 2)) & MASK;
    residues[to + 2] = ((w1 >>> 28) | (w2 << 4)) & MASK;
    residues[to + 3] = ((w2 >>> 26) | (w3 << 6)) & MASK;
    residues[to + 4] = ((w3 >>> 24) | (w4 << 8)) & MASK;
    residues[to + 5] = ((w4 >>> 22) | (w5 << 10)) & MASK;
    residues[to + 6] = ((w5 >>> 20) | (w6 << 12)) & MASK;
    residues[to + 7] = ((w6 >>> 18) | (w7 << 14)) & MASK;
    residues[to + 8] = ((w7 >>> 16) | (w8 << 16)) & MASK;
    residues[to + 9] = ((w8 >>> 14) | (w9 << 18)) & MASK;
    residues[to + 10] = ((w9 >>> 12) | (w10 << 20)) & MASK;
    residues[to + 11] = ((w10 >>> 10) | (w11 << 22)) & MASK;
    residues[to + 12] = ((w11 >>> 8) | (w12 << 24)) & MASK;
    residues[to + 13] = ((w12 >>> 6) | (w13 << 26)) & MASK;
    residues[to + 14] = ((w13 >>> 4) | (w14 << 28)) & MASK;
    residues[to + 15] = w14 >>> 2;
  }
}
