// Thirty bits a residue: against the bit stream as BigInt spells it, and back.
import { expect, test } from 'vitest';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import {
  PACKED_BYTES_PER_BLOCK,
  PACKED_WORDS_PER_BLOCK,
  packResidues,
  unpackResidues,
} from '../../protocol/secagg/residue-bits.ts';
import { streamOf } from './secagg-fixtures.ts';
import { referenceBits } from './secagg-reference.ts';

function anyResidues(label: string, count: number): Uint32Array {
  const words = new Uint32Array(count);
  streamOf(label)(new Uint8Array(words.buffer));
  return words.map((word) => word >>> 2);
}

test('a block is 46,080 bytes, and a polynomial a third of it', () => {
  expect([PACKED_WORDS_PER_BLOCK, PACKED_BYTES_PER_BLOCK]).toEqual([11_520, 46_080]);
  expect(() => packResidues(new Uint32Array(RING_DEGREE), new Uint32Array(3_840))).not.toThrow();
});

const MOST = 2 ** 30 - 1;
/** Two groups of 16, zeros but for one residue of each: its lowest bit in the first, its highest in the second. */
const ends = (at: number): Uint32Array =>
  new Uint32Array(32).map((_, i) => (i === at ? 1 : i === 16 + at ? 2 ** 29 : 0));
const CASES: readonly (readonly [string, Uint32Array])[] = [
  ['random residues', anyResidues('bits', 2 * RING_DEGREE)],
  ['all bits set', new Uint32Array(48).fill(MOST)],
  ['every second residue', new Uint32Array(48).map((_, i) => (i % 2 ? MOST : 0))],
  // one bit alone, at either end of every residue of a group: a shift that is off by one moves or drops it
  ...Array.from({ length: 16 }, (_, at) => [`residue ${at} alone`, ends(at)] as const),
];
test.each(CASES)('%s: the stream is what BigInt spells, and gives them back', (_name, residues) => {
  const words = new Uint32Array((residues.length / 16) * 15).fill(0xffffffff);
  packResidues(residues, words);
  expect(words).toEqual(referenceBits(residues));
  const back = new Uint32Array(residues.length).fill(0xffffffff);
  unpackResidues(words, back);
  expect(back).toEqual(residues);
});

test('any words unpack to residues of 30 bits, and pack to the same words', () => {
  const words = new Uint32Array(PACKED_WORDS_PER_BLOCK);
  streamOf('words')(new Uint8Array(words.buffer));
  const residues = new Uint32Array(RESIDUES_PER_BLOCK);
  unpackResidues(words, residues);
  expect(residues.every((residue) => residue <= MOST)).toBe(true);
  const back = new Uint32Array(words.length);
  packResidues(residues, back);
  expect(back).toEqual(words);
});

test('what is no whole group, or of another size, is refused and nothing is written', () => {
  for (const [residues, words] of [
    [17, 15],
    [16, 16],
    [32, 15],
    [8, 7.5],
    [0, 15],
  ] as const) {
    const [from, to] = [new Uint32Array(residues).fill(7), new Uint32Array(Math.floor(words)).fill(9)];
    expect(() => packResidues(from, to)).toThrow(RangeError);
    expect(() => unpackResidues(to, from)).toThrow(RangeError);
    expect(from.every((x) => x === 7) && to.every((x) => x === 9)).toBe(true);
  }
});
