// Gamma and Dirichlet draws from a seeded generator. For dealing out an example; not for noise that guards anyone.
import { exp, log } from '../../protocol/elementary.ts';
import type { Prng } from '../../protocol/learning/prng.ts';

/** Box and Muller (1958). */
function normal(prng: Prng): number {
  return Math.sqrt(-2 * log(1 - prng.unit())) * cosineOfTurns(prng.unit());
}

/** cos(2π·turns) for 0 ≤ turns < 1, by its series around the nearest quarter turn: the same bits on every processor. */
function cosineOfTurns(turns: number): number {
  const quarter = Math.round(4 * turns);
  const angle = 2 * Math.PI * (turns - quarter / 4);
  // cos, −sin, −cos, sin
  let term = quarter % 2 === 0 ? 1 : -angle;
  let sum = term;
  for (let n = quarter % 2 === 0 ? 1 : 2; n < 20; n += 2) {
    term *= -(angle * angle) / (n * (n + 1));
    sum += term;
  }
  return quarter % 4 < 2 ? sum : -sum;
}

const cubeOf = (x: number): number => x * x * x;

/** Marsaglia and Tsang, A Simple Method for Generating Gamma Variables (2000); scale 1. */
function gamma(shape: number, prng: Prng): number {
  if (shape < 1) return gamma(shape + 1, prng) * exp(log(prng.unit()) / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(prng);
    const v = cubeOf(1 + c * x);
    if (v > 0 && log(1 - prng.unit()) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
  }
}

/** Shares that sum to 1. */
export function dirichlet(concentrations: readonly number[], prng: Prng): number[] {
  const draws = concentrations.map((shape) => gamma(shape, prng));
  const sum = draws.reduce((a, b) => a + b, 0);
  return draws.map((draw) => draw / sum);
}

/** Index drawn with the given shares. */
export function pick(shares: readonly number[], prng: Prng): number {
  let rest = prng.unit();
  const found = shares.findIndex((share) => {
    rest -= share;
    return rest < 0;
  });
  return found === -1 ? shares.length - 1 : found;
}
