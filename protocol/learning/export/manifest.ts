// concordat-model.json: what an exported model is, how a row becomes its input, what its output means, and where it comes from.
import { z } from 'zod';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../bytes.ts';
import { addressField, hashField } from '../../messages/fields.ts';
import { featureMapSchema } from '../contract-schema.ts';
import type { DataContract } from '../data-contract.ts';
import { mapWidth } from '../feature-maps.ts';
import { featureNames } from '../features.ts';
import { type Model, parameterCount } from '../model.ts';
import { outputOf } from '../output.ts';
import type { Task } from '../task.ts';
import type { ExportFile } from './tensors.ts';

export const MANIFEST_FILE = 'concordat-model.json';
export const FORMATS = ['tfjs', 'onnx', 'safetensors'] as const;
export type ExportFormat = (typeof FORMATS)[number];

const count = z.int().min(0);
const text = z.string();

const documentSchema = (what: string) =>
  z
    .strictObject({
      hash: hashField.describe('sha256 of the canonical JSON (RFC 8785) of `document`.'),
      document: z.record(text, z.unknown()).describe(what),
    })
    .describe(what);

const chainSchema = z
  .discriminatedUnion('checked', [
    z.strictObject({
      checked: z.literal(true),
      chainId: count,
      federation: addressField.describe('The contract that was asked.'),
      ledger: addressField.describe('The contract that emitted Published with the model’s hash.'),
      transaction: hashField,
      block: count,
      timestamp: count.describe('Of the block, unix seconds.'),
    }),
    z.strictObject({
      checked: z.literal(false),
      why: text.describe('Nothing but the transcript says that this model was published: for people.'),
    }),
  ])
  .describe('Where on chain the model’s hash stands, or that nobody looked.');

const trainingSchema = z
  .strictObject({
    roundsOfTask: count.describe('Published rounds of the task, this one included.'),
    dealers: z
      .array(z.strictObject({ address: addressField, records: count.describe('Proven consented, in this round.') }))
      .describe('Whose updates are in the sum of this round.'),
    records: count.describe('Over all of them.'),
  })
  .describe('Left out when the chain was not asked.');

const privacySchema = z
  .discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('none') }),
    z.strictObject({
      mode: z.literal('dp'),
      budget: z.strictObject({ epsilon: z.number(), delta: z.number() }).describe('Of the task, all its rounds.'),
      spent: z
        .strictObject({ epsilon: z.number(), delta: z.number() })
        .optional()
        .describe(
          'Per customer, over all tasks of the federation, after this round. Left out when the chain was not asked.',
        ),
    }),
  ])
  .describe('Differential privacy per customer.');

const measuredSchema = z.strictObject({
  round: count.describe('The round that measured it.'),
  model: hashField.describe('The model that was measured.'),
  accuracyBps: count.describe('Basis points.'),
  aucBps: count.describe('Basis points; 0 for classes and numbers.'),
});

const metricsSchema = z
  .strictObject({
    model: measuredSchema
      .optional()
      .describe('Of the exported model; left out when no later round has started from it.'),
    base: measuredSchema.describe('Of the model that its round started from: a round measures before it trains.'),
  })
  .describe('By secure sum over consented records, as published.');

const outputSchema = z.strictObject({
  label: text.describe('The field that is predicted.'),
  type: z.enum(['binary', 'classes', 'regression']),
  units: count.describe('Scores of a row.'),
  score: text.describe('What a score is: for people.'),
  prediction: text.describe('How a score becomes a prediction: for people.'),
  codes: z
    .array(z.union([text, z.number()]))
    .optional()
    .describe('Of classes: score k is of code k.'),
  minimum: z.number().optional().describe('Of a number: score 0.'),
  maximum: z.number().optional().describe('Of a number: score 1.'),
  decisionThreshold: z.number().optional().describe('Of a label of 0 or 1: a score at or over it predicts 1.'),
});

const inputSchema = z
  .strictObject({
    name: z.literal('features').describe('Of the tensor in ONNX: rows × columns, float32.'),
    columns: z.array(text).describe('In order.'),
    maps: z
      .array(
        z.strictObject({
          field: text.describe('Of the record.'),
          at: count.describe('Its first column.'),
          width: count.describe('How many columns it fills.'),
          map: featureMapSchema,
        }),
      )
      .describe('How a record becomes columns; every constant is here. docs/spec/01-encodings.md, "Features".'),
  })
  .describe('Computed in float64, rounded once to float32.');

