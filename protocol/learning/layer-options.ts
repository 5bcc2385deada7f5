// The options of one Keras layer: what is read, what may be there without saying anything, and what is refused.
import { ACTIVATION_ALIASES, LAYER_ACTIVATIONS, type LayerRule, type Only, type OptionKind } from './layer-rules.ts';
import { createFaultList, fault, isObject, type Json, objectOf } from './topology-json.ts';

export type OptionValue = number | boolean | string | readonly (number | null)[];

/** By Keras 2's names; of those left out, TensorFlow.js's default is Keras's, too. */
export type LayerOptions = Readonly<Record<string, OptionValue>>;

const MAX_SIZE = 65_536;

/** A number of units, columns or steps. */
export const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_SIZE;
const isAxis = (value: unknown): boolean => Number.isInteger(value) && Math.abs(Number(value)) <= 8;

const FITS: Record<OptionKind, (value: unknown) => boolean> = {
  size: isSize,
  sizes: (value) =>
    isSize(value) ||
    (Array.isArray(value) &&
      value.length <= 8 &&
      value.every((part) => part === null || part === -1 || part === 0 || isSize(part))),
  shape: (value) => Array.isArray(value) && value.length >= 1 && value.length <= 8 && value.every(isSize),
  axis: (value) => isAxis(value) || (Array.isArray(value) && value.length <= 8 && value.every(isAxis)),
  number: (value) => typeof value === 'number',
  rate: (value) => typeof value === 'number' && value >= 0 && value < 1,
  share: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  positive: (value) => typeof value === 'number' && value > 0,
  flag: (value) => typeof value === 'boolean',
  activation: (value) => typeof value === 'string' && LAYER_ACTIVATIONS.has(value),
  word: (value) => value === 'same' || value === 'valid' || value === 'channels_last',
};

const WORDS: Record<OptionKind, string> = {
  size: `a whole number from 1 to ${MAX_SIZE}`,
  sizes: 'a whole number, or up to 8 of them',
  shape: 'up to 8 whole numbers over 0, none of them -1 or null',
  axis: 'an axis, or a list of axes',
  number: 'a number',
  rate: 'a number from 0, under 1',
  share: 'a number from 0 to 1',
  positive: 'a number over 0',
  flag: 'true or false',
  activation: `one of ${[...LAYER_ACTIVATIONS].join(', ')}`,
  word: 'same or valid, or channels_last',
};

/** Keras's bookkeeping: it changes nothing that is computed here. `renorm` itself is not read, so its momentum says nothing. */
const IDLE = new Set([
  'name',
  'seed',
  'batch_input_shape',
  'batch_shape',
  'input_shape',
  'use_cudnn',
  'renorm_momentum',
]);

/** Of these, 1 says nothing. */
const FACTORS = new Set(['dilation_rate', 'groups']);

/** An option that says nothing. */
export function isUnsaid(key: string, value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 0) return true;
  return FACTORS.has(key) && [value].flat().every((factor) => factor === 1);
}

const typeName = (value: unknown): unknown => (isObject(value) ? objectOf(value.config, 'dtype').name : value);

/** Keras's other names for options and activations, as ours. @throws TopologyFault */
function translated(rule: LayerRule, where: string, config: Json): Json {
  const ours = new Map<string, unknown>(Object.entries(rule.defaults));
  for (const [key, value] of Object.entries(config)) {
    const name = Object.hasOwn(rule.renamed, key) ? String(rule.renamed[key]) : key;
    if (name !== key && config[name] !== undefined) throw fault(`${where}: ${key} and ${name} are the same: give one`);
    const known = rule.options[name] === 'activation' ? ACTIVATION_ALIASES.get(String(value)) : undefined;
    if (value !== null || !ours.has(name)) ours.set(name, known ?? value);
  }
  return Object.fromEntries(ours);
}

function requireOnly(where: string, key: string, { value, why, aloud }: Only, config: Json): void {
  const said = config[key] ?? (aloud ? undefined : value);
  if (said !== value) throw fault(`${where}: ${key} must be ${value}: ${why}`);
}

/** @throws TopologyFault */
function requireFit(where: string, key: string, value: unknown, kind: OptionKind): void {
  if (FITS[kind](value)) return;
  const shown = typeof value === 'string' ? ` ${value.slice(0, 32)}` : '';
  const hint = kind === 'activation' ? ', or use a layer of its own, such as LeakyReLU' : '';
  throw fault(`${where}: ${key}${shown} does not fit: give ${WORDS[kind]}${hint}`);
}

/** Of an option that no rule of the layer's names. @throws TopologyFault */
function requireIdle(where: string, key: string, value: unknown): void {
  if (key === 'dtype') {
    if (typeName(value) !== 'float32') throw fault(`${where}: only float32 is trained: give dtype float32`);
  } else if (key === 'trainable') {
    if (value !== true) throw fault(`${where}: a frozen layer would keep its random start: give trainable true`);
  } else if (key.endsWith('_regularizer')) {
    if (value !== null) throw fault(`${where}: ${key} is not read: give null, and use the task’s model.l2`);
  } else if (!IDLE.has(key) && !key.endsWith('_initializer') && !isUnsaid(key, value)) {
    throw fault(`${where}: the option ${key} is not read: leave it out`);
  }
}

/**
 * What a layer's config says, by its rule.
 * @throws TopologyFault for all that would be computed otherwise than its author meant
 */
export function optionsOf(type: string, rule: LayerRule, name: string, config: Json): LayerOptions {
  const where = `${type} ${name}`;
  const faults = createFaultList();
  for (const [key, only] of Object.entries(rule.only)) faults.reading(() => requireOnly(where, key, only, config));
  const said: Record<string, OptionValue> = {};
  for (const [key, value] of Object.entries(faults.reading(() => translated(rule, where, config)) ?? {})) {
    if (Object.hasOwn(rule.only, key)) continue;
    const kind = Object.hasOwn(rule.options, key) ? rule.options[key] : undefined;
    if (kind === undefined) {
      faults.reading(() => requireIdle(where, key, value));
    } else if (value !== null) {
      faults.reading(() => requireFit(where, key, value, kind));
      said[key] = value as OptionValue;
    }
  }
  faults.throwAny();
  return said;
}
