// Reads the `modelTopology` of a Keras model (Keras 2, Keras 3, TensorFlow.js) into a plain list of layers. Nothing of it is run.
import { isSize, isUnsaid, type LayerOptions, optionsOf } from './layer-options.ts';
import { LAYER_RULES, type LayerRule, OPERATION, REFUSED_LAYERS } from './layer-rules.ts';
import { createFaultList, fault, isObject, type Json, listOf, objectOf, TopologyFault } from './topology-json.ts';

export interface Layer {
  readonly name: string;
  /** A key of LAYER_RULES. */
  readonly type: string;
  readonly options: LayerOptions;
  /** Names of earlier layers, or of the topology's input. */
  readonly inputs: readonly string[];
}

export interface Topology {
  /** Name of the one input. */
  readonly input: string;
  /** Columns of a row. */
  readonly columns: number;
  /** Each after its inputs; the last one is the output. */
  readonly layers: readonly Layer[];
}

const MAX_LAYERS = 128;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

function nameOf(value: unknown): string {
  if (typeof value !== 'string' || !NAME.test(value) || value in Object.prototype)
    throw fault('a layer’s name must be letters, digits, _ . or -, at most 64');
  return value;
}

function columnsOf(config: Json): number {
  const shape = config.batch_input_shape ?? config.batch_shape;
  const [rows, columns, ...more] = Array.isArray(shape) ? shape : [];
  if (rows !== null || !isSize(columns) || more.length > 0)
    throw fault(
      'the input is a row of the contract’s columns: give it the shape [null, columns], in Keras by keras.Input([columns])',
    );
  return columns;
}

/** Where Keras's own layers are from. Anyone's class can be called Dense, and `x + y` is written as an Add of another module. */
const KERAS_LAYERS = /^(tf_)?keras\.(src\.)?layers\b/;

function ruleOf({ class_name, module, registered_name }: Json): readonly [string, LayerRule] {
  const name = String(class_name).slice(0, 64);
  if (typeof module === 'string' && /\bops\b/.test(module)) throw fault(`layer ${name}: ${OPERATION}`);
  const foreign =
    (typeof module === 'string' && !KERAS_LAYERS.test(module)) || String(registered_name ?? '').includes('>');
  const found = foreign ? undefined : LAYER_RULES.get(name);
  if (found) return [name, found];
  const reason = REFUSED_LAYERS.get(name) ?? 'it is not known here: see docs/models.md';
  throw fault(
    `layer ${name}: ${foreign && LAYER_RULES.has(name) ? 'it is not Keras’s own layer of that name' : reason}`,
  );
}

function readLayer(entry: Json, inputs: readonly string[]): Layer {
  const [type, rule] = ruleOf(entry);
  const config = objectOf(entry.config, `config of ${type}`);
  const name = nameOf(config.name);
  const fits = rule.inputs === 'one' ? inputs.length === 1 : inputs.length > 1;
  if (!fits) throw fault(`${type} ${name}: takes ${rule.inputs === 'one' ? 'one input' : 'two inputs or more'}`);
  return { name, type, options: optionsOf(type, rule, name, config), inputs };
}

/** Names that a call's arguments stand for: [[[name, 0, 0, {}]]] of Keras 2, {args: [{… keras_history: [name, 0, 0]}]} of Keras 3. */
function inboundOf(name: string, nodes: unknown): string[] {
  const [node, second] = listOf(nodes, `inbound_nodes of ${name}`);
  if (second !== undefined) throw fault(`layer ${name} is used twice: name it once for each use`);
  const calls = isObject(node) ? historiesOf(node.args, name) : listOf(node ?? [], `inbound node of ${name}`);
  if (isObject(node)) requireUnsaid(name, node.kwargs);
  return calls.map((call) => {
    const [from, nodeIndex, tensorIndex, keywords] = listOf(call, `inbound node of ${name}`);
    requireUnsaid(name, keywords);
    if (nodeIndex !== 0 || tensorIndex !== 0) throw fault(`layer ${name} reads a second output: each layer has one`);
    return nameOf(from);
  });
}

/** Dropout called with `training: true` goes on when scoring, say: nothing of the kind is done here. Keras writes defaults, too. */
function requireUnsaid(name: string, keywords: unknown): void {
  if (!isObject(keywords)) return;
  const said = Object.keys(keywords).find((key) => !isUnsaid(key, keywords[key]));
  if (said !== undefined) throw fault(`layer ${name}: it is called with ${said}, which is not read: leave it out`);
}

function historiesOf(args: unknown, name: string): unknown[] {
  if (Array.isArray(args)) return args.flatMap((arg) => historiesOf(arg, name));
  const tensor = objectOf(args, `argument of ${name}`);
  return [objectOf(tensor.config, `argument of ${name}`).keras_history];
}

/** The one layer that `input_layers` or `output_layers` names. */
function theOne(value: unknown, what: string): string {
  const list = listOf(value, what);
  const [call, second] = typeof list[0] === 'string' ? [list] : list;
  if (second !== undefined) throw fault(`${what} names more than one: a task has one input and one output`);
  return nameOf(listOf(call, what)[0]);
}

