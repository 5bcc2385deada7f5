// The accountant against the values that others publish, and what it may never do: shrink, or forget a rounding.
import { expect, test } from 'vitest';
import {
  affordableSums,
  calibrateNoise,
  createAccountant,
  SHARES_DISTANCE,
} from '../../protocol/learning/privacy/accountant.ts';
import { epsilonAt, smallestEpsilon } from '../../protocol/learning/privacy/conversion.ts';
import {
  closenessOfShares,
  closenessRdp,
  sampledDiscreteGaussianRdp,
  sampledGaussianRdp,
} from '../../protocol/learning/privacy/rdp.ts';
import { FINE_PER_LEVEL, planRelease, roundedNorm, toLevels } from '../../protocol/learning/privacy/release.ts';
import vectors from '../../protocol/vectors/privacy-accountant.json' with { type: 'json' };
import { BUDGET, seededFill } from './privacy-world.ts';

const relative = (got: number, expected: number): number => Math.abs(got / expected - 1);

/** TensorFlow Privacy's and Opacus' own lists of orders, together. */
const ORDERS = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...[1.25, 1.75, 2.25],
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  ...[128, 256, 512],
];

test.each(vectors.rdp)('Renyi divergence, orders $orders', ({ samplingRate, noiseMultiplier, steps, orders, rdp }) => {
  orders.forEach((order, i) => {
    const got = steps * sampledGaussianRdp({ samplingRate, noiseMultiplier }, order);
    expect(relative(got, rdp[i] ?? 0)).toBeLessThan(1e-6);
  });
});

test.each(vectors.conversion)(
  'conversion at a constant divergence',
  ({ rdp, orders: [from = 2, to = 2], delta, ...expected }) => {
    const orders = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const spent = smallestEpsilon(() => rdp, delta, orders);
    expect(spent.order).toBe(expected.order);
    expect(relative(spent.epsilon, expected.epsilon)).toBeLessThan(1e-9);
  },
);

test.each(vectors.epsilon)('$source', ({ samplingRate, noiseMultiplier, steps, delta, epsilon }) => {
  const mechanism = { samplingRate, noiseMultiplier };
  const continuous = smallestEpsilon((order) => steps * sampledGaussianRdp(mechanism, order), delta, ORDERS);
  expect(relative(continuous.epsilon, epsilon)).toBeLessThan(1e-6);
  // ours is of discrete noise, and keeps a hundredth of delta back: never less, and hardly more
  const ours = createAccountant({ ...mechanism, delta }, steps).epsilonAfter(steps);
  expect(ours).toBeGreaterThan(continuous.epsilon);
  expect(ours).toBeLessThan(continuous.epsilon * 1.002);
});

test.each(vectors.calibration)(
  'noise for epsilon $epsilon over $steps steps',
  ({ steps, stated, smallest, ...target }) => {
    const noise = calibrateNoise({ ...target, rounds: steps });
    // what delta keeps back and whole orders cost: under 0.4 % of noise above the smallest for continuous noise
    expect(noise).toBeGreaterThan(smallest * (1 - 1e-4));
    expect(noise).toBeLessThan(Math.max(stated, smallest * 1.004));
    const { delta, samplingRate, epsilon } = target;
    const at = (noiseMultiplier: number) =>
      createAccountant({ delta, samplingRate, noiseMultiplier }, steps).epsilonAfter(steps);
    expect(at(noise)).toBeLessThanOrEqual(epsilon);
    expect(at(noise * (1 - 2e-4))).toBeGreaterThan(epsilon);
  },
);

test.each(vectors.zcdp.rows)('one Gaussian at rho $rho gives ($epsilon, $delta)', ({ rho, epsilon, delta }) => {
  const orders = Array.from({ length: 30_000 }, (_, i) => 1.02 + i * 0.01);
  const spent = smallestEpsilon(
    (order) => sampledGaussianRdp({ samplingRate: 1, noiseMultiplier: 1 / Math.sqrt(2 * rho) }, order),
    delta,
    orders,
  );
  expect(relative(spent.epsilon, epsilon)).toBeLessThan(1e-4); // rho is printed with 4 digits in places
});

