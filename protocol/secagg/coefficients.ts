// Between residues and integers: message and error into a block, slot sums and error out of it. Exact, without BigInt.
import { SECAGG } from '../params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from './block.ts';

const SLOT = 2 ** SECAGG.slotBits;
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

/** acc += block, residue by residue, mod each prime. Whole blocks; both inputs already below their primes. */
export function addResidues(acc: Uint32Array, block: Uint32Array): void {
  if (acc.length !== block.length || acc.length % RESIDUES_PER_BLOCK !== 0) {
    throw new RangeError(`cannot add ${block.length} residues to ${acc.length}`);
  }
  for (let at = 0; at < acc.length; at += RING_DEGREE) {
    const p = PRIMES[(at / RING_DEGREE) % PRIMES.length] ?? 0;
    for (let i = at; i < at + RING_DEGREE; i++) {
      const sum = (acc[i] ?? 0) + (block[i] ?? 0);
      acc[i] = sum >= p ? sum - p : sum;
    }
  }
}

/**
 * c = product + 2^78·e + v0 + v1·2^26 + v2·2^52 mod each prime.
 * @param product a·s, one block, coefficient order
 * @param error N samples of the error, |e| ≤ 40
 * @param values 3·N values of at most 16 bits: every intermediate stays below 2^47
 * @param out one block; may be `product`
 */
export function embed(product: Uint32Array, error: Int32Array, values: Uint16Array, out: Uint32Array): void {
  PRIMES.forEach((p, j) => {
    const shift52 = Number(2n ** 52n % BigInt(p));
    const shift78 = Number(2n ** 78n % BigInt(p));
    for (let i = 0, at = j * RING_DEGREE; i < RING_DEGREE; i++, at++) {
      const message = (values[3 * i] ?? 0) + (values[3 * i + 1] ?? 0) * SLOT + (values[3 * i + 2] ?? 0) * shift52;
      out[at] = reduce((product[at] ?? 0) + message + (error[i] ?? 0) * shift78, p);
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
  const limb = (i: bigint): number => Number((x >> (26n * i)) & 0x3ffffffn);
  return [limb(0n), limb(1n), limb(2n), limb(3n)];
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
 * X = centre(x mod q); slots of M = X mod 2^78 (three 26-bit limbs) and E = (X − M)/2^78.
 * @param block x mod each prime, one block
 * @param values receives 3·N slot sums, below 2^26
 * @param error receives N integers in [-2048, 2047]
 */
export function extract(block: Uint32Array, values: Uint32Array, error: Int32Array): void {
  for (let i = 0; i < RING_DEGREE; i++) {
    const r1 = block[i] ?? 0;
    const r2 = block[RING_DEGREE + i] ?? 0;
    const r3 = block[2 * RING_DEGREE + i] ?? 0;
    // p1 < p2 < p3, so r1 and y2 are residues of the larger primes too
    const y2 = mulMod(r2 >= r1 ? r2 - r1 : r2 - r1 + P2, INVERSE_1_MOD_2, P2);
    const low = (r1 + mulMod(y2, P1_MOD_3, P3)) % P3;
    const y3 = mulMod(r3 >= low ? r3 - low : r3 - low + P3, INVERSE_12_MOD_3, P3);
    const negative = y3 > HALF_3 || (y3 === HALF_3 && (y2 > HALF_2 || (y2 === HALF_2 && r1 > HALF_1))) ? 1 : 0;
    const [l2, h2, l3, h3] = [y2 & 0x7fff, y2 >>> 15, y3 & 0x7fff, y3 >>> 15];
    let carry = r1;
    for (let slot = 0; slot < 3; slot++) {
      carry += limbSum(slot, l2, h2, l3, h3, negative);
      const next = Math.floor(carry / SLOT);
      values[3 * i + slot] = carry - next * SLOT;
      carry = next;
    }
    error[i] = carry + limbSum(3, l2, h2, l3, h3, negative);
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
