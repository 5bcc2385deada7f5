// Which Keras layers a model may be made of, which of their options count, and why the others are refused.

/** How an option's value is checked. */
export type OptionKind =
  /** a whole number from 1 to 65,536 */
  | 'size'
  /** whole numbers or null, at most 8: a shape, a padding */
  | 'sizes'
  /** whole numbers from 1, at most 8: nothing left open */
  | 'shape'
  /** one whole number or a short list, negative ones too: axes */
  | 'axis'
  | 'number'
  /** from 0, under 1: beyond it the library drops nothing, and says nothing */
  | 'rate'
  /** from 0 to 1 */
  | 'share'
  /** over 0 */
  | 'positive'
  | 'flag'
  | 'activation'
  /** as Keras spells it: `same`, `valid`, `channels_last` */
  | 'word';

/** The one value of an option that is computed here as Keras means it. */
export interface Only {
  readonly value: boolean | number;
  /** What to do instead, or why not. */
  readonly why: string;
  /** Keras's default is another, so it must be said. */
  readonly aloud?: true;
}

export interface LayerRule {
  /** By Keras's own name; other options of a layer must say nothing: null or false. */
  readonly options: Readonly<Record<string, OptionKind>>;
  /** Options of its weights' initialisers, which the federation replaces by its own. */
  readonly initializers: readonly string[];
  readonly inputs: 'one' | 'many';
  /** What Keras takes for granted and TensorFlow.js does not. */
  readonly defaults: Readonly<Record<string, number | string>>;
  /** Keras 3's name of an option, and Keras 2's, which is used here. */
  readonly renamed: Readonly<Record<string, string>>;
  readonly only: Readonly<Record<string, Only>>;
  /** The kernel that its gradient needs and wasm lacks. */
  readonly missingOnWasm?: string;
  /** The kernel whose result on wasm is wrong: found by comparing with cpu, and cpu with finite differences. */
  readonly wrongOnWasm?: string;
}

const rule = (options: LayerRule['options'] = {}, more: Partial<LayerRule> = {}): LayerRule => ({
  options,
  initializers: [],
  inputs: 'one',
  defaults: {},
  renamed: {},
  only: {},
  ...more,
});

const KERNEL = { initializers: ['kernel_initializer', 'bias_initializer'] };
const NORMAL = ['gamma_initializer', 'beta_initializer'];
const POOL = { pool_size: 'sizes', strides: 'sizes', padding: 'word', data_format: 'word' } as const;
const CONVOLUTION = {
  kernel_size: 'sizes',
  strides: 'sizes',
  padding: 'word',
  data_format: 'word',
  activation: 'activation',
  use_bias: 'flag',
} as const;
const RECURRENT = {
  units: 'size',
  activation: 'activation',
  recurrent_activation: 'activation',
  use_bias: 'flag',
  return_sequences: 'flag',
  go_backwards: 'flag',
  implementation: 'size',
} as const;
const UNSEEDED_DROPOUT = { value: 0, why: 'its masks are drawn unseeded: put a Dropout layer before or behind' };
const LOOP = {
  initializers: [...KERNEL.initializers, 'recurrent_initializer'],
  only: { dropout: UNSEEDED_DROPOUT, recurrent_dropout: UNSEEDED_DROPOUT },
};
const GATED = { ...LOOP, defaults: { recurrent_activation: 'sigmoid' } };
const RESET = {
  value: false,
  why: 'TensorFlow.js has no other GRU: make it with reset_after=False',
  aloud: true,
} as const;
const SLOPE = { value: 0, why: 'use LeakyReLU' };
const whole = (layer: string) => ({ value: true, why: `TensorFlow.js cannot train ${layer} without it` });
const MERGE = { inputs: 'many' } as const;

