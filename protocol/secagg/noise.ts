// Does what is left after opening look like the noise of n honest encryptions? Two tests with proven false-alarm rates.
import { log } from '../elementary.ts';
import { CBD_VARIANCE } from './sampling.ts';

/** What the residual E looked like. Public: anyone who has the aggregate and S recomputes it. */
export interface NoiseReport {
  readonly samples: number;
  readonly maxAbs: number;
  /** ΣE²; an integer, exact below 2^53 (2^31 samples of 2^22). */
  readonly sumSquares: number;
  /** 20·n, per sample. */
  readonly expectedVariance: number;
  readonly maxAbsAllowed: number;
  /** Allowed ΣE², from and to. */
  readonly sumSquaresAllowed: readonly [number, number];
  readonly clean: boolean;
}

/** Each of the three bounds is passed by honest noise but for a chance of e^-44.4 = 2^-64: under 3·2^-64 per opening. */
const EXPONENT = 64 * Math.LN2;

/**
 * E of an honest sum is 80·n fair ±½ coins per sample: strictly sub-Gaussian, so the Gaussian tails hold exactly:
 *   max   P(|E| ≥ T) ≤ 2·exp(−T²/2σ²), over all samples       (Hoeffding, union bound)
 *   above P(ΣE²/σ² ≥ m + 2√(mx) + 2x) ≤ e^−x                  (Laurent-Massart 2000, Lemma 1)
 *   below P(ΣE²/σ² ≤ m − √(6mx)) ≤ e^−x                       (Chernoff with E⁴ ≤ 3σ⁴)
 * A wrong S, or a residue changed under one prime, leaves E uniform in ±2^11, far outside for up to 1,024 dealers.
 * It does not see a change of the message alone: adding 1 to a sum adds no noise. Recomputing the sum does.
 */
export function createNoiseMeter(dealers: number) {
  let samples = 0;
  let maxAbs = 0;
  let sumSquares = 0;
  return {
    add(error: Int32Array): void {
      samples += error.length;
      for (let i = 0; i < error.length; i++) {
        const abs = Math.abs(error[i] ?? 0);
        if (abs > maxAbs) maxAbs = abs;
        sumSquares += abs * abs;
      }
    },
    report(): NoiseReport {
      const variance = CBD_VARIANCE * dealers;
      const maxAbsAllowed = Math.ceil(Math.sqrt(2 * variance * (log(2 * Math.max(samples, 1)) + EXPONENT)));
      const low = variance * Math.max(samples - Math.sqrt(6 * samples * EXPONENT), 0);
      const high = variance * (samples + 2 * Math.sqrt(samples * EXPONENT) + 2 * EXPONENT);
      const clean = samples > 0 && maxAbs < maxAbsAllowed && sumSquares >= low && sumSquares <= high;
      return {
        samples,
        maxAbs,
        sumSquares,
        expectedVariance: variance,
        maxAbsAllowed,
        sumSquaresAllowed: [low, high],
        clean,
      };
    },
  };
}