export const modelManifestSchema = z.strictObject({
  v: z.literal('concordat/1/model-manifest'),
  model: z.strictObject({
    hash: hashField.describe('sha256 of the federation’s model file: what is on chain.'),
    kind: text,
    parameters: count,
    layout: z.array(z.strictObject({ name: text, shape: z.array(count) })).describe('Kernels are inputs × units.'),
    state: hashField.optional().describe('Of what the strategy carries on: with it, the weights give the hash again.'),
  }),
  round: count.describe('That published it.'),
  files: z.array(z.strictObject({ name: text, format: z.enum(FORMATS), sha256: hashField, bytes: count })),
  input: inputSchema,
  output: outputSchema,
  chain: chainSchema,
  training: trainingSchema.optional(),
  privacy: privacySchema,
  metrics: metricsSchema,
  task: documentSchema('The task, as it was agreed.'),
  dataContract: documentSchema('The data contract, as it was agreed.'),
  licence: text.optional().describe('As whoever exported it said. Left out: nothing was said, which grants nothing.'),
  provenance: z.array(text).describe('For people.'),
});
export type ModelManifest = z.output<typeof modelManifestSchema>;

/** What the history says of a model. */
export type ModelRecord = Pick<ModelManifest, 'round' | 'chain' | 'training' | 'privacy' | 'metrics'>;

export interface ManifestParts {
  readonly task: Task;
  readonly contract: DataContract;
  readonly model: Model;
  readonly modelHash: Hex;
  readonly record: ModelRecord;
  readonly files: readonly (ExportFile & { readonly format: ExportFormat })[];
  readonly licence: string | undefined;
}

/** The same model, record and licence make the same bytes. */
export function manifestFile(parts: ManifestParts): ExportFile {
  const { task, contract, model, modelHash, record, files, licence } = parts;
  const { hash, ...document } = task;
  const manifest: ModelManifest = {
    v: 'concordat/1/model-manifest',
    model: {
      hash: modelHash,
      kind: task.model.kind,
      parameters: parameterCount(model.layout),
      layout: model.layout.map(({ name, shape }) => ({ name, shape: [...shape] })),
      ...(model.state && { state: model.state }),
    },
    round: record.round,
    files: files.map(({ name, format, bytes }) => ({
      name,
      format,
      sha256: toHex(sha256(bytes)),
      bytes: bytes.length,
    })),
    input: inputOf(contract),
    output: outputOfTask(task, contract),
    chain: record.chain,
    ...(record.training && { training: record.training }),
    privacy: record.privacy,
    metrics: record.metrics,
    task: { hash, document },
    dataContract: { hash: contract.hash, document: contract.document },
    ...(licence !== undefined && { licence }),
    provenance: provenanceOf(parts),
  };
  return { name: MANIFEST_FILE, bytes: utf8ToBytes(`${JSON.stringify(manifest, undefined, 2)}\n`) };
}

function inputOf(contract: DataContract): ModelManifest['input'] {
  let at = 0;
  const maps = contract.fields.flatMap(({ name, features }) =>
    features.map((map) => {
      const entry = { field: name, at, width: mapWidth(map), map };
      at += entry.width;
      return entry;
    }),
  );
  return { name: 'features', columns: featureNames(contract), maps };
}

function outputOfTask({ model, evaluation }: Task, { label, target }: DataContract): ModelManifest['output'] {
  const common = { label: label.name, type: target.type, units: outputOf(model).units };
  switch (target.type) {
    case 'binary': {
      const { decisionThreshold } = evaluation;
      const score = 'probability of label 1, as far as the model is calibrated (a positiveWeight over 1 raises it)';
      const prediction = 'rank by the score, or 1 where it is at or over decisionThreshold';
      return { ...common, score, prediction, ...(decisionThreshold !== undefined && { decisionThreshold }) };
    }
    case 'classes': {
      const prediction =
        'the code whose score is highest, the first of equals; in ONNX its place is the output prediction';
      return { ...common, score: 'a probability per class', prediction, codes: [...target.codes] };
    }
    case 'regression': {
      const { minimum, maximum } = target;
      const prediction =
        'minimum + min(1, max(0, score))·(maximum − minimum); in ONNX that is the output prediction, elsewhere it is yours to do';
      return { ...common, score: 'the number, scaled to [0, 1]', prediction, minimum, maximum };
    }
  }
}

function provenanceOf({ task, modelHash, record, licence }: ManifestParts): string[] {
  const { chain, privacy } = record;
  return [
    `Model ${modelHash}, round ${record.round} of task ${task.id} (${task.title}).`,
    'Trained by federated learning with Concordat. An export looks the hash up; `concordat audit verify` checks the history behind it.',
    chain.checked
      ? `Its hash was published by ledger ${chain.ledger} on chain ${chain.chainId}, block ${chain.block}, transaction ${chain.transaction}.`
      : `NOT CHECKED AGAINST THE CHAIN: ${chain.why}`,
    privacy.mode === 'dp'
      ? 'Trained with differential privacy: see privacy.'
      : 'Trained without differential privacy: a model can remember what it was trained on.',
    `Customers consented to the scene ${task.scene}: other uses are not covered by what they signed.`,
    licence === undefined ? 'No licence was stated.' : `Licence: ${licence}`,
  ];
}
