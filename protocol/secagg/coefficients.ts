// Between residues and integers: message and error into a block, slot sums and error out of it. Exact, without BigInt.
import { SECAGG } from '../params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';
import type { Packing } from './packing.ts';

/** A message of 78 bits is three limbs, whatever slots it is cut into; a slot is no wider than a limb. */
const LIMB_BITS = SECAGG.plaintextBits / 3;
const LIMB = 2 ** LIMB_BITS;
const [P1, P2, P3] = PRIMES;
const B1 = BigInt(P1);
const B12 = B1 * BigInt(P2);
const Q = B12 * BigInt(P3);

/** a·b mod p for a, b < p < 2^30: the quotient from floats is off by at most one, the low 32 bits are exact. */
export function mulMod(a: number, b: number, p: number): number {
  const r = (Math.imul(a, b) - Math.imul(Math.floor((a * b) / p), p)) | 0;
  return r < 0 ? r + p : r >= p ? r - p : r;
}

/** x mod p for |x| < 2^52; the float quotient is off by at most one. */
function reduce(x: number, p: number): number {
  const r = x - Math.floor(x / p) * p;
  return r < 0 ? r + p : r >= p ? r - p : r;
}

/** Small signed integers (|x| < p) as residues mod p. */
export function toResidues(small: Int32Array, p: number, out: Uint32Array): void {
  for (let i = 0; i < small.length; i++) {
    const x = small[i] ?? 0;
    out[i] = x < 0 ? x + p : x;
  }
}

/** x + p where x < 0, for |x| < 2^31: by the sign bit, because a branch on a random residue is mispredicted half the time. */
export const lift = (x: number, p: number): number => x + (p & (x >> 31));

/** acc += block, residue by residue, mod each prime. Whole blocks; both inputs already below their primes. */
export function addResidues(acc: Uint32Array, block: Uint32Array): void {
  if (acc.length !== block.length || acc.length % RESIDUES_PER_BLOCK !== 0) {
    throw new RangeError(`cannot add ${block.length} residues to ${acc.length}`);
  }
  for (let at = 0; at < acc.length; at += RING_DEGREE) {
    const p = PRIMES[(at / RING_DEGREE) % PRIMES.length] ?? 0;
    for (let i = at; i < at + RING_DEGREE; i++) {
      acc[i] = lift((acc[i] ?? 0) + (block[i] ?? 0) - p, p);
    }
  }
}

/** 2^bits mod p. */
const powerOfTwo = (bits: number, p: number): number => Number(2n ** BigInt(bits) % BigInt(p));

/**
 * c = product + 2^78·e + Σ v_i·2^(slotBits·i) mod each prime.
 * @param product a·s, one block, coefficient order
 * @param error N samples of the error, |e| ≤ 40
 * @param values slots·N values of at most 16 bits: with five slots every intermediate stays below 2^49
 * @param out one block; may be `product`
 */
export function embed(
  product: Uint32Array,
  error: Int32Array,
  values: Uint16Array,
  { slots, slotBits }: Packing,
  out: Uint32Array,
): void {
  PRIMES.forEach((p, j) => {
    const weights = Float64Array.from({ length: slots }, (_, slot) => powerOfTwo(slotBits * slot, p));
    const errorWeight = powerOfTwo(SECAGG.plaintextBits, p);
    for (let i = 0, at = j * RING_DEGREE, from = 0; i < RING_DEGREE; i++, at++) {
      let x = (product[at] ?? 0) + (error[i] ?? 0) * errorWeight;
      for (let slot = 0; slot < slots; slot++, from++) x += (values[from] ?? 0) * (weights[slot] ?? 0);
      out[at] = reduce(x, p);
    }
  });
}

function inverse(a: bigint, p: number): number {
  const modulus = BigInt(p);
  let result = 1n;
  for (let base = a % modulus, e = modulus - 2n; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * base) % modulus;
    base = (base * base) % modulus;
  }
  return Number(result);
}

/** Four 26-bit limbs, least significant first. */
function limbs(x: bigint): [number, number, number, number] {
  const limb = (i: number): number => Number(BigInt.asUintN(LIMB_BITS, x >> BigInt(LIMB_BITS * i)));
  return [limb(0), limb(1), limb(2), limb(3)];
}

