// Sums and differences of numbers known by their logarithms, and the logarithm of erfc.
import { exp, expm1, log, log1p } from '../../elementary.ts';

/** log(e^a + e^b) */
export function logAdd(a: number, b: number): number {
  const [most, least] = a > b ? [a, b] : [b, a];
  return least === Number.NEGATIVE_INFINITY ? most : most + log1p(exp(least - most));
}

/** log(e^a - e^b), for a >= b */
export function logSubtract(a: number, b: number): number {
  return b === Number.NEGATIVE_INFINITY ? a : a + log(-expm1(b - a));
}

const LOG_SQRT_PI = log(Math.PI) / 2;

/** e^(-x^2)·2x/sqrt(pi)·(1 + 2x^2/3 + (2x^2)^2/(3·5) + …): all terms positive, so nothing cancels. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let odd = 3; term > sum * 1e-17; odd += 2) {
    term *= (2 * x * x) / odd;
    sum += term;
  }
  return exp(-x * x - LOG_SQRT_PI) * 2 * sum;
}

/** Steps of the continued fraction; at x = 2 the last one is below 1e-16. */
const FRACTION_STEPS = 120;

/** log(erfc(x)) for x >= 2: e^(-x^2)/sqrt(pi) · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))) */
function logErfcTail(x: number): number {
  let fraction = x;
  for (let k = FRACTION_STEPS; k >= 1; k--) fraction = x + k / 2 / fraction;
  return -x * x - LOG_SQRT_PI - log(fraction);
}

/** log(erfc(x)), to about 13 digits, also where erfc itself is below the smallest number. */
export function logErfc(x: number): number {
  if (x >= 2) return logErfcTail(x);
  if (x >= 0) return log1p(-erfSeries(x));
  if (x > -2) return log1p(erfSeries(-x));
  return log1p(-exp(logErfcTail(-x)) + 1);
}