test('one Gaussian of noise 4.530877117 gives (1, 1e-6)', () => {
  const orders = Array.from({ length: 14_000 }, (_, i) => 1.001 + 0.007 * i);
  const rdp = (order: number) => order / (2 * 4.530877117 ** 2);
  expect(relative(smallestEpsilon(rdp, 1e-6, orders).epsilon, 1)).toBeLessThan(1e-7);
});

/** Divergence of two mass functions over -span … span, by summing: what the formulas must not undercut. */
function divergence(p: (x: number) => number, q: (x: number) => number, order: number, span: number): number {
  let sum = 0;
  for (let x = -span; x <= span; x++) sum += q(x) === 0 ? 0 : q(x) * (p(x) / q(x)) ** order;
  return Math.log(sum) / (order - 1);
}

function discreteMass(variance: number, shift: number, span: number): (x: number) => number {
  const weight = (x: number) => Math.exp(-((x - shift) ** 2) / (2 * variance));
  let all = 0;
  for (let x = -span; x <= span; x++) all += weight(x);
  return (x) => weight(x) / all;
}

test.each([
  [0.2, 1, 1],
  [0.05, 0.5, 1],
  [0.2, 4, 2],
  [0.5, 9, 3],
])(
  'sampled discrete noise: rate %s, sigma %s, shift %s, both directions, whole and broken orders',
  (rate, sigma, shift) => {
    const span = 60 + Math.ceil(40 * sigma);
    const [still, moved] = [discreteMass(sigma ** 2, 0, span), discreteMass(sigma ** 2, shift, span)];
    const mixed = (x: number) => (1 - rate) * still(x) + rate * moved(x);
    for (const order of [1.3, 1.7, 2, 2.5, 3, 5.5, 8]) {
      const bound = sampledDiscreteGaussianRdp({ samplingRate: rate, noiseMultiplier: sigma / shift }, order);
      const [removed, added] = [divergence(mixed, still, order, span), divergence(still, mixed, order, span)];
      expect(Math.max(removed, added)).toBeLessThanOrEqual(bound * (1 + 1e-9) + 1e-12);
      if (Number.isInteger(order)) expect(relative(removed, bound)).toBeLessThan(1e-9);
    }
  },
);

test('shares that add up to almost one discrete Gaussian: exact sums stay within the stated distance', () => {
  const convolve = (a: Float64Array, b: Float64Array) => {
    const out = new Float64Array(a.length);
    const middle = (a.length - 1) / 2;
    for (let i = 0; i < a.length; i++) {
      for (let j = 0; j < b.length; j++) {
        const k = i + j - middle;
        if (k >= 0 && k < out.length) out[k] = (out[k] ?? 0) + (a[i] ?? 0) * (b[j] ?? 0);
      }
    }
    return out;
  };
  const [span, variance, shares] = [60, 0.5, 3];
  const mass = (v: number) => Float64Array.from({ length: 2 * span + 1 }, (_, i) => discreteMass(v, 0, span)(i - span));
  const one = mass(variance);
  const sum = convolve(convolve(one, one), one);
  const ideal = mass(shares * variance);
  const tau = closenessOfShares(shares, variance);
  let worst = 0;
  for (let x = -6; x <= 6; x++)
    worst = Math.max(worst, Math.abs(Math.log((sum[x + span] ?? 0) / (ideal[x + span] ?? 0))));
  expect(worst).toBeGreaterThan(1e-4); // at this width they do differ
  expect(worst).toBeLessThan(tau);
  expect(closenessOfShares(12, 4)).toBeLessThan(1e-15);
  expect(closenessOfShares(1, 0.1)).toBe(0);
  expect(closenessRdp(SHARES_DISTANCE, 1.1)).toBeLessThan(1e-10);
});

