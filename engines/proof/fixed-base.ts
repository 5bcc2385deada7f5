// Many multiples of one generator: a table of window multiples, then one mixed addition a window.
import { type Bn254, G1_BYTES, G2_BYTES } from './bn254.ts';
import { SCALAR_BYTES, writeScalar } from './scalar-bytes.ts';

const SCALAR_BITS = 254;
/** Points in memory at a time: bounds the working set, changes nothing else. */
const CHUNK = 1 << 12;

export interface FixedBase {
  /** scalars · generator as affine Montgomery points, one after the other; 0 gives the all-zero encoding. */
  multiples(scalars: readonly bigint[]): Uint8Array;
}

/**
 * Table for the standard generator of G1 or G2. `windowBits` trades table size against additions (12 is good for tens of
 * thousands of scalars in G1, 9 in G2, where points are dearer and fewer).
 */
export function createFixedBase(bn254: Bn254, group: 'g1m' | 'g2m', windowBits: number): FixedBase {
  const { fn } = bn254;
  const size = group === 'g1m' ? G1_BYTES : G2_BYTES;
  const windows = Math.ceil(SCALAR_BITS / windowBits);
  const perWindow = 1 << windowBits;
  const addMixed = fn[`${group}_addMixed`];
  const zero = fn[`${group}_zero`];
  const toAffine = fn[`${group}_batchToAffine`];

  const table = bn254.alloc(windows * perWindow * size.affine);
  const scratch = bn254.mark();
  const base = bn254.alloc(size.affine);
  const row = bn254.alloc((perWindow + 1) * size.jacobian);
  writeGenerator(bn254, group, base);
  for (let window = 0; window < windows; window++) {
    zero(row);
    for (let i = 1; i <= perWindow; i++) addMixed(row + (i - 1) * size.jacobian, base, row + i * size.jacobian);
    toAffine(row, perWindow, table + window * perWindow * size.affine);
    fn[`${group}_toAffine`](row + perWindow * size.jacobian, base);
  }
  bn254.release(scratch);

  return {
    multiples(scalars) {
      const out = new Uint8Array(scalars.length * size.affine);
      const digits = new DataView(new ArrayBuffer(SCALAR_BYTES + 4));
      const start = bn254.mark();
      const sums = bn254.alloc(CHUNK * size.jacobian);
      const affine = bn254.alloc(CHUNK * size.affine);
      for (let first = 0; first < scalars.length; first += CHUNK) {
        const chunk = scalars.slice(first, first + CHUNK);
        for (const [i, scalar] of chunk.entries()) {
          writeScalar(digits, 0, scalar);
          const sum = sums + i * size.jacobian;
          zero(sum);
          for (let window = 0; window < windows; window++) {
            const bit = window * windowBits;
            const digit = (digits.getUint32(bit >> 3, true) >>> (bit & 7)) & (perWindow - 1);
            if (digit !== 0) addMixed(sum, table + (window * perWindow + digit) * size.affine, sum);
          }
        }
        toAffine(sums, chunk.length, affine);
        out.set(bn254.view(affine, chunk.length * size.affine), first * size.affine);
      }
      bn254.release(start);
      return out;
    },
  };
}

// EIP-197: the generators of the precompiles. G2 coordinates as (real, imaginary).
const G1_GENERATOR = [1n, 2n];
const G2_GENERATOR = [
  10857046999023057135944570762232829481370756359578518086990519993285655852781n,
  11559732032986387107991004021392285783925812861821192530917403151452391805634n,
  8495653923123431417604973247489272438418190587263600148770280649306958101930n,
  4082367875863433681332203403145435568316851327593401208105741076214120093531n,
];

function writeGenerator(bn254: Bn254, group: 'g1m' | 'g2m', out: number): void {
  const coordinates = group === 'g1m' ? G1_GENERATOR : G2_GENERATOR;
  const bytes = new DataView(new ArrayBuffer(coordinates.length * SCALAR_BYTES));
  for (const [i, coordinate] of coordinates.entries()) writeScalar(bytes, i * SCALAR_BYTES, coordinate);
  bn254.write(out, new Uint8Array(bytes.buffer));
  bn254.fn[`${group}_toMontgomeryAffine`](out, out);
}
