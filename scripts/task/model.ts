// `concordat task model`: the `model` block of a task, from what Keras or TensorFlow.js saved.
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { readFileOrExplain } from '../../kit/files.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { LayersModel } from '../../protocol/learning/task.ts';
import { headOf, topologyOf } from '../../protocol/learning/topology.ts';
import { TopologyFault } from '../../protocol/learning/topology-json.ts';

export function registerModel(task: Command): void {
  task
    .command('model')
    .description(
      'make the model block of a task from a model.json of TensorFlow.js, or from what model.to_json() of Keras says',
    )
    .argument('<file>', 'JSON')
    .action(async (file: string) => {
      const source = await readFileOrExplain(file);
      const model = await modelBlock(source.toString('utf8'), file);
      process.stdout.write(`${stringify({ model }, { flowCollectionPadding: true, lineWidth: 120 })}`);
    });
}

const LOSS_OF: Readonly<Record<string, LayersModel['loss']>> = {
  softmax: 'softmax-cross-entropy',
  linear: 'squared',
};

/** @throws ConcordatError FILE_UNREADABLE, MODEL_UNTRAINABLE */
export async function modelBlock(source: string, file: string): Promise<LayersModel> {
  const topology = topologyIn(source, file);
  // slow to load, and seldom needed
  const { startTensorBackend } = await import('../../engines/tensor/backend.ts');
  const { layoutOfTopology } = await import('../../engines/tensor/layers-build.ts');
  await startTensorBackend('cpu');
  const layout = layoutOfTopology(readOrExplain(topology));
  return {
    kind: 'tfjs-layers',
    topology,
    weights: layout.map(({ name, shape }) => ({ name, shape: [...shape] })),
    loss: LOSS_OF[headOf(topology).activation] ?? 'sigmoid-cross-entropy',
    positiveWeight: 1,
    l2: 0,
  };
}

function readOrExplain(topology: Record<string, unknown>) {
  try {
    return topologyOf(topology);
  } catch (cause) {
    throw cause instanceof TopologyFault
      ? new ConcordatError('MODEL_UNTRAINABLE', cause.message, {}, { cause })
      : cause;
  }
}

/** Without the weights and what belongs to their file: the federation draws its own. */
function topologyIn(source: string, file: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch (cause) {
    throw new ConcordatError('FILE_UNREADABLE', `${file} is not JSON`, { file }, { cause });
  }
  const whole = (json ?? {}) as { modelTopology?: Record<string, unknown>; model_config?: Record<string, unknown> };
  const topology = whole.modelTopology ?? whole;
  const { class_name, config } = (topology.model_config ?? topology) as Record<string, unknown>;
  return { class_name, config };
}
