// From Renyi to (epsilon, delta): Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", 2020.
import { expm1, log, log1p } from '../../elementary.ts';

/** Between whole orders where the best one lies for large epsilon; far up for small. */
export const ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  ...[72, 80, 96, 112, 128, 160, 192, 256, 384, 512, 768, 1_024],
];

/** epsilon = rdp + log(1 - 1/order) - log(delta·order)/(order - 1) */
export function epsilonAt(order: number, rdp: number, delta: number): number {
  // Bretagnolle-Huber: total variation is at most sqrt(1 - e^-KL), so delta alone may cover it
  if (delta * delta + expm1(-rdp) >= 0) return 0;
  // the last two terms cancel badly next to order 1
  if (order <= 1.01) return Number.POSITIVE_INFINITY;
  return Math.max(0, rdp + log1p(-1 / order) - log(delta * order) / (order - 1));
}

export interface Spent {
  readonly epsilon: number;
  /** That gave it. */
  readonly order: number;
}

/** The smallest epsilon that any of the orders gives. */
export function smallestEpsilon(
  rdp: (order: number) => number,
  delta: number,
  orders: readonly number[] = ORDERS,
): Spent {
  let best: Spent = { epsilon: Number.POSITIVE_INFINITY, order: Number.NaN };
  for (const order of orders) {
    const epsilon = epsilonAt(order, rdp(order), delta);
    if (epsilon < best.epsilon) best = { epsilon, order };
  }
  return best;
}
