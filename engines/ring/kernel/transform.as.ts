// The negacyclic number-theoretic transform and its inverse, in place, in SEAL's order. Two levels at a time: each
// value is loaded and stored six times instead of twelve. Four words that lie N/4 … 1 apart are x0, x1, x2, x3.
import { DEGREE, tableOf } from './layout.as';
import { mulShoup, reduce } from './modular.as';
import { primeOf } from './primes.as';

@inline
function splat(table: usize, index: i32): v128 {
  return v128.load32_splat(table + ((<usize>index) << 2));
}

/** Columns of the 4 × 4 matrix with rows a, b, c, d: column 0 and 1 of the low halves, then of the high halves. */
@inline
function low32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}
@inline
function high32(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}
@inline
function low64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}
@inline
function high64(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}
@inline
function evens(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
@inline
function odds(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/**
 * Coefficients to NTT slots. In: [0, 4p). Out: [0, 4p).
 * Cooley-Tukey: (u, v) becomes (u + w·v, u − w·v); block i of a level with m blocks takes ψ^bitrev(m + i).
 */
export function forward(x: usize, prime: i32): void {
  const p = i32x4.splat(primeOf(prime));
  const p2 = i32x4.add(p, p);
  const w = tableOf(prime, 0);
  const q = tableOf(prime, 1);
  let m = 1;
  let step = <usize>DEGREE; // in bytes: N/4 words
  for (; step >= 16; step >>= 2, m <<= 2) {
    for (let i = 0; i < m; i++) {
      const w1 = splat(w, m + i), q1 = splat(q, m + i);
      const w2 = splat(w, 2 * (m + i)), q2 = splat(q, 2 * (m + i));
      const w3 = splat(w, 2 * (m + i) + 1), q3 = splat(q, 2 * (m + i) + 1);
      const start = x + (<usize>i) * 4 * step;
      for (let at = start; at < start + step; at += 16) {
        let x0 = reduce(v128.load(at), p2);
        let x1 = reduce(v128.load(at + step), p2);
        let y = mulShoup(v128.load(at + 2 * step), w1, q1, p);
        let z = mulShoup(v128.load(at + 3 * step), w1, q1, p);
        let x2 = i32x4.sub(i32x4.add(x0, p2), y);
        let x3 = i32x4.sub(i32x4.add(x1, p2), z);
        x0 = reduce(i32x4.add(x0, y), p2);
        x1 = i32x4.add(x1, z);
        y = mulShoup(x1, w2, q2, p);
        z = mulShoup(x3, w3, q3, p);
        x2 = reduce(x2, p2);
        v128.store(at, i32x4.add(x0, y));
        v128.store(at + step, i32x4.sub(i32x4.add(x0, p2), y));
        v128.store(at + 2 * step, i32x4.add(x2, z));
        v128.store(at + 3 * step, i32x4.sub(i32x4.add(x2, p2), z));
      }
    }
  }
  // the last two levels lie within four words: four such groups, turned so that each lane is a group
  for (let i = 0; i < m; i += 4) {
    const at = x + ((<usize>i) << 4);
    const i4 = (<usize>(m + i)) << 2;
    const w1 = v128.load(w + i4), q1 = v128.load(q + i4);
    const wa = v128.load(w + 2 * i4), wb = v128.load(w + 2 * i4 + 16);
    const qa = v128.load(q + 2 * i4), qb = v128.load(q + 2 * i4 + 16);
    const a = v128.load(at), b = v128.load(at + 16), c = v128.load(at + 32), d = v128.load(at + 48);
    const t0 = low32(a, b), t1 = low32(c, d), t2 = high32(a, b), t3 = high32(c, d);
    let x0 = reduce(low64(t0, t1), p2);
    let x1 = reduce(high64(t0, t1), p2);
    let y = mulShoup(low64(t2, t3), w1, q1, p);
    let z = mulShoup(high64(t2, t3), w1, q1, p);
    let x2 = i32x4.sub(i32x4.add(x0, p2), y);
    let x3 = i32x4.sub(i32x4.add(x1, p2), z);
    x0 = reduce(i32x4.add(x0, y), p2);
    x1 = i32x4.add(x1, z);
    y = mulShoup(x1, evens(wa, wb), evens(qa, qb), p);
    z = mulShoup(x3, odds(wa, wb), odds(qa, qb), p);
    x2 = reduce(x2, p2);
    x1 = i32x4.sub(i32x4.add(x0, p2), y);
    x0 = i32x4.add(x0, y);
    x3 = i32x4.sub(i32x4.add(x2, p2), z);
    x2 = i32x4.add(x2, z);
    const s0 = low32(x0, x1), s1 = low32(x2, x3), s2 = high32(x0, x1), s3 = high32(x2, x3);
    v128.store(at, low64(s0, s1));
    v128.store(at + 16, high64(s0, s1));
    v128.store(at + 32, low64(s2, s3));
    v128.store(at + 48, high64(s2, s3));
  }
}

/**
 * NTT slots to N times the coefficients: whoever multiplies has N^-1 in the factor. In: [0, 2p). Out: [0, 2p).
 * Gentleman-Sande: (u, v) becomes (u + v, (u − v)·w).
 */
export function inverseTimesN(x: usize, prime: i32): void {
  const p = i32x4.splat(primeOf(prime));
  const p2 = i32x4.add(p, p);
  const w = tableOf(prime, 2);
  const q = tableOf(prime, 3);
  let m = DEGREE >> 2;
  for (let i = 0; i < m; i += 4) {
    const at = x + ((<usize>i) << 4);
    const i4 = (<usize>(m + i)) << 2;
    const w1 = v128.load(w + i4), q1 = v128.load(q + i4);
    const wa = v128.load(w + 2 * i4), wb = v128.load(w + 2 * i4 + 16);
    const qa = v128.load(q + 2 * i4), qb = v128.load(q + 2 * i4 + 16);
    const a = v128.load(at), b = v128.load(at + 16), c = v128.load(at + 32), d = v128.load(at + 48);
    const t0 = low32(a, b), t1 = low32(c, d), t2 = high32(a, b), t3 = high32(c, d);
    let x0 = low64(t0, t1), x1 = high64(t0, t1), x2 = low64(t2, t3), x3 = high64(t2, t3);
    const y = mulShoup(i32x4.sub(i32x4.add(x0, p2), x1), evens(wa, wb), evens(qa, qb), p);
    const z = mulShoup(i32x4.sub(i32x4.add(x2, p2), x3), odds(wa, wb), odds(qa, qb), p);
    x0 = reduce(i32x4.add(x0, x1), p2);
    x2 = reduce(i32x4.add(x2, x3), p2);
    x1 = reduce(i32x4.add(y, z), p2);
    x3 = mulShoup(i32x4.sub(i32x4.add(y, p2), z), w1, q1, p);
    const s = mulShoup(i32x4.sub(i32x4.add(x0, p2), x2), w1, q1, p);
    x0 = reduce(i32x4.add(x0, x2), p2);
    const s0 = low32(x0, x1), s1 = low32(s, x3), s2 = high32(x0, x1), s3 = high32(s, x3);
    v128.store(at, low64(s0, s1));
    v128.store(at + 16, high64(s0, s1));
    v128.store(at + 32, low64(s2, s3));
    v128.store(at + 48, high64(s2, s3));
  }
  for (let step: usize = 16; m > 1; step <<= 2) {
    m >>= 2;
    for (let i = 0; i < m; i++) {
      const w1 = splat(w, m + i), q1 = splat(q, m + i);
      const w2 = splat(w, 2 * (m + i)), q2 = splat(q, 2 * (m + i));
      const w3 = splat(w, 2 * (m + i) + 1), q3 = splat(q, 2 * (m + i) + 1);
      const start = x + (<usize>i) * 4 * step;
      for (let at = start; at < start + step; at += 16) {
        const x0 = v128.load(at), x1 = v128.load(at + step), x2 = v128.load(at + 2 * step), x3 = v128.load(at + 3 * step);
        const u = reduce(i32x4.add(x0, x1), p2);
        const v = reduce(i32x4.add(x2, x3), p2);
        const y = mulShoup(i32x4.sub(i32x4.add(x0, p2), x1), w2, q2, p);
        const z = mulShoup(i32x4.sub(i32x4.add(x2, p2), x3), w3, q3, p);
        v128.store(at, reduce(i32x4.add(u, v), p2));
        v128.store(at + step, reduce(i32x4.add(y, z), p2));
        v128.store(at + 2 * step, mulShoup(i32x4.sub(i32x4.add(u, p2), v), w1, q1, p));
        v128.store(at + 3 * step, mulShoup(i32x4.sub(i32x4.add(y, p2), z), w1, q1, p));
      }
    }
  }
}
