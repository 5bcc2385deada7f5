// The shape of what this task's dealers send, and that its packing holds them all.
import { ConcordatError } from '../protocol/errors.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { featureCount } from '../protocol/learning/features.ts';
import { layoutOf, type ModelLayout } from '../protocol/learning/model.ts';
import type { Shape } from '../protocol/learning/strategies/strategy.ts';
import { packingOf, type Task } from '../protocol/learning/task.ts';
import type { Vector } from '../protocol/learning/update.ts';
import { shapeOf, vectorOf } from '../protocol/learning/vector.ts';
import { blocksFor, choosePacking, type PackingProfile } from '../protocol/secagg/packing.ts';

export interface UpdateLayout {
  readonly layout: ModelLayout;
  readonly shape: Shape;
  readonly vector: Vector;
  readonly packing: PackingProfile;
  /** Values of an update, without padding. */
  readonly valueCount: number;
  /** Of every payload. */
  readonly blocks: number;
}

export function updateLayoutOf(task: Task, contract: DataContract): UpdateLayout {
  const features = featureCount(contract);
  const [shape, vector] = [shapeOf(task, features), vectorOf(task, features)];
  const packing = packingOf(task);
  const valueCount = vector.length;
  const layout = layoutOf(task, features);
  return { layout, shape, vector, packing, valueCount, blocks: blocksFor(valueCount, packing) };
}

/** @throws ConcordatError TASK_INVALID, naming the packing that would do if there is one */
export function requirePackingHolds(dealers: number, { name, maxDealers, valueBits }: PackingProfile): void {
  if (dealers <= maxDealers) return;
  const path = 'update.packing';
  throw new ConcordatError(
    'TASK_INVALID',
    `${path}: ${name} holds the sum of ${maxDealers} dealers of ${valueBits} bits, ${dealers} are registered: ${adviceFor(dealers, valueBits)}`,
    { path, dealers, maxDealers },
  );
}

function adviceFor(dealers: number, valueBits: number): string {
  try {
    return `use ${choosePacking(dealers, valueBits)}`;
  } catch {
    return 'no packing holds so many, give fewer valueBits';
  }
}
