// A task and a data contract of a few fields: the smallest learning that has every part of the real one.
import { canonicalJson } from '../../../protocol/learning/canonical-json.ts';
import { type DataContract, parseDataContract } from '../../../protocol/learning/data-contract.ts';
import { featureCount } from '../../../protocol/learning/features.ts';
import { parseTask, type Task } from '../../../protocol/learning/task.ts';

const property = (
  name: string,
  fieldClass: string,
  role: string,
  features: readonly object[] = [],
  more: object = {},
) => ({
  name,
  logicalType: 'integer',
  required: true,
  ...more,
  customProperties: [
    { property: 'fieldClass', value: fieldClass },
    { property: 'role', value: role },
    ...(features.length > 0 ? [{ property: 'features', value: features }] : []),
  ],
});

const BOUGHT = { logicalType: 'integer', logicalTypeOptions: { minimum: 0, maximum: 1 } };

const contractDocumentOf = (label: object) => ({
  apiVersion: 'v3.1.0',
  kind: 'DataContract',
  id: 'small-contract',
  version: '1.0.0',
  status: 'active',
  schema: [
    {
      name: 'customers',
      logicalType: 'object',
      properties: [
        property('customer', 'identity', 'id', [], { unique: true }),
        property('age', 'demographics', 'feature', [{ map: 'scaled', centre: 40, scale: 20 }]),
        property('policies', 'insurance', 'feature', [{ map: 'one-hot', values: [0, 1, 2], weight: 1 }]),
        property('bought', 'purchases', 'label', [], label),
      ],
    },
  ],
});

export const contract = parseDataContract(JSON.stringify(contractDocumentOf(BOUGHT)));
/** Columns of a row. */
export const FEATURES = featureCount(contract);
export const contractTextOf = (of: DataContract): string => canonicalJson(of.document);

/** The same with another label. */
export const contractWith = (label: object): DataContract =>
  parseDataContract(JSON.stringify(contractDocumentOf(label)));

/** FedAvgM: a strategy that carries something from round to round. */
const MOMENTUM = {
  name: 'fedavgm',
  localEpochs: 1,
  batchSize: 8,
  learningRate: 0.5,
  serverLearningRate: 1,
  momentum: 0.5,
};

const documentOf = (layers: readonly object[], strategy: object = MOMENTUM, more: object = {}) => ({
  version: 'concordat/1',
  id: 'small-task',
  title: 'A small task',
  scene: 'lead-scoring',
  minEvidence: 'passkey',
  dataContract: { file: 'contract.yaml', hash: contract.hash },
  label: 'bought',
  backend: 'wasm',
  model: {
    kind: 'dense',
    layers,
    loss: 'sigmoid-cross-entropy',
    positiveWeight: 1,
    l2: 0,
    ...more,
  },
  strategy,
  rounds: 2,
  cohort: { min: 3, deadlineMs: 60_000 },
  update: { clipNorm: 1, valueBits: 16, packing: '4x19', weightBound: 10 },
  privacy: { mode: 'none' },
  evaluation: { histogramBins: 4, decisionThreshold: 0.5 },
});

const score = { units: 1, activation: 'sigmoid' };
const taskDocument = documentOf([score]);
export const task = parseTask(JSON.stringify(taskDocument));
export const taskText = canonicalJson(taskDocument);

/** The same with 265,729 parameters: a sum of 17 blocks. */
const wideDocument = documentOf([{ units: 512, activation: 'tanh' }, { units: 512, activation: 'tanh' }, score]);
export const wideTask = parseTask(JSON.stringify(wideDocument));
export const wideTaskText = canonicalJson(wideDocument);

/** The small task under another strategy. */
export function smallTaskOf(strategy: object, model: object = {}): { readonly task: Task; readonly text: string } {
  const text = canonicalJson(documentOf([score], strategy, model));
  return { task: parseTask(text), text };
}

/** The small task for a contract with another label. */
export function taskOfLabel(of: DataContract, model: object, evaluation: object) {
  const document = documentOf([], MOMENTUM, model);
  const dataContract = { ...document.dataContract, hash: of.hash };
  const text = canonicalJson({ ...document, dataContract, evaluation: { histogramBins: 4, ...evaluation } });
  return { task: parseTask(text), text };
}
