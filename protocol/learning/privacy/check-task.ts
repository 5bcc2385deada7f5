// What a task's privacy must fit: its strategy, its cohort, and its own budget.
import type { Sketch } from '../sketch.ts';
import { type Strategy, type TaskFault, wanted } from '../strategies/strategy.ts';
import { affordableSums, calibrateNoise, createAccountant } from './accountant.ts';
import type { DpTerms, PrivacyTerms } from './terms.ts';

export interface PrivateTask {
  readonly privacy: PrivacyTerms;
  readonly rounds: number;
  readonly cohort: { readonly min: number };
  readonly update: { readonly clipNorm: number };
}

/** @param strategy undefined while nobody knows which: with a budget it is meant to be one that adds noise */
export function privacyFaults(
  { privacy, rounds, cohort, update }: Sketch<PrivateTask>,
  strategy: Pick<Strategy, 'release'> | undefined,
): TaskFault[] {
  if (privacy?.mode !== 'dp') return [];
  if (strategy && strategy.release === undefined) {
    const advice = 'the strategy adds no noise: name dp-fedsgd or dp-ridge, or give mode: none';
    return [{ path: 'privacy.mode', advice }]; // and how much of it there would be no longer counts
  }
  const clipped = 'what is cut down is each customer: give privacy.clipNorm here too';
  return [
    ...honestFaults(privacy.honestDealers, cohort?.min),
    ...(privacy.clipNorm === undefined ? [] : wanted(update?.clipNorm, privacy.clipNorm, 'update.clipNorm', clipped)),
    ...budgetFaults(privacy, rounds),
  ];
}

function honestFaults(honestDealers: number | undefined, least: number | undefined): TaskFault[] {
  if (honestDealers === undefined || least === undefined || honestDealers <= least) return [];
  return [
    { path: 'privacy.honestDealers', advice: `a round may have as few as ${least} dealers (cohort.min): give no more` },
  ];
}

/**
 * Why a federation cannot keep what the task states of its epsilon. A sum over fewer dealers than `honestDealers` holds too little
 * noise, and `cohort.min` is the coordinator's own rule: what contract and key-holders refuse is fewer than `minCohort`.
 */
export function cohortNoiseFault({ privacy }: Pick<PrivateTask, 'privacy'>, minCohort: number): string | undefined {
  if (privacy.mode === 'none' || privacy.honestDealers <= minCohort) return undefined;
  return `its epsilon needs the noise of ${privacy.honestDealers} dealers, and sums of ${minCohort} may be opened here`;
}

/** How long a budget lasts follows from five figures: while one of them has to change, nothing can be said. */
function budgetFaults(privacy: Sketch<BudgetTerms>, rounds: number | undefined): TaskFault[] {
  const { epsilon, delta, samplingRate, noiseMultiplier } = privacy;
  if (epsilon === undefined || delta === undefined || samplingRate === undefined) return [];
  if (noiseMultiplier === undefined || rounds === undefined) return [];
  const affordable = affordableSums(
    createAccountant({ delta, samplingRate, noiseMultiplier }, rounds),
    epsilon,
    rounds,
  );
  if (affordable === rounds) return [];
  const enough = calibrateNoise({ epsilon, delta, samplingRate, rounds });
  const advice = `epsilon ${epsilon} lasts ${affordable} of ${rounds} rounds: give at least ${ceilAt(enough, 1_000)}`;
  return [{ path: 'privacy.noiseMultiplier', advice }];
}

type BudgetTerms = Pick<DpTerms, 'epsilon' | 'delta' | 'samplingRate' | 'noiseMultiplier'>;

const ceilAt = (value: number, parts: number): number => Math.ceil(value * parts) / parts;
