// What each key of a task and of a data contract means, for whoever writes one: shown by editors and by `concordat task check`.
// Paths are dotted, without places in lists; `strategy.ridge.x` is the `x` of one shape and comes before `strategy.x`.

export const TASK_WORDS: Readonly<Record<string, string>> = {
  version: 'Version of this format.',
  id: 'Short name of the task: lower-case letters, digits and hyphens.',
  title: 'One line that a person understands, shown to dealers and on screens.',
  scene:
    'What the model will be used for. A customer must have granted it, and model-training, for every field class the task reads.',
  minEvidence:
    'How a consent must have been given: passkey = signed on the customer’s own device, attested = also on paper.',
  dataContract: 'The data contract that says what a record is.',
  'dataContract.file': 'Where it lies, from the folder of this file.',
  'dataContract.hash': 'sha256 of its canonical JSON. `concordat task check` prints the right one.',
  label: 'The contract’s field of role label.',
  model: 'What is trained: dense layers, or any TensorFlow.js layers model.',
  'model.kind': 'dense: layers written here. tfjs-layers: a Keras topology.',
  'model.layers':
    'Dense layers in order. One layer is logistic or linear regression; the last layer’s output is the score.',
  'model.layers.units': 'Outputs of the layer. The last layer: 1, or one per class.',
  'model.layers.activation':
    'Hidden layers: relu or tanh. The last: sigmoid for a label of 0 or 1, softmax for classes, linear for a number.',
  'model.topology': '`modelTopology` of a model.json as Keras or TensorFlow.js writes it (docs/models.md).',
  'model.weights': 'Names and shapes of the weights, in the order of the model file.',
  'model.weights.name': 'layer/weight, as in the weights manifest.',
  'model.weights.shape': 'Its dimensions.',
  'model.loss':
    'What is minimised: sigmoid-cross-entropy for a label of 0 or 1, softmax-cross-entropy for classes, squared for a number and for ridge.',
  'model.positiveWeight':
    'Weight of a record with label 1 in the loss; label 0 weighs 1. 1 unless the label is 0 or 1.',
  'model.l2': 'Penalty λ: (λ/2)·Σ kernel², biases excepted. 0 = none.',
  backend: 'The tensor engine that dealers train on. Bits differ between them, so it is part of the task.',
  strategy: 'How the federation learns (docs/strategies.md).',
  'strategy.name': 'Which strategy; the other keys depend on it.',
  'strategy.localEpochs': 'Passes over its records that a dealer makes in a round.',
  'strategy.batchSize': 'Records per step of a dealer’s SGD.',
  'strategy.learningRate': 'Step size of a dealer’s SGD.',
  'strategy.dp-fedsgd.learningRate': 'Step size of the server along the noisy mean gradient.',
  'strategy.proximal': 'μ: how strongly dealers are held near the shared model.',
  'strategy.serverLearningRate': 'Step size of the server; 1 = the mean of the dealers.',
  'strategy.momentum': 'Share of the last step that is taken again. 0 = none.',
  'strategy.beta1': 'Share of the old mean of steps in the new one.',
  'strategy.beta2': 'Share of the old mean of squared steps in the new one.',
  'strategy.tau': 'Added to the root of the squares: bounds the adaptive step.',
  'strategy.controlClipNorm': 'L2 norm that a dealer’s control variate may move by in a round.',
  'strategy.dealers': 'Dealers that the federation has.',
  'strategy.featureBound': 'No feature may be further from 0. A dealer with one that is takes no part.',
  'strategy.entryBits': 'Bits of one entry of the summed statistics.',
  'strategy.averageDecay':
    'Share of the old average in the published model, a running average of the steps. 0 = no averaging.',
  'strategy.sumRange': 'A dealer’s sum is cut off beyond this many times what one customer can add.',
  'strategy.evaluationShare':
    'What a customer’s evaluation count moves, over the clip norm. 0 = the model is not evaluated.',
  'strategy.momentWeight': 'How many times more exactly Xᵀy is released than XᵀX.',
  'strategy.penalty': 'Ridge penalty in units of noise·√columns.',
  rounds: 'Rounds of training; each publishes a model. With a privacy budget, all of them together keep it.',
  cohort: 'Who must take part.',
  'cohort.min': 'A round with fewer dealers fails, and the model stays as it is: a sum over few says much about each.',
  'cohort.deadlineMs': 'How long a round waits for dealers, in milliseconds.',
  'cohort.adaptive':
    'Closes a round before its deadline when most are in (docs/rounds.md). Left out: every dealer that is there is waited for.',
  'cohort.adaptive.quantile': 'Share of the dealers that are there, whose time sets the pace of the round.',
  'cohort.adaptive.margin': 'How many times as long as that share took the others are given.',
  'cohort.adaptive.minMs': 'No round is closed early before this, in milliseconds.',
  update: 'How a dealer’s update becomes what is encrypted.',
  'update.clipNorm': 'L2 norm that an update is cut down to. With a privacy budget: the same as privacy.clipNorm.',
  'update.valueBits': 'Bits of one quantised value. 16 costs nothing measurable, 8 little.',
  'update.packing':
    'Values × bits in one coefficient of the ciphertext. Denser packings hold the sum of fewer dealers.',
  'update.weightBound': 'A dealer counts for as many records at most.',
  personalisation:
    'Each dealer tunes the last layer of the published model on its own consented records, for itself: the result never leaves it (docs/rounds.md). Needs kind: dense.',
  'personalisation.localEpochs': 'Passes over its records.',
  'personalisation.learningRate': 'Step size.',
  'personalisation.batchSize': 'Records per step.',
  privacy: 'Differential privacy per customer, or none (docs/privacy.md).',
  'privacy.mode': 'none: sums are exact. dp: noise within a budget; needs strategy dp-fedsgd or dp-ridge.',
  'privacy.epsilon': 'Budget ε of the whole task per customer; a round beyond it does not take place.',
  'privacy.delta': 'δ of the budget: well below one over the number of customers.',
  'privacy.noiseMultiplier':
    'Standard deviation of the noise in a sum, over what one customer can move it by. `concordat task check` says the least that will do.',
  'privacy.clipNorm': 'What one customer is cut down to: the gradient of dp-fedsgd, the feature vector of dp-ridge.',
  'privacy.samplingRate': 'Chance that a customer is in a round. 1 = always.',
  'privacy.honestDealers': 'So many dealers’ noise is enough alone: the rest may add none. At most cohort.min.',
  evaluation: 'How well the model does, measured by the same secure sum.',
  'evaluation.histogramBins':
    'Bins of the histogram of scores, or of errors. Each adds two numbers to what a dealer sends.',
  'evaluation.decisionThreshold':
    'For a label of 0 or 1: a score from here on predicts 1. On the edge of a bin: k/histogramBins.',
  'evaluation.tolerance':
    'For a number: an error under this share of the label’s range counts as right. On the edge of a bin: k/histogramBins.',
};

