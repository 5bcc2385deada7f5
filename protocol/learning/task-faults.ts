// What a task can have wrong that its schema does not say: between its parts, and against its data contract.
import type { z } from 'zod';
import { ConcordatError } from '../errors.ts';
import { packingProfile } from '../secagg/packing.ts';
import type { DataContract } from './data-contract.ts';
import { layersFaults } from './layers-model.ts';
import { measureFaults } from './measure.ts';
import { type Output, outputFaults, possibleTypes, type TaskType, typeOf, unitsOf } from './output.ts';
import { privacyFaults } from './privacy/check-task.ts';
import { type Sketch, sketchOf } from './sketch.ts';
import { strategyOf } from './strategies/registry.ts';
import { knownSettings } from './strategies/settings.ts';
import type { TaskFault } from './strategies/strategy.ts';
import { outputsOf, type Target, taskTypeOf } from './target.ts';
import type { taskSchema } from './task-schema.ts';
import { readableTopology } from './topology.ts';

type TaskDocument = z.output<typeof taskSchema>;
type Parts = Sketch<TaskDocument>;
type Model = NonNullable<Parts['model']>;

const labelOutput = (contract: DataContract): Output => ({ type: taskTypeOf(contract), units: outputsOf(contract) });

/**
 * Of what is there: `diagnose.ts` leaves out what breaks the schema, and still learns about the rest.
 * @param contract the label's own word on what the model puts out; without it, the model's
 */
export function taskFaults(parts: Parts, contract?: DataContract): TaskFault[] {
  const { model, evaluation } = parts;
  const label = contract && labelOutput(contract);
  return [
    ...modelFaults(parts, label),
    ...(evaluation ? measureFaults(evaluation, label?.type ?? (model && typeOf(model))) : []),
    ...strategyFaults(parts, label),
    ...packingFaults(parts),
    ...cohortFaults(parts),
    ...personalFaults(parts),
  ];
}

function modelFaults({ model, strategy, backend }: Parts, label: Output | undefined): TaskFault[] {
  if (!model) return [];
  const own = model.kind === 'tfjs-layers' ? layersFaults(model, strategy?.name, backend) : [];
  // of a model of the wrong kind, the last layer is the wrong one too
  return own.some(({ path }) => path === 'model.kind') ? own : [...own, ...outputFaults(model, label)];
}

function strategyFaults(parts: Parts, label: Output | undefined): TaskFault[] {
  const settings = knownSettings(parts.strategy);
  const strategy = settings && strategyOf({ strategy: settings });
  const terms = parts.model ? { ...parts, model: asLabelAsks(parts.model, label) } : parts;
  const own = strategy?.faults(terms) ?? [];
  // what the strategy wants otherwise is not known to its budget
  const others = sketchOf<TaskDocument>(
    parts,
    own.map(({ path }) => path.split('.')),
  );
  return [...own, ...(others ? privacyFaults(others, strategy) : [])];
}

/** A loss for another kind of label has to change, and `contractMatchFaults` says so: here it is as good as left out. */
function asLabelAsks(model: Model, label: Output | undefined): Model {
  if (label === undefined || possibleTypes(model).includes(label.type)) return model;
  return { ...model, loss: label.type === 'classes' ? 'softmax-cross-entropy' : undefined };
}

function packingFaults({ update, cohort }: Parts): TaskFault[] {
  const { packing, valueBits } = update ?? {};
  if (packing === undefined || valueBits === undefined) return [];
  const fault = (advice: string): TaskFault[] => [{ path: 'update.packing', advice }];
  try {
    const { maxDealers } = packingProfile(packing, valueBits);
    if (cohort?.min === undefined || cohort.min <= maxDealers) return [];
    return fault(
      `${packing} holds ${maxDealers} dealers of ${valueBits} bits, the cohort has ${cohort.min}: give fewer valueBits or another packing`,
    );
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    return fault(`${error.detail}: give fewer valueBits or another packing`);
  }
}

function cohortFaults({ cohort }: Parts): TaskFault[] {
  const { deadlineMs, adaptive } = cohort ?? {};
  if (deadlineMs === undefined || adaptive?.minMs === undefined || adaptive.minMs <= deadlineMs) return [];
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
    const { file, hash } = dataContract;
    const problem = hash === undefined ? `is not the hash of ${file}` : `${file} has another hash`;
    faults.push({ path: 'dataContract.hash', advice: `${problem}: give "${contract.hash}", or fetch the file meant` });
  }
  if (label !== undefined && label !== contract.label.name) {
    faults.push({ path: 'label', advice: `the contract's label is ${contract.label.name}: name that` });
  }
  return model ? [...faults, ...outputMatchFaults(model, contract)] : faults;
}

function outputMatchFaults(model: Model, contract: DataContract): TaskFault[] {
  // of a topology that cannot be read, nobody knows what it puts out
  const topology = model.kind === 'tfjs-layers' ? model.topology : undefined;
  if (topology && readableTopology(topology) === undefined) return [];
  const { type, units } = labelOutput(contract);
  if (!possibleTypes(model).includes(type)) {
    return [{ path: 'model.loss', advice: OUTPUT_ADVICE[type](units, contract.target) }];
  }
  const own = unitsOf(model);
  if (own === undefined || own === units) return [];
  const path = model.kind === 'dense' ? 'model.layers' : 'model.topology';
  return [{ path, advice: `the label has ${units} classes: give the last layer as many units` }];
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
