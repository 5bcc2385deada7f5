// Gamma and Dirichlet draws from a seeded generator. For dealing out an example; not for noise that guards anyone.
import type { Prng } from '../../protocol/learning/prng.ts';

function normal(prng: Prng): number {
  return Math.sqrt(-2 * Math.log(1 - prng.unit())) * Math.cos(2 * Math.PI * prng.unit());
}

/** Marsaglia and Tsang, A Simple Method for Generating Gamma Variables (2000); scale 1. */
function gamma(shape: number, prng: Prng): number {
  if (shape < 1) return gamma(shape + 1, prng) * prng.unit() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(prng);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - prng.unit()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
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
