// Labels as a network is compared with them, and what each row weighs in the loss.
import type { Labels } from '../../protocol/learning/strategies/strategy.ts';

/** rows × outputs: the label itself, or 1 at the place of the class. */
export function targetsOf(labels: Labels, outputs: number): Float32Array {
  if (outputs === 1) return Float32Array.from(labels);
  const targets = new Float32Array(labels.length * outputs);
  for (let r = 0; r < labels.length; r++) targets[r * outputs + (labels[r] ?? 0)] = 1;
  return targets;
}

/** Of a row in the loss; `positiveWeight` is 1 where there are no positives. */
export const weightOf = (label: number, positiveWeight: number): number => (label === 1 ? positiveWeight : 1);
