// The ONNX file of a model: `features` in, `score` out; and `prediction`, in the label's own terms, where a score is not one.
import type { Target } from '../target.ts';
import type { Topology } from '../topology.ts';
import { createGraph, type Graph, type Port, type Value } from './onnx-graph.ts';
import { translateLayer } from './onnx-layers.ts';
import type { ExportFile, NamedTensor } from './tensors.ts';

const FEATURES = 'features';
const SCORE = 'score';
const PREDICTION = 'prediction';

/** @throws ConcordatError EXPORT_UNSUPPORTED for a layer that has no counterpart here */
export function onnxFile(
  { input, columns, layers }: Topology,
  tensors: readonly NamedTensor[],
  target: Target,
  notes: Readonly<Record<string, string>>,
): ExportFile {
  const graph = createGraph('concordat');
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const values = new Map<string, Value>([[input, { name: FEATURES, shape: [columns] }]]);
  let last: Value = { name: FEATURES, shape: [columns] };
  for (const layer of layers) {
    const inputs = layer.inputs.flatMap((from) => values.get(from) ?? []);
    last = translateLayer({ layer, inputs, ops: graph.within(layer.name), tensors: byName });
    values.set(layer.name, last);
  }
  graph.within('output').op('Identity', [last.name], {}, SCORE);
  const outputs: Port[] = [{ name: SCORE, shape: last.shape, type: 'float' }, ...predictionOf(graph, target)];
  const bytes = graph.file([{ name: FEATURES, shape: [columns], type: 'float' }], outputs, notes);
  return { name: 'model.onnx', bytes };
}

/** As `predictionsOf` of the protocol has it; a class stays its place among the codes. */
function predictionOf(graph: Graph, target: Target): Port[] {
  const { op, floats } = graph.within('output');
  const number = (value: number): string => floats(Float32Array.of(value), []);
  switch (target.type) {
    case 'binary':
      return [];
    case 'classes':
      op('ArgMax', [SCORE], { axis: 1, keepdims: 0 }, PREDICTION);
      return [{ name: PREDICTION, shape: [], type: 'int64' }];
    case 'regression': {
      const { minimum, maximum } = target;
      const cut = op('Clip', [SCORE, number(0), number(1)]);
      op('Add', [op('Mul', [cut, number(maximum - minimum)]), number(minimum)], {}, PREDICTION);
      return [{ name: PREDICTION, shape: [1], type: 'float' }];
    }
  }
}
