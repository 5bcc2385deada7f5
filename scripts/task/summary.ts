// What a sound task comes to: the model, what a dealer sends, what privacy it spends, what customers must have granted.
import type { FieldClassId, SceneId } from '../../protocol/consent/scenes.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { createAccountant } from '../../protocol/learning/privacy/accountant.ts';
import { fieldClassesOf, packingOf, type Task } from '../../protocol/learning/task.ts';
import { shapeOf, vectorOf } from '../../protocol/learning/vector.ts';
import { blocksFor } from '../../protocol/secagg/packing.ts';
import { payloadBytes } from '../../protocol/secagg/payload.ts';
import { SEALED_SHARE_BYTES } from '../../protocol/secagg/shares.ts';
import { table } from '../federate/table.ts';

export interface TaskSummary {
  readonly id: string;
  readonly hash: string;
  readonly contractHash: string;
  /** What a row becomes. */
  readonly columns: number;
  readonly parameters: number;
  /** Numbers in what a dealer sends. */
  readonly values: number;
  /** Of what a dealer sends in a round: the sealed update, and beside it a share for each key-holder. */
  readonly payloadBytes: number;
  readonly bytesPerKeyHolder: number;
  readonly strategy: string;
  readonly rounds: number;
  /** After all rounds; absent without a budget. */
  readonly privacy?: { readonly epsilon: number; readonly delta: number; readonly spent: number };
  /** A customer must have granted every class for every scene. */
  readonly scenes: readonly SceneId[];
  readonly fieldClasses: readonly FieldClassId[];
  /** Why nobody knows yet whether the model trains: absent when it does. */
  readonly untried?: string;
}

export function summarise(task: Task, contract: DataContract, untried?: string): TaskSummary {
  const columns = featureCount(contract);
  const { length } = vectorOf(task, columns);
  const { privacy, rounds } = task;
  return {
    id: task.id,
    hash: task.hash,
    contractHash: contract.hash,
    columns,
    parameters: shapeOf(task, columns).parameters,
    values: length,
    payloadBytes: payloadBytes(blocksFor(length, packingOf(task))),
    bytesPerKeyHolder: SEALED_SHARE_BYTES,
    strategy: task.strategy.name,
    rounds,
    ...(privacy.mode === 'dp' && {
      privacy: {
        epsilon: privacy.epsilon,
        delta: privacy.delta,
        spent: createAccountant(privacy, rounds).epsilonAfter(rounds),
      },
    }),
    scenes: [...new Set<SceneId>(['model-training', task.scene])],
    fieldClasses: fieldClassesOf(contract),
    ...(untried !== undefined && { untried }),
  };
}

export function summaryTable(summary: TaskSummary): string {
  const n = (value: number) => value.toLocaleString('en');
  const { privacy, payloadBytes: payload, bytesPerKeyHolder } = summary;
  const spent = privacy && `ε ${privacy.spent.toFixed(3)} of ${privacy.epsilon} at δ ${privacy.delta}`;
  return table(
    [
      [summary.id, ''],
      ['columns', n(summary.columns)],
      ['parameters', n(summary.parameters)],
      ['bytes a dealer sends per round', `${n(payload)}, and ${n(bytesPerKeyHolder)} per key-holder`],
      ['strategy, rounds', `${summary.strategy}, ${n(summary.rounds)}`],
      ['privacy spent per customer', spent ?? 'no budget: sums are exact'],
      ['customers must have granted', summary.fieldClasses.join(', ')],
      ['  for the scenes', summary.scenes.join(', ')],
      ['task hash', summary.hash],
      ['contract hash', summary.contractHash],
      ...(summary.untried === undefined ? [] : [['not tried: does it train?', summary.untried]]),
    ],
    ['left', 'left'],
  );
}
