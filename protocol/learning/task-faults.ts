// What a task can have wrong that its schema does not say: between its parts, and against its data contract.
import type { z } from 'zod';
import { ConcordatError } from '../errors.ts';
import { packingProfile } from '../secagg/packing.ts';
import type { DataContract } from './data-contract.ts';
import { layersFaults } from './layers-model.ts';
import { measureFaults } from './measure.ts';
import { outputFaults, outputOf, type TaskType } from './output.ts';
import { privacyFault } from './privacy/check-task.ts';
import { strategyOf } from './strategies/registry.ts';
import type { TaskFault } from './strategies/strategy.ts';
import { outputsOf, type Target, taskTypeOf } from './target.ts';
import type { taskSchema } from './task-schema.ts';
import { headOf } from './topology.ts';

type TaskDocument = z.output<typeof taskSchema>;
type Parts = Partial<TaskDocument>;

/** Of the parts that are there: `diagnose.ts` leaves out those that break the schema, and still learns about the rest. */
export function taskFaults(parts: Parts): TaskFault[] {
  const { model, evaluation } = parts;
  const own = modelFaults(parts);
  // whether the loss fits the last layer is said once: by the model itself, if it has something to say
  const strategy = strategyFaults(parts).filter(({ path }) => own.length === 0 || path !== 'model.loss');
  return [
    ...own,
    ...(model && evaluation ? measureFaults({ model, evaluation }) : []),
    ...strategy,
    ...packingFaults(parts),
    ...cohortFaults(parts),
    ...personalFaults(parts),
  ];
}

function modelFaults({ model, strategy, backend }: Parts): TaskFault[] {
  if (!model) return [];
  const faults = model.kind === 'tfjs-layers' && strategy && backend ? layersFaults(model, strategy.name, backend) : [];
  return faults.length > 0 ? faults : outputFaults(model);
}

function strategyFaults({ model, strategy, rounds, cohort, update, privacy, evaluation }: Parts): TaskFault[] {
  if (!model || !strategy || !rounds || !cohort || !update || !privacy || !evaluation) return [];
  const bound = strategyOf({ strategy });
  const terms = { model, rounds, cohort, update, privacy, evaluation };
  return [bound.fault(terms), privacyFault(terms, bound)].filter((fault) => fault !== undefined);
}

function packingFaults({ update, cohort }: Parts): TaskFault[] {
  if (!update || !cohort) return [];
  const { packing, valueBits } = update;
  const fault = (advice: string): TaskFault[] => [{ path: 'update.packing', advice }];
  try {
    const { maxDealers } = packingProfile(packing, valueBits);
    if (cohort.min <= maxDealers) return [];
    return fault(`${packing} holds ${maxDealers} dealers of ${valueBits} bits, the cohort has ${cohort.min}`);
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    return fault(`${error.detail}: give fewer valueBits or another packing`);
  }
}

function cohortFaults({ cohort }: Parts): TaskFault[] {
  if (!cohort?.adaptive || cohort.adaptive.minMs <= cohort.deadlineMs) return [];
  return [{ path: 'cohort.adaptive.minMs', advice: 'is beyond deadlineMs: give less' }];
}

function personalFaults({ personalisation, model }: Parts): TaskFault[] {
  if (!personalisation || model?.kind !== 'tfjs-layers') return [];
  return [{ path: 'personalisation', advice: 'needs model.kind: dense: leave it out' }];
}

/** That the task is about this contract: the hash it names, its label, and a model that puts out what the label asks for. */
export function contractMatchFaults({ dataContract, label, model }: Parts, contract: DataContract): TaskFault[] {
  const faults: TaskFault[] = [];
  if (dataContract && dataContract.hash !== contract.hash) {
    const advice = `${dataContract.file} has another hash: give "${contract.hash}", or fetch the file meant`;
    faults.push({ path: 'dataContract.hash', advice });
  }
  if (label !== undefined && label !== contract.label.name) {
    faults.push({ path: 'label', advice: `the contract's label is ${contract.label.name}` });
  }
  return model ? [...faults, ...outputMatchFaults(model, contract)] : faults;
}

function outputMatchFaults(model: TaskDocument['model'], contract: DataContract): TaskFault[] {
  // of a topology that cannot be read, nobody knows what it puts out
  if (model.kind === 'tfjs-layers' && headOf(model.topology).units === 0) return [];
  const { type, units } = outputOf(model);
  const [wanted, classes] = [taskTypeOf(contract), outputsOf(contract)];
  if (type !== wanted) return [{ path: 'model.loss', advice: OUTPUT_ADVICE[wanted](classes, contract.target) }];
  if (units === classes) return [];
  const path = model.kind === 'dense' ? 'model.layers' : 'model.topology';
  return [{ path, advice: `the label has ${classes} classes: give the last layer as many units` }];
}

/** What a model of the contract's label must be. */
const OUTPUT_ADVICE: Record<TaskType, (units: number, target: Target) => string> = {
  binary: () =>
    'the label is 0 or 1: give the last layer activation: sigmoid, and sigmoid-cross-entropy or squared loss',
  classes: (units) =>
    `the label has ${units} classes: give softmax-cross-entropy, and a last layer of ${units} softmax units`,
  regression: (_, target) => {
    const advice = 'the label is a number: give loss: squared, and a last layer of one linear unit';
    const share = target.type === 'regression' && target.minimum === 0 && target.maximum === 1;
    return share ? `${advice}; or, if it is 0 or 1, make it an integer in the contract` : advice;
  },
};
