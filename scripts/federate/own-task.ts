// The task for one's own data when none is named: the simplest model for its label, with the example's strategy.
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { outputsOf, taskTypeOf } from '../../protocol/learning/target.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';

/** Linear on the contract's columns. Nothing in it is fitted to anybody's data: it is where one starts from. */
export function ownTask(contract: DataContract): Pick<TaskDocument, 'model' | 'evaluation'> {
  const linear = { kind: 'dense' as const, positiveWeight: 1, l2: 0.01 };
  const bins = { histogramBins: 256 };
  switch (taskTypeOf(contract)) {
    case 'binary':
      return {
        model: { ...linear, layers: [{ units: 1, activation: 'sigmoid' }], loss: 'sigmoid-cross-entropy' },
        // a bin over a half: the untrained model scores everybody 0.5, and who is 1 is mostly the rarer
        evaluation: { ...bins, decisionThreshold: 129 / 256 },
      };
    case 'classes':
      return {
        model: {
          ...linear,
          layers: [{ units: outputsOf(contract), activation: 'softmax' }],
          loss: 'softmax-cross-entropy',
        },
        evaluation: bins,
      };
    case 'regression':
      return {
        model: { ...linear, layers: [{ units: 1, activation: 'linear' }], loss: 'squared' },
        evaluation: { ...bins, tolerance: 0.125 },
      };
  }
}
