// Arithmetic mod a prime p < 2^30, four residues at a time. No branch and no division depends on a residue.
// Two spare bits let sums stay in [0, 4p) for a while (Harvey 2014, "Faster arithmetic for number-theoretic transforms").

/** The high words of four 32 × 32-bit products. */
@inline
export function mulHigh(x: v128, y: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(x, y);
  const high = i64x2.extmul_high_i32x4_u(x, y);
  return i8x16.shuffle(low, high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** x·w mod p in [0, 2p), for any 32-bit x; w < p and quotient = shoup(w, p). */
@inline
export function mulShoup(x: v128, w: v128, quotient: v128, p: v128): v128 {
  return i32x4.sub(i32x4.mul(x, w), i32x4.mul(mulHigh(x, quotient), p));
}

/** The same for x < 2^16 with quotient = shoup16(w, p): low words suffice. */
@inline
export function mulShoup16(x: v128, w: v128, quotient: v128, p: v128): v128 {
  return i32x4.sub(i32x4.mul(x, w), i32x4.mul(i32x4.shr_u(i32x4.mul(x, quotient), 16), p));
}

/** a·b·2^-32 mod p in (0, 2p), for a < 2^30, b < 2p and inverse = p^-1 mod 2^32 (Montgomery 1985). */
@inline
export function mulMontgomery(a: v128, b: v128, inverse: v128, p: v128): v128 {
  const m = i32x4.mul(i32x4.mul(a, b), inverse);
  return i32x4.add(i32x4.sub(mulHigh(a, b), mulHigh(m, p)), p);
}

/** [0, 2·bound) to [0, bound): a difference below zero is huge when read unsigned. */
@inline
export function reduce(x: v128, bound: v128): v128 {
  return i32x4.min_u(x, i32x4.sub(x, bound));
}

// -- below: numbers that depend on the primes only; used once, to fill the tables

export function mulMod(a: u32, b: u32, p: u32): u32 {
  return <u32>((<u64>a * <u64>b) % <u64>p);
}

export function power(base: u32, exponent: u32, p: u32): u32 {
  let result: u32 = 1;
  let square = base;
  for (let e = exponent; e > 0; e >>= 1) {
    if (e & 1) result = mulMod(result, square, p);
    square = mulMod(square, square, p);
  }
  return result;
}

/** w^-1 mod p (Fermat). */
export function inverse(w: u32, p: u32): u32 {
  return power(w, p - 2, p);
}

/** floor(w·2^32 / p). */
@inline
export function shoup(w: u32, p: u32): u32 {
  return <u32>((<u64>w << 32) / <u64>p);
}

/** floor(w·2^16 / p). */
@inline
export function shoup16(w: u32, p: u32): u32 {
  return <u32>((<u64>w << 16) / <u64>p);
}

/** p^-1 mod 2^32, by Newton: each step doubles the bits that are right, and an odd p is its own inverse mod 8. */
export function inverseOfWord(p: u32): u32 {
  let x = p;
  for (let step = 0; step < 4; step++) x *= 2 - p * x;
  return x;
}