test('the budget: more sums cost more, more noise costs less, and delta kept back is used up by sums beyond the plan', () => {
  const accountant = createAccountant(BUDGET, 10);
  const costs = Array.from({ length: 30 }, (_, sums) => accountant.epsilonAfter(sums));
  expect(costs[0]).toBe(0);
  costs.slice(1).forEach((cost, i) => {
    expect(cost).toBeGreaterThan(costs[i] ?? 0);
  });
  expect(createAccountant({ ...BUDGET, noiseMultiplier: 2.1 }, 10).epsilonAfter(10)).toBeLessThan(costs[10] ?? 0);
  expect(createAccountant({ ...BUDGET, samplingRate: 0.21 }, 10).epsilonAfter(10)).toBeGreaterThan(costs[10] ?? 0);
  expect(accountant.epsilonMilliAfter(10)).toBe(Math.ceil(1_000 * (costs[10] ?? 0)));
  expect(accountant.epsilonAfter(1_000)).toBe(Number.POSITIVE_INFINITY); // 100 times the plan: all of delta
  for (const sums of [1, 5, 10]) expect(affordableSums(accountant, costs[sums] ?? 0, 10)).toBe(sums);
  expect(affordableSums(accountant, (costs[5] ?? 0) - 1e-9, 10)).toBe(4);
});

test('an order next to 1 and a delta that covers everything', () => {
  expect(epsilonAt(1.005, 0.1, 1e-5)).toBe(Number.POSITIVE_INFINITY);
  expect(epsilonAt(2, 1e-12, 1e-3)).toBe(0);
});

test('a vector rounded with dither is hardly ever longer than stated, and never longer than the hard bound', () => {
  const random = seededFill('rounding');
  const [coordinates, norm, beta] = [400, 30, 1e-3];
  const vector = Float64Array.from({ length: coordinates }, (_, i) => (i % 7) - 3);
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  const fine = vector.map((x) => Math.round((x / length) * norm * FINE_PER_LEVEL));
  const base = vector.map((_, i) => i * 12_345);
  const both = base.map((x, i) => x + (fine[i] ?? 0));
  const release = { levelsPerClip: 1, levelsPerCount: 0, sensitivity: 0, shareVariance: 1, mostLevel: 1e9 };
  let beyond = 0;
  let longest = 0;
  for (let trial = 0; trial < 2_000; trial++) {
    const dither = new Uint16Array(coordinates);
    random(new Uint8Array(dither.buffer));
    const [without, withIt] = [toLevels(base, dither, release), toLevels(both, dither, release)];
    const moved = Math.sqrt(withIt.reduce((sum, x, i) => sum + (x - (without[i] ?? 0)) ** 2, 0));
    longest = Math.max(longest, moved);
    if (moved > roundedNorm(norm, coordinates, beta)) beyond++;
  }
  expect(beyond / 2_000).toBeLessThanOrEqual(5 * beta);
  expect(longest).toBeLessThan(norm + Math.sqrt(coordinates));
  expect(longest).toBeGreaterThan(norm); // rounding does inflate
  expect(roundedNorm(1, 100, 1e-300)).toBe(11);
});

test('a release leaves room for its noise, and is refused where the values are too narrow', () => {
  const shape = { rounded: 344, counted: 20, countShare: 0.25, sumRange: 64, valueBits: 16, rounds: 10 };
  const release = planRelease(BUDGET, shape);
  expect(release.mostLevel).toBeGreaterThanOrEqual(64 * release.levelsPerClip);
  const sigma = Math.sqrt(release.shareVariance);
  expect(release.mostLevel + 8 * sigma).toBeLessThan(2 ** 15); // eight deviations: a chance of 10^-15 a value
  // the noise of the honest minimum alone is what the accountant counts on
  expect(Math.sqrt(BUDGET.honestDealers) * sigma).toBeGreaterThanOrEqual(BUDGET.noiseMultiplier * release.sensitivity);
  const count = { ...shape, countShare: 0, counted: 0 };
  expect(planRelease(BUDGET, count).sensitivity).toBeLessThan(release.sensitivity);
  expect(() => planRelease(BUDGET, { ...shape, valueBits: 6 })).toThrow(/TASK_INVALID|bits are too few/);
});
