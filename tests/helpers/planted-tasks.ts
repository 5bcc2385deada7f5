// Files with planted faults. Each carries its own table: behind a line stands what must be said of it, once per fault, as
// `# ✗ path | problem | remedy`; a remedy that ends in … is a beginning.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { parseDataContract } from '../../protocol/learning/data-contract.ts';

export const TELCO = join(PACKAGE_ROOT, 'examples/telco/contract.yaml');
const source = readFileSync(TELCO, 'utf8');
export const { hash: HASH } = parseDataContract(source);

/** A sound task up to its model. */
export const HEAD = `version: concordat/1
id: planted
title: Who is about to leave?
scene: churn-retention
minEvidence: passkey
dataContract: { file: contract.yaml, hash: "${HASH}" }
label: churn
`;
export const COHORT = 'cohort: { min: 3, deadlineMs: 120000 }\n';
export const UPDATE = 'update: { clipNorm: 2.5, valueBits: 16, packing: 3x26, weightBound: 4096 }\n';
export const EVALUATION = 'evaluation: { histogramBins: 16, decisionThreshold: 0.5 }\n';
export const FEDAVG = 'strategy: { name: fedavg, localEpochs: 5, batchSize: 32, learningRate: 0.01 }\nrounds: 10\n';
export const NO_PRIVACY = 'privacy: { mode: none }\n';
export const LOGISTIC = `model:
  kind: dense
  layers: [{ units: 1, activation: sigmoid }]
  loss: sigmoid-cross-entropy
  positiveWeight: 1
  l2: 0
`;