/** Each trains on the wasm backend unless it says otherwise: a test runs all of them on every backend, and compares. */
export const LAYER_RULES: ReadonlyMap<string, LayerRule> = new Map([
  ['Dense', rule({ units: 'size', activation: 'activation', use_bias: 'flag' }, KERNEL)],
  ['Activation', rule({ activation: 'activation' })],
  [
    'ReLU',
    rule(
      { max_value: 'number' },
      { only: { negative_slope: SLOPE, threshold: { value: 0, why: 'use a Dense layer’s bias' } } },
    ),
  ],
  ['LeakyReLU', rule({ alpha: 'number' }, { renamed: { negative_slope: 'alpha' } })],
  ['ELU', rule({}, { only: { alpha: { value: 1, why: 'TensorFlow.js has no other' } } })],
  ['PReLU', rule({ shared_axes: 'axis' }, { initializers: ['alpha_initializer'] })],
  ['Softmax', rule({ axis: 'axis' }, { defaults: { axis: -1 } })],
  ['Dropout', rule({ rate: 'rate', noise_shape: 'sizes' })],
  ['SpatialDropout1D', rule({ rate: 'rate' })],
  [
    'BatchNormalization',
    rule(
      { axis: 'axis', momentum: 'share', epsilon: 'positive' },
      {
        initializers: [...NORMAL, 'moving_mean_initializer', 'moving_variance_initializer'],
        only: { center: whole('BatchNormalization'), scale: whole('BatchNormalization') },
      },
    ),
  ],
  [
    'LayerNormalization',
    rule(
      { axis: 'axis', epsilon: 'positive' },
      {
        initializers: NORMAL,
        only: { center: whole('LayerNormalization'), scale: whole('LayerNormalization') },
      },
    ),
  ],
  ['Flatten', rule({ data_format: 'word' })],
  ['Reshape', rule({ target_shape: 'shape' })],
  ['Permute', rule({ dims: 'sizes' })],
  ['RepeatVector', rule({ n: 'size' })],
  ['Rescaling', rule({ scale: 'number', offset: 'number' })],
  ['Add', rule({}, MERGE)],
  ['Multiply', rule({}, MERGE)],
  ['Average', rule({}, MERGE)],
  ['Maximum', rule({}, MERGE)],
  ['Minimum', rule({}, MERGE)],
  ['Concatenate', rule({ axis: 'axis' }, MERGE)],
  ['MaxPooling1D', rule(POOL, { wrongOnWasm: 'MaxPoolGrad' })],
  ['AveragePooling1D', rule(POOL)],
  ['MaxPooling2D', rule(POOL, { wrongOnWasm: 'MaxPoolGrad' })],
  ['AveragePooling2D', rule(POOL)],
  ['GlobalMaxPooling1D', rule({ data_format: 'word' })],
  ['GlobalAveragePooling1D', rule({ data_format: 'word' })],
  ['GlobalMaxPooling2D', rule({ data_format: 'word' })],
  ['GlobalAveragePooling2D', rule({ data_format: 'word' })],
  ['SimpleRNN', rule(RECURRENT, LOOP)],
  ['GRU', rule(RECURRENT, { ...GATED, only: { ...LOOP.only, reset_after: RESET } })],
  ['LSTM', rule({ ...RECURRENT, unit_forget_bias: 'flag' }, GATED)],
  ['Conv1D', rule({ ...CONVOLUTION, filters: 'size' }, { ...KERNEL, missingOnWasm: 'Conv2DBackpropFilter' })],
  ['Conv2D', rule({ ...CONVOLUTION, filters: 'size' }, { ...KERNEL, missingOnWasm: 'Conv2DBackpropFilter' })],
  [
    'DepthwiseConv2D',
    rule(
      { ...CONVOLUTION, depth_multiplier: 'size' },
      {
        initializers: ['depthwise_initializer', 'bias_initializer'],
        missingOnWasm: 'DepthwiseConv2dNativeBackpropInput',
      },
    ),
  ],
]);

const UNSEEDED = 'it draws from an unseeded generator, so no round could be replayed: use Dropout';
const NESTED = 'layers inside layers are not read: use the layer itself';
/** Keras writes it for `x + y` or `keras.ops.relu(x)`. */
export const OPERATION = 'it is an operation on tensors, not a layer: use a layer, such as Add, Multiply or Activation';
const EINSUM = 'Einsum has no gradient in TensorFlow.js: use Dense';

/** Of layers that people will try: the reason, and what to use instead. */
export const REFUSED_LAYERS: ReadonlyMap<string, string> = new Map([
  ['Embedding', 'gather has no gradient on wasm (UnsortedSegmentSum): one-hot columns and Dense are the same'],
  ['ThresholdedReLU', 'Greater has no gradient in TensorFlow.js: use ReLU'],
  ['Masking', 'Any has no gradient in TensorFlow.js: leave it out'],
  ['UpSampling2D', 'its gradient on wasm is wrong (it differs from that on cpu): use RepeatVector or Dense'],
  ['SeparableConv2D', 'use DepthwiseConv2D and Conv2D'],
  ['GaussianNoise', UNSEEDED],
  ['GaussianDropout', UNSEEDED],
  ['AlphaDropout', UNSEEDED],
  ['Bidirectional', NESTED],
  ['TimeDistributed', NESTED],
  ['RNN', NESTED],
  ['StackedRNNCells', NESTED],
  ['Sequential', 'a model inside a model is not read: name its layers one by one'],
  ['Functional', 'a model inside a model is not read: name its layers one by one'],
  ['Model', 'a model inside a model is not read: name its layers one by one'],
  ['Lambda', 'it is code, and no code is run from a task: use layers'],
  ['TFOpLambda', OPERATION],
  ['SlicingOpLambda', OPERATION],
  ['EinsumDense', EINSUM],
  ['MultiHeadAttention', EINSUM],
  ['Normalization', 'its constants come from data: scale columns in the data contract'],
]);

/** One and the same function under another name. */
export const ACTIVATION_ALIASES: ReadonlyMap<string, string> = new Map([['silu', 'swish']]);

/** As Keras 2 spells them. */
export const LAYER_ACTIVATIONS: ReadonlySet<string> = new Set([
  'elu',
  'gelu',
  'hard_sigmoid',
  'linear',
  'mish',
  'relu',
  'relu6',
  'selu',
  'sigmoid',
  'softmax',
  'softplus',
  'softsign',
  'swish',
  'tanh',
]);