const QUALITY = 'Checks in words. Checks of type sql or custom are refused: they would run code from the contract.';

export const CONTRACT_WORDS: Readonly<Record<string, string>> = {
  apiVersion: 'Version of the Open Data Contract Standard.',
  kind: 'Says that this is a data contract.',
  id: 'Lasting name of the contract, such as a URN.',
  version: 'Version of this contract: major.minor.patch.',
  status: 'Where it is in its life.',
  name: 'Name for people.',
  description: 'What the data are for and what they are not.',
  'description.purpose': 'What they were collected for.',
  'description.limitations': 'What must not be read into them.',
  'description.usage': 'How they should be used.',
  schema: 'One table: a record is one customer.',
  'schema.name': 'Name of the table.',
  'schema.logicalType': 'A record is an object.',
  'schema.description': 'What a row is.',
  'schema.quality': QUALITY,
  'schema.quality.type': 'Only text.',
  'schema.quality.description': 'What must hold.',
  'schema.properties': 'The fields, in the order in which their columns come.',
  'schema.properties.name': 'Name of the field, as in the header of the CSV file.',
  'schema.properties.logicalType': 'What its values are.',
  'schema.properties.logicalTypeOptions': 'Public bounds: a record outside them is refused.',
  'schema.properties.logicalTypeOptions.minimum': 'Smallest value, inclusive.',
  'schema.properties.logicalTypeOptions.maximum': 'Largest value, inclusive.',
  'schema.properties.logicalTypeOptions.enum': 'The only values there are. For a label: its classes.',
  'schema.properties.required': 'Every record has it. Fields that feed the model must be.',
  'schema.properties.unique': 'No two records share a value. The id must be.',
  'schema.properties.description': 'What it means, its unit and its codes.',
  'schema.properties.quality': QUALITY,
  'schema.properties.quality.type': 'Only text.',
  'schema.properties.quality.description': 'What must hold.',
  'schema.properties.customProperties':
    'What the standard has no place for: fieldClass and role of every field, and features of those that feed the model.',
  'schema.properties.customProperties.property': 'fieldClass, role or features.',
  'schema.properties.customProperties.fieldClass.value': 'The kind of data, as customers grant or refuse it.',
  'schema.properties.customProperties.role.value':
    'id: names the customer. split: test rows are held out. partition: examples are dealt out by it. feature: feeds the model. label: is predicted.',
  'schema.properties.customProperties.features.value':
    'How the field becomes columns. Constants are public: none may be computed from records.',
  slaProperties: 'What the owner of the data promises.',
  'slaProperties.property': 'Which promise.',
  'slaProperties.value': 'How much.',
  'slaProperties.unit': 'Of the value, such as d for days.',
  'slaProperties.driver': 'Why it matters.',
};