const ZEROS = '0'.repeat(64);
/** By what they show. */
export const FAULTY_TASKS: Readonly<Record<string, string>> = {
  'dp-ridge with nothing right': `version: concordat/2 # ✗ version | concordat/2 is not known; is it concordat/1? | give concordat/1…
id: planted
title: Who is about to leave?
scene: churn-retentoin # ✗ scene | churn-retentoin is not known; is it churn-retention? | give one of…
minEvidence: passkey
dataContract:
  file: contract.yaml
  hash: "0x${ZEROS}" # ✗ dataContract.hash | contract.yaml has another hash | give "${HASH}", or fetch the file meant
label: chrun # ✗ label | the contract's label is churn | name that
model:
  kind: dense
  layers: [{ units: 4, activation: linear }, { units: 1, activation: sigmoid }] # ✗ model.layers | dp-ridge is linear | name the score layer alone ✗ model.layers.0.activation | linear is for the last layer | use relu or tanh
  loss: sigmoid-cross-entropy # ✗ model.loss | dp-ridge minimises the squared loss | name that
  positiveWeight: 2 # ✗ model.positiveWeight | dp-ridge weighs all alike | give 1
  l2: 0.5 # ✗ model.l2 | dp-ridge takes its penalty from the noise | give 0
strategy:
  name: dp-ridge
  sumRange: 1024
  momentWeight: 100 # ✗ strategy.momentWeight | 100 is too large | give a number from 0.1 to 10…
  penalty: 2
rounds: 3 # ✗ rounds | dp-ridge is done after one | give 1
cohort:
  min: 3
  deadlineMs: 120000
  adaptive: { quantile: 0.9, margin: 2, minMs: 200000 } # ✗ cohort.adaptive.minMs | is beyond deadlineMs | give less
update:
  clipNorm: 2 # ✗ update.clipNorm | what is cut down is each customer | give privacy.clipNorm here too
  valueBits: 16
  packing: 5x15 # ✗ update.packing | a slot of 15 bits holds the sum of 0 16-bit values, a cohort has 3 | give fewer valueBits or another packing
  weightBound: 4096
privacy: # of the budget nothing can be said: dp-ridge wants other rounds and another rate
  mode: dp
  epsilon: 0.001
  delta: 0.00001
  noiseMultiplier: 0.2
  clipNorm: 7
  samplingRate: 0.5 # ✗ privacy.samplingRate | dp-ridge uses everybody | give 1
  honestDealers: 5 # ✗ privacy.honestDealers | a round may have as few as 3 dealers (cohort.min) | give no more
evaluation:
  histogramBins: 16
  decisionThreshold: 0.51 # ✗ evaluation.decisionThreshold | must lie on the edge of a bin, so that accuracy is exact | choose k/histogramBins
  tolerance: 0.5 # ✗ evaluation.tolerance | is for a number alone | leave it out
`,
  'a budget that does not last, beside two clip norms': `${HEAD}${LOGISTIC}strategy: { name: dp-fedsgd, learningRate: 1, momentum: 0, averageDecay: 0, sumRange: 64, evaluationShare: 0 }
rounds: 150
${COHORT}update:
  clipNorm: 2 # ✗ update.clipNorm | what is cut down is each customer | give privacy.clipNorm here too
  valueBits: 16
  packing: 3x26
  weightBound: 4096
privacy:
  mode: dp
  epsilon: 3
  delta: 0.00001
  noiseMultiplier: 1 # ✗ privacy.noiseMultiplier | epsilon 3 lasts 1 of 150 rounds | give at least 3.844
  clipNorm: 2.5
  samplingRate: 0.2
  honestDealers: 4 # ✗ privacy.honestDealers | a round may have as few as 3 dealers (cohort.min) | give no more
${EVALUATION}`,
  'a noise that breaks the schema: the budget is not blamed too, everything else is': `${HEAD}model:
  kind: dense
  layers: [{ units: 1, activation: sigmoid }]
  loss: squared # ✗ model.loss | dp-fedsgd descends on sigmoid-cross-entropy, on softmax-cross-entropy, and on squared loss with a linear output | name one of them
  positiveWeight: 0 # ✗ model.positiveWeight | 0 is too small | give a number over 0 to 10000…
  l2: 0
strategy: { name: dp-fedsgd, learningRate: 1, momentum: 0, averageDecay: 0, sumRange: 64, evaluationShare: 0 }
rounds: 150
${COHORT}${UPDATE}privacy:
  mode: dp
  epsilon: 0.001
  delta: 0.00001
  noiseMultiplier: 0 # ✗ privacy.noiseMultiplier | 0 is too small | give a number from 0.1 to 10000…
  clipNorm: 7
  samplingRate: 0.2
  honestDealers: 4 # ✗ privacy.honestDealers | a round may have as few as 3 dealers (cohort.min) | give no more
${EVALUATION}`.replace(
    UPDATE,
    `${UPDATE.trimEnd()} # ✗ update.clipNorm | what is cut down is each customer | give privacy.clipNorm here too\n`,
  ),
  'a budget under a strategy without noise: its figures are not blamed too': `${HEAD}model:
  kind: dense
  layers: [{ units: 1, activation: sigmoid }]
  loss: squared # ✗ model.loss | this strategy descends on sigmoid-cross-entropy, on softmax-cross-entropy, and on squared loss with a linear output | name one of them
  positiveWeight: 1
  l2: 10 # ✗ model.l2 | learningRate·(l2 + proximal) must be under 1, or every step overshoots | lower one of them
strategy: { name: fedprox, localEpochs: 5, batchSize: 32, learningRate: 0.1, proximal: 1 }
rounds: 10
${COHORT}${UPDATE}privacy:
  mode: dp # ✗ privacy.mode | the strategy adds no noise | name dp-fedsgd or dp-ridge, or give mode: none
  epsilon: 0.001
  delta: 0.00001
  noiseMultiplier: 0.2
  clipNorm: 7
  samplingRate: 0.2
  honestDealers: 9
${EVALUATION}`,
  'a setting that breaks the schema: what depends on it is not blamed too': `${HEAD}model:
  kind: dense
  layers: [{ units: 1, activation: sigmoid }]
  loss: squared # ✗ model.loss | this strategy descends on sigmoid-cross-entropy, on softmax-cross-entropy, and on squared loss with a linear output | name one of them
  positiveWeight: 1
  l2: 1
strategy: { name: fedavg, localEpochs: 5, batchSize: 32, learningRate: 20 } # ✗ strategy.learningRate | 20 is too large | give a number over 0 to 10…
rounds: 10
${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`,
  'misspelt keys: what they were meant to say is not also missing':
    `${HEAD}backnd: cpu # ✗ backnd | backnd is not known here | write backend, or leave it out
${LOGISTIC}strategy:
  name: ridge
  featureBond: 1 # ✗ strategy.featureBond | featureBond is not known here | write featureBound, or leave it out
  entryBits: 32
rounds: 10
${COHORT}${UPDATE}${NO_PRIVACY}evaluation:
  histogramBins: 16
  decisionTreshold: 0.5 # ✗ evaluation.decisionTreshold | decisionTreshold is not known here | write decisionThreshold, or leave it out
`
      .replace('strategy:\n', 'strategy: # ✗ strategy.featureBound | is missing | add featureBound…\n')
      .replace(
        'loss: sigmoid-cross-entropy\n',
        'loss: sigmoid-cross-entropy # ✗ model.loss | ridge minimises the squared loss | name that\n',
      )
      .replace('l2: 0\n', 'l2: 0 # ✗ model.l2 | one-hot columns need a penalty | give l2 over 0\n'),
  'a loss for another kind of label: what the label asks for, and what has nothing to do with it': `${HEAD}model:
  kind: dense
  layers: [{ units: 3, activation: linear }, { units: 2, activation: relu }] # ✗ model.layers | ridge is linear | name the score layer alone ✗ model.layers.0.activation | linear is for the last layer | use relu or tanh
  loss: softmax-cross-entropy # ✗ model.loss | the label is 0 or 1 | give the last layer activation: sigmoid, and sigmoid-cross-entropy or squared loss
  positiveWeight: 3
  l2: 0 # ✗ model.l2 | one-hot columns need a penalty | give l2 over 0
strategy: { name: ridge, featureBound: 20, entryBits: 32 }
rounds: 1
${COHORT}${UPDATE}${NO_PRIVACY}evaluation:
  histogramBins: 16
  decisionThreshold: 0.51 # ✗ evaluation.decisionThreshold | must lie on the edge of a bin, so that accuracy is exact | choose k/histogramBins
`,
  'a misspelt strategy and kind: what stands beside is read as it was meant': `${HEAD}model:
  kind: denze # ✗ model.kind | denze is not known; is it dense? | give one of dense, tfjs-layers…
  layers: [{ units: 1, activation: sigmoid }]
  loss: sigmoid-cross-entropy
  positiveWeight: 1
  l2: 10 # ✗ model.l2 | learningRate·(l2) must be under 1, or every step overshoots | lower one of them
strategy:
  name: fedavgg # ✗ strategy.name | fedavgg is not known; is it fedavg? | give one of fedavg, fedprox…
  localEpochs: 500 # ✗ strategy.localEpochs | 500 is too large | give an integer from 1 to 100…
  batchSize: 32
  learningRate: 1
rounds: 10
${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`,
  'a strategy with noise, and no budget: its keys are not strangers too': `${HEAD}${LOGISTIC}strategy: { name: dp-fedsgd, learningRate: 1, momentum: 0, averageDecay: 0, sumRange: 64, evaluationShare: 0 }
rounds: 150
${COHORT}${UPDATE}privacy:
  mode: none # ✗ privacy.mode | dp-fedsgd needs a budget | give mode: dp
  epsilon: 3
  delta: 0.00001
  noisemultiplier: 4 # ✗ privacy.noisemultiplier | noisemultiplier is not known here | leave it out; here may stand mode
${EVALUATION}`,
  'bits too few for the noise, beside what they do not depend on': `${HEAD}model:
  kind: dense
  layers: [{ units: 1, activation: sigmoid }]
  loss: sigmoid-cross-entropy
  positiveWeight: 1
  l2: -1 # ✗ model.l2 | -1 is too small | give a number from 0 to 10…
strategy: { name: dp-fedsgd, learningRate: 1, momentum: 0, averageDecay: 0, sumRange: 64, evaluationShare: 0 }
rounds: 150
${COHORT}update:
  clipNorm: 1 # ✗ update.clipNorm | what is cut down is each customer | give privacy.clipNorm here too
  valueBits: 4 # ✗ update.valueBits | 4 bits are too few for sums of 64 clip norms with this much noise | give more, or less sumRange
  packing: 3x26
  weightBound: 4096
privacy:
  { mode: dp, epsilon: 3, delta: 0.00001, noiseMultiplier: 3.844, clipNorm: 2.5, samplingRate: 0.2, honestDealers: 3 }
evaluation:
  histogramBins: 16
  decisionThreshold: 0.5
  tolerance: 0.5 # ✗ evaluation.tolerance | is for a number alone | leave it out
`,
  'a model too large beside a fault elsewhere': `${HEAD.replace(
    'passkey',
    'word # ✗ minEvidence | word is not known | give one of attested, passkey…',
  )}model:
  kind: dense
  layers: [{ units: 4096, activation: relu }, { units: 4096, activation: relu }, { units: 1, activation: sigmoid }] # ✗ model.layers | 16953345 parameters, at most 10000000 | use fewer units
  loss: sigmoid-cross-entropy
  positiveWeight: 1
  l2: 0
${FEDAVG}${COHORT}${UPDATE}${NO_PRIVACY}${EVALUATION}`,
};

