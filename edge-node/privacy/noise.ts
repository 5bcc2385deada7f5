// The noise that a dealer's update gets before it is sealed: none by the task's own leave, or this dealer's share.
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { createNoise } from '../../protocol/learning/privacy/noise.ts';
import { strategyOf } from '../../protocol/learning/strategies/registry.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { shapeOf } from '../../protocol/learning/vector.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';

/** @param fillRandom a stream of the attempt's seed: whoever knows the bytes knows the noise */
export function noiseOf(
  task: Task,
  contract: DataContract,
  fillRandom: FillRandom,
): ((levels: Float64Array) => void) | undefined {
  if (task.privacy.mode === 'none') return undefined;
  const release = strategyOf(task).release?.(shapeOf(task, featureCount(contract)));
  if (release === undefined) throw new RangeError('a task with a privacy budget and a strategy without noise'); // parseTask refuses it
  return createNoise(release.shareVariance, fillRandom);
}
