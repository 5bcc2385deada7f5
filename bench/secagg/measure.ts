// Times and the figures made of them.

export interface Spread {
  readonly medianMs: number;
  readonly bestMs: number;
  readonly samples: number;
}

const round = (x: number, digits = 3): number => Number(x.toPrecision(digits + 1));

export function spreadOf(timesMs: readonly number[]): Spread {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return { medianMs: round(middle), bestMs: round(sorted[0] ?? Number.NaN), samples: sorted.length };
}

export function timed<Result>(run: () => Result): { readonly result: Result; readonly ms: number } {
  const start = performance.now();
  const result = run();
  return { result, ms: performance.now() - start };
}

export const perSecond = (count: number, ms: number): number => Math.round((count / ms) * 1000);

/** The largest the process has ever been. */
export const peakRssMb = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

/** The same values in every run: a linear congruential walk over the top bits, from the dealer's number. */
export function valuesOf(dealer: number, count: number, valueBits = 16): Uint16Array {
  const values = new Uint16Array(count);
  let x = dealer + 1;
  for (let j = 0; j < count; j++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    values[j] = x >>> (32 - valueBits);
  }
  return values;
}