export const FAULTY_CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: urn:concordat:planted
version: 1.0 # ✗ version | 1 is a number | give text like ^\\d+\\.\\d+\\.\\d+$…
status: active
schema:
  - name: customers
    logicalType: object
    properties:
      - name: number # ✗ schema.0.properties.0 | the id of a record is one of its own | give required: true, unique: true
        logicalType: string
        logicalTypeOptions: { minimum: 1 } # ✗ schema.0.properties.0.logicalTypeOptions | a string has no minimum or maximum | leave them out
        required: true
        customProperties: [{ property: fieldClass, value: identity }, { property: role, value: id }]
      - name: part
        logicalType: string
        requierd: true # ✗ schema.0.properties.1.requierd | requierd is not known here | write required, or leave it out
        logicalTypeOptions: { enum: [learn, check] } # ✗ schema.0.properties.1.logicalTypeOptions | the hold-out is what its enum calls test | give enum: [train, test]
        customProperties: [{ property: fieldClass, value: identity }, { property: role, value: split }]
      - name: age # ✗ schema.0.properties.2 | a field that feeds the model must be required | give required: true
        logicalType: integer
        logicalTypeOptions: { minimum: 120, maximum: 18 } # ✗ schema.0.properties.2.logicalTypeOptions.minimum | minimum is over maximum | lower it, or raise the other
        customProperties:
          - { property: fieldClass, value: demografics } # ✗ schema.0.properties.2.customProperties.0.value | demografics is not known; is it demographics? | give one of…
          - { property: role, value: feature }
          - { property: features, value: [{ map: scaled, centre: 0, scale: 1 }] }
      - name: town
        description: 7 # ✗ schema.0.properties.3.description | 7 is a number | give text…
        logicalType: string
        required: true
        logicalTypeOptions: { enum: [Ulm, Bonn] }
        customProperties:
          - { property: fieldClass, value: demographics }
          - { property: role, value: feature }
          - property: features
            value:
              - map: one-hot
                weight: 1
                values:
                  - Ulm
                  - Kiel # ✗ schema.0.properties.3.customProperties.2.value.0.values.1 | Kiel is not in the field's enum | give a code of it
                  - Jena # ✗ schema.0.properties.3.customProperties.2.value.0.values.2 | Jena is not in the field's enum | give a code of it
      - name: town # ✗ schema.0.properties.4.name | two fields have this name | give one another
        logicalType: number
        required: true
        customProperties:
          - { property: role, value: feature } # ✗ schema.0.properties.4.customProperties | customProperties must name its fieldClass | add { property: fieldClass, value: … }
          - property: features
            value:
              - map: scaled
                centre: none # ✗ schema.0.properties.4.customProperties.1.value.0.centre | "none" is a text | give a number…
                scale: 1
                minimum: 5
                maximum: 4 # ✗ schema.0.properties.4.customProperties.1.value.0.maximum | must be over minimum | give a number…
      - name: churn # ✗ schema.0.properties.5 | there is nothing to learn from a record without its label | give required: true ✗ schema.0.properties.5 | a number needs a minimum and a maximum | give public bounds that every value lies in, or 0 and 1 for no and yes
        logicalType: number
        customProperties: [{ property: fieldClass, value: purchases }, { property: role, value: label }]
`;
