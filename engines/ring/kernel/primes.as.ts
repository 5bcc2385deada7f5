// What depends on the primes alone: the primes themselves, and the powers of their roots of unity that the transforms use.
import { DEGREE, tableOf } from './layout.as';
import { inverse, mulMod, power, shoup } from './modular.as';

@inline
export function primeOf(prime: i32): u32 {
  return prime == 0 ? PARAM_PRIME_0 : prime == 1 ? PARAM_PRIME_1 : PARAM_PRIME_2;
}

/** The numerically smallest primitive 2N-th root of unity: SEAL's choice (docs/spec/01). */
function smallestRoot(p: u32): u32 {
  const order = <u32>(2 * DEGREE);
  let root: u32 = 0;
  for (let g: u32 = 2; power(root, DEGREE, p) != p - 1; g++) root = power(g, (p - 1) / order, p);
  const square = mulMod(root, root, p);
  let least = root;
  // the primitive ones are the odd powers of any of them
  for (let i = 0, x = root; i < DEGREE; i++, x = mulMod(x, square, p)) least = min(least, x);
  return least;
}

function bitReverse(k: u32): u32 {
  let reversed: u32 = 0;
  for (let bit: u32 = 1; bit < <u32>DEGREE; bit <<= 1) reversed = (reversed << 1) | (k & bit ? 1 : 0);
  return reversed;
}

function fillPowers(prime: i32, table: i32, root: u32): void {
  const p = primeOf(prime);
  let x: u32 = 1;
  for (let i: u32 = 0; i < <u32>DEGREE; i++) {
    const at = (<usize>bitReverse(i)) << 2;
    store<u32>(tableOf(prime, table) + at, x);
    store<u32>(tableOf(prime, table + 1) + at, shoup(x, p));
    x = mulMod(x, root, p);
  }
}

/** Fills the tables; once, before anything else. */
export function prepare(): void {
  for (let prime = 0; prime < 3; prime++) {
    const root = smallestRoot(primeOf(prime));
    fillPowers(prime, 0, root);
    fillPowers(prime, 2, inverse(root, primeOf(prime)));
  }
}
