// The dense model of a test's own task.
import type { DenseModel, TaskDocument } from '../../protocol/learning/task.ts';

export function denseOf({ model }: Pick<TaskDocument, 'model'>): DenseModel {
  if (model.kind !== 'dense') throw new Error('not a dense model');
  return model;
}