// Garner: X = r1 + p1·y2 + p1·p2·y3; the digits are split at 15 bits so that limb × half-digit stays below 2^41
const INVERSE_1_MOD_2 = inverse(B1, P2);
const INVERSE_12_MOD_3 = inverse(B12, P3);
const P1_MOD_3 = P1 % P3;
const W2 = limbs(B1);
const W2_HIGH = limbs(B1 << 15n);
const W3 = limbs(B12);
const W3_HIGH = limbs(B12 << 15n);
const Q_LIMBS = limbs(Q);
const HALF = (Q - 1n) / 2n;
const HALF_1 = Number(HALF % B1);
const HALF_2 = Number((HALF / B1) % BigInt(P2));
const HALF_3 = Number(HALF / B12);

/**
 * X = centre(x mod q); slots of M = X mod 2^78, and E = (X − M)/2^78. The last slot takes all that is left of M,
 * so that a sum which ran out of it is seen.
 * @param block x mod each prime, one block
 * @param values receives slots·N slot sums: below 2^slotBits, the last of a coefficient below 2^26, 2^21 or 2^18
 * @param error receives N integers in [-2048, 2047]
 */
export function extract(block: Uint32Array, packing: Packing, values: Uint32Array, error: Int32Array): void {
  const digits = new Uint32Array(4);
  const cut = createCut(packing);
  for (let i = 0; i < RING_DEGREE; i++) {
    const r1 = block[i] ?? 0;
    const r2 = block[RING_DEGREE + i] ?? 0;
    const r3 = block[2 * RING_DEGREE + i] ?? 0;
    // p1 < p2 < p3, so r1 and y2 are residues of the larger primes too
    const y2 = mulMod(lift(r2 - r1, P2), INVERSE_1_MOD_2, P2);
    const low = lift(r1 + mulMod(y2, P1_MOD_3, P3) - P3, P3);
    const y3 = mulMod(lift(r3 - low, P3), INVERSE_12_MOD_3, P3);
    const negative = y3 > HALF_3 || (y3 === HALF_3 && (y2 > HALF_2 || (y2 === HALF_2 && r1 > HALF_1))) ? 1 : 0;
    const [l2, h2, l3, h3] = [y2 & 0x7fff, y2 >>> 15, y3 & 0x7fff, y3 >>> 15];
    let carry = r1;
    for (let limb = 0; limb < 3; limb++) {
      carry += limbSum(limb, l2, h2, l3, h3, negative);
      const next = Math.floor(carry / LIMB);
      digits[limb] = carry - next * LIMB;
      carry = next;
    }
    error[i] = carry + limbSum(3, l2, h2, l3, h3, negative);
    cut(digits, values, i);
  }
}

function limbSum(limb: number, l2: number, h2: number, l3: number, h3: number, negative: number): number {
  return (
    l2 * (W2[limb] ?? 0) +
    h2 * (W2_HIGH[limb] ?? 0) +
    l3 * (W3[limb] ?? 0) +
    h3 * (W3_HIGH[limb] ?? 0) -
    negative * (Q_LIMBS[limb] ?? 0)
  );
}

/** Three limbs, and a fourth of zero, become the slots of coefficient i: a slot lies in one limb or in two neighbours. */
function createCut({ slots, slotBits }: Packing): (digits: Uint32Array, values: Uint32Array, i: number) => void {
  const last = slots - 1;
  const mask = 2 ** slotBits - 1;
  const lastMask = 2 ** (SECAGG.plaintextBits - slotBits * last) - 1;
  return (digits, values, i) => {
    for (let slot = 0, bit = 0; slot < slots; slot++, bit += slotBits) {
      const limb = Math.floor(bit / LIMB_BITS);
      const shift = bit - limb * LIMB_BITS;
      // bits that a shift pushes beyond 32 lie beyond the mask as well
      const word = ((digits[limb] ?? 0) >>> shift) | ((digits[limb + 1] ?? 0) << (LIMB_BITS - shift));
      values[slots * i + slot] = word & (slot === last ? lastMask : mask);
    }
  };
}
