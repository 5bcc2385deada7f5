// What a task's privacy must fit: its strategy, its cohort, and its own budget.
import type { Strategy, TaskFault } from '../strategies/strategy.ts';
import { affordableSums, calibrateNoise, createAccountant } from './accountant.ts';
import type { DpTerms, PrivacyTerms } from './terms.ts';

export interface PrivateTask {
  readonly privacy: PrivacyTerms;
  readonly rounds: number;
  readonly cohort: { readonly min: number };
  readonly update: { readonly clipNorm: number };
}

export function privacyFault(task: PrivateTask, strategy: Pick<Strategy, 'release'>): TaskFault | undefined {
  const { privacy, cohort, update } = task;
  if (privacy.mode === 'none') return undefined;
  if (strategy.release === undefined) {
    return {
      path: 'privacy.mode',
      advice: 'the strategy adds no noise: name dp-fedsgd or dp-ridge, or give mode: none',
    };
  }
  if (privacy.honestDealers > cohort.min) {
    return { path: 'privacy.honestDealers', advice: `a round may have as few as ${cohort.min} dealers (cohort.min)` };
  }
  if (update.clipNorm !== privacy.clipNorm) {
    return { path: 'update.clipNorm', advice: 'what is cut down is each customer: give privacy.clipNorm here too' };
  }
  return budgetFault(privacy, task.rounds);
}

/**
 * Why a federation cannot keep what the task states of its epsilon. A sum over fewer dealers than `honestDealers` holds too little
 * noise, and `cohort.min` is the coordinator's own rule: what contract and key-holders refuse is fewer than `minCohort`.
 */
export function cohortNoiseFault({ privacy }: Pick<PrivateTask, 'privacy'>, minCohort: number): string | undefined {
  if (privacy.mode === 'none' || privacy.honestDealers <= minCohort) return undefined;
  return `its epsilon needs the noise of ${privacy.honestDealers} dealers, and sums of ${minCohort} may be opened here`;
}

function budgetFault(privacy: DpTerms, rounds: number): TaskFault | undefined {
  const { epsilon, delta, samplingRate } = privacy;
  const affordable = affordableSums(createAccountant(privacy, rounds), epsilon, rounds);
  if (affordable === rounds) return undefined;
  const enough = calibrateNoise({ epsilon, delta, samplingRate, rounds });
  const advice = `epsilon ${epsilon} lasts ${affordable} of ${rounds} rounds: give at least ${ceilAt(enough, 1_000)}`;
  return { path: 'privacy.noiseMultiplier', advice };
}

const ceilAt = (value: number, parts: number): number => Math.ceil(value * parts) / parts;
