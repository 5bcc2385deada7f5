// The ring written down plainly, as an oracle: BigInt transforms by definition, schoolbook negacyclic product, BigInt CRT.
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import type { Packing } from '../../protocol/secagg/packing.ts';

const N = RING_DEGREE;
export const Q = PRIMES.reduce((product, p) => product * BigInt(p), 1n);

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * b) % modulus;
    b = (b * b) % modulus;
  }
  return result;
}

/** The numerically smallest primitive 2N-th root of unity mod p: all odd powers of one of them, looked through. */
export function smallestRoot(prime: number): bigint {
  const p = BigInt(prime);
  let root = 0n;
  for (let g = 2n; power(root, BigInt(N), p) !== p - 1n; g++) root = power(g, (p - 1n) / BigInt(2 * N), p);
  let least = root;
  for (let i = 0, x = root; i < N; i++, x = (((x * root) % p) * root) % p) if (x < least) least = x;
  return least;
}

const bitReverse = (k: number): number =>
  Number.parseInt(k.toString(2).padStart(12, '0').split('').reverse().join(''), 2);

/** Σ x_i · w^(ij), by halves. */
function transform(x: readonly bigint[], w: bigint, p: bigint): bigint[] {
  if (x.length === 1) return [...x];
  const even = transform(
    x.filter((_, i) => i % 2 === 0),
    (w * w) % p,
    p,
  );
  const odd = transform(
    x.filter((_, i) => i % 2 === 1),
    (w * w) % p,
    p,
  );
  const [low, high]: [bigint[], bigint[]] = [[], []];
  let factor = 1n;
  for (let i = 0; i < even.length; i++) {
    const [a, b] = [even[i] ?? 0n, (factor * (odd[i] ?? 0n)) % p];
    low.push((a + b) % p);
    high.push((a - b + p) % p);
    factor = (factor * w) % p;
  }
  return [...low, ...high];
}

/** From NTT order (slot k = x(ψ^(2·bitrev(k)+1))) to coefficients. */
export function fromNtt(slots: Uint32Array, prime: number): Uint32Array {
  const p = BigInt(prime);
  const inverseRoot = power(smallestRoot(prime), p - 2n, p);
  const natural = Array.from({ length: N }, (_, i) => BigInt(slots[bitReverse(i)] ?? 0));
  const twisted = transform(natural, (inverseRoot * inverseRoot) % p, p);
  let scale = power(BigInt(N), p - 2n, p);
  return Uint32Array.from(twisted, (x) => {
    const coefficient = Number((x * scale) % p);
    scale = (scale * inverseRoot) % p;
    return coefficient;
  });
}

/** x(ψ^(2·bitrev(k)+1)) by Horner: one slot, from the definition. */
export function slotOf(coefficients: Uint32Array, prime: number, k: number): number {
  const p = BigInt(prime);
  const at = power(smallestRoot(prime), BigInt(2 * bitReverse(k) + 1), p);
  return Number(coefficients.reduceRight((sum, x) => (sum * at + BigInt(x)) % p, 0n));
}

/** a·s mod (X^N + 1, p); |s| ≤ 2^9 keeps every sum below 2^51, so plain numbers are exact. */
function negacyclic(a: Uint32Array, s: Int32Array, p: number): Uint32Array {
  const sum = new Float64Array(2 * N);
  s.forEach((factor, j) => {
    if (factor !== 0) for (let i = 0; i < N; i++) sum[i + j] = (sum[i + j] ?? 0) + (a[i] ?? 0) * factor;
  });
  return Uint32Array.from({ length: N }, (_, i) => {
    const wrapped = ((sum[i] ?? 0) - (sum[i + N] ?? 0)) % p;
    return wrapped < 0 ? wrapped + p : wrapped;
  });
}

/** Σ v_j·2^(slotBits·j): the message of coefficient i. */
export function referenceMessage(values: ArrayLike<number>, i: number, { slots, slotBits }: Packing): bigint {
  let m = 0n;
  for (let slot = 0; slot < slots; slot++) m += BigInt(values[slots * i + slot] ?? 0) << BigInt(slotBits * slot);
  return m;
}

/** c = a·s + 2^78·e + m, one block. @param a residues in NTT order */
export function referenceSeal(
  a: Uint32Array,
  s: Int32Array,
  e: Int32Array,
  values: Uint16Array,
  packing: Packing,
): Uint32Array {
  const out = new Uint32Array(RESIDUES_PER_BLOCK);
  PRIMES.forEach((p, j) => {
    const product = negacyclic(fromNtt(a.subarray(j * N, (j + 1) * N), p), s, p);
    for (let i = 0; i < N; i++) {
      const x = BigInt(product[i] ?? 0) + (BigInt(e[i] ?? 0) << 78n) + referenceMessage(values, i, packing);
      out[j * N + i] = Number(((x % BigInt(p)) + BigInt(p)) % BigInt(p));
    }
  });
  return out;
}

/** Centred CRT of coefficient i, split into slots and E: every slot its bits, the last one all that are left of 78. */
export function referenceSplit(block: Uint32Array, i: number, { slots, slotBits }: Packing) {
  let x = 0n;
  PRIMES.forEach((prime, j) => {
    const [p, rest] = [BigInt(prime), Q / BigInt(prime)];
    x += BigInt(block[j * N + i] ?? 0) * rest * power(rest, p - 2n, p);
  });
  x %= Q;
  if (x > Q / 2n) x -= Q;
  const m = ((x % (1n << 78n)) + (1n << 78n)) % (1n << 78n);
  const cut = Array.from({ length: slots }, (_, slot) => {
    const rest = m >> BigInt(slotBits * slot);
    return Number(slot === slots - 1 ? rest : BigInt.asUintN(slotBits, rest));
  });
  return { slots: cut, error: Number((x - m) >> 78n) };
}

/** Residue i is bits 30i … 30i + 29 of the integer that the words spell, least significant first. */
export function referenceBits(residues: Uint32Array): Uint32Array {
  let stream = 0n;
  for (const residue of residues.slice().reverse()) stream = (stream << 30n) | BigInt(residue);
  return Uint32Array.from({ length: (residues.length * 30) / 32 }, (_, k) =>
    Number(BigInt.asUintN(32, stream >> BigInt(32 * k))),
  );
}