function readSequential(config: unknown): Topology {
  const entries = listOf(Array.isArray(config) ? config : objectOf(config, 'config').layers, 'layers').map((entry) =>
    objectOf(entry, 'a layer'),
  );
  const first = objectOf(entries[0]?.config, 'config of the first layer');
  const faults = createFaultList();
  const columns = faults.reading(() => columnsOf(first)) ?? 0;
  const explicit = entries[0]?.class_name === 'InputLayer';
  const input = explicit ? nameOf(first.name) : `${nameOf(first.name)}_input`;
  let from = input;
  const layers = entries.slice(explicit ? 1 : 0).flatMap((entry) => {
    const layer = faults.reading(() => readLayer(entry, [from])) ?? [];
    if ('name' in layer) from = layer.name;
    return layer;
  });
  faults.throwAny();
  return { input, columns, layers };
}

function readFunctional(config: Json): Topology {
  const input = theOne(config.input_layers, 'input_layers');
  const output = theOne(config.output_layers, 'output_layers');
  const layers: Layer[] = [];
  const faults = createFaultList();
  let columns: number | undefined;
  for (const value of listOf(config.layers, 'layers')) {
    faults.reading(() => {
      const entry = objectOf(value, 'a layer');
      const layerConfig = objectOf(entry.config, 'config of a layer');
      const name = nameOf(layerConfig.name);
      if (entry.class_name === 'InputLayer') {
        if (name !== input || columns !== undefined) throw fault(`input ${name}: a task has one input`);
        columns = 0; // known to be there, whatever its shape is like
        columns = columnsOf(layerConfig);
      } else {
        ruleOf(entry); // first of all: what is no layer has strange calls
        layers.push(readLayer(entry, inboundOf(name, entry.inbound_nodes)));
      }
    });
  }
  faults.throwAny(); // how the layers hang together is seen once each can be read
  if (columns === undefined) throw fault('no InputLayer is the input');
  if (layers.at(-1)?.name !== output) throw fault(`${output} is the output: name it last`);
  return { input, columns, layers };
}

const isKeras3Input = (value: unknown): boolean =>
  isObject(value) && value.class_name === 'InputLayer' && isObject(value.config) && 'batch_shape' in value.config;

/** Of the activations that are known here, Keras 3 has made one another function: relu6(x + 3) / 6, not 0.2·x + 0.5. */
function activationFaults({ layers }: Topology, entries: unknown): string[] {
  if (!Array.isArray(entries) || !entries.some(isKeras3Input)) return [];
  return layers
    .filter(({ options }) => [options.activation, options.recurrent_activation].includes('hard_sigmoid'))
    .map(({ type, name }) => `${type} ${name}: hard_sigmoid of Keras 3 is not that of Keras 2: use sigmoid`);
}

/** Names are unique, inputs come earlier, and every layer but the last leads somewhere. */
function graphFaults({ input, layers }: Topology): string[] {
  if (layers.length === 0 || layers.length > MAX_LAYERS) return [`${layers.length} layers: give 1 to ${MAX_LAYERS}`];
  const seen = new Set([input]);
  const used = new Set<string>();
  const found = layers.flatMap(({ name, inputs }) => {
    const missing = inputs.filter((from) => !seen.has(from));
    const twice = seen.has(name) ? [`two layers are called ${name}`] : [];
    seen.add(name);
    for (const from of inputs) used.add(from);
    return [...missing.map((from) => `layer ${name} reads ${from}, which is not named before it`), ...twice];
  });
  if (found.length > 0) return found; // whoever reads from nowhere may have meant a layer that leads nowhere
  const idle = layers.slice(0, -1).filter(({ name }) => !used.has(name));
  return idle.map(({ name }) => `layer ${name} leads nowhere: leave it out`);
}

/**
 * `json` has passed `jsonFault`.
 * @throws TopologyFault
 */
function readTopology(json: Json): Topology {
  const top = isObject(json.model_config) ? json.model_config : json;
  const functional = top.class_name === 'Functional' || top.class_name === 'Model';
  if (!functional && top.class_name !== 'Sequential')
    throw fault('is not the modelTopology of a model.json: class_name must be Sequential or Functional');
  const topology = functional ? readFunctional(objectOf(top.config, 'config')) : readSequential(top.config);
  const entries = isObject(top.config) ? top.config.layers : undefined;
  const [first, ...more] = [...graphFaults(topology), ...activationFaults(topology, entries)];
  if (first !== undefined) throw new TopologyFault(first, ...more);
  return topology;
}

const read = new WeakMap<Json, Topology>();

/** As `readTopology`, once per object. @throws TopologyFault */
export function topologyOf(json: Json): Topology {
  const known = read.get(json) ?? readTopology(json);
  read.set(json, known);
  return known;
}

/** undefined of one that is faulty. */
export function readableTopology(json: Json): Topology | undefined {
  try {
    return topologyOf(json);
  } catch (cause) {
    if (cause instanceof TopologyFault) return undefined;
    throw cause;
  }
}

/** Units and activation of the last layer, as of a dense model. Of no layer when the topology is faulty. */
export function headOf(json: Json): { readonly units: number; readonly activation: string } {
  const head = readableTopology(json)?.layers.at(-1);
  if (head?.type !== 'Dense') return { units: 0, activation: 'none' };
  return { units: Number(head.options.units ?? 0), activation: String(head.options.activation ?? 'linear') };
}
