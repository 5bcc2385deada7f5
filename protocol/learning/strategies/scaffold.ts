// SCAFFOLD (Karimireddy et al. 2020, option II): each dealer corrects its gradients by how it differs from the others.
import { z } from 'zod';
import { clipVector, weighted } from '../update.ts';
import { clippedToTask, deltaParts, LOCAL_SGD, meanOf, moved, serverRate, sgdFaults, train } from './local-sgd.ts';
import { onGrid, weightsPart } from './parts.ts';
import type { Shape, Strategy, StrategyState } from './strategy.ts';

export const scaffoldSettings = z.strictObject({
  name: z.literal('scaffold'),
  ...LOCAL_SGD,
  serverLearningRate: serverRate,
  /** L2 norm that a dealer's control variate may move by in a round. */
  controlClipNorm: z.number().positive().max(1e6),
  /** N of the paper: dealers that the federation has. The control variate moves by the share of them in the set. */
  dealers: z.int().min(1).max(1_024),
});

const controlOf = ({ control }: StrategyState, length: number): Float64Array => control ?? new Float64Array(length);

export const scaffold = (settings: z.output<typeof scaffoldSettings>): Strategy => {
  const controlPart = (shape: Shape) => weightsPart('control', shape, settings.controlClipNorm);
  return {
    dealersReadState: true,
    faults: (terms) => sgdFaults(terms, settings),
    parts: (shape) => [...deltaParts(shape), controlPart(shape)],
    async contribute(work) {
      const { base, labels, weightFraction } = work;
      const control = controlOf(work.serverState, base.length);
      const own = controlOf(work.dealerState, base.length);
      const correction = Float32Array.from(control, (c, i) => c - (own[i] ?? 0));
      // at first there is nothing to correct, and the round is FedAvg's, bit for bit
      const moves = correction.some((c) => c !== 0);
      const update = await train(work, settings, moves ? { correction } : {});
      const steps = settings.localEpochs * Math.ceil(labels.length / settings.batchSize);
      // c_i⁺ − c_i = −c + (x − y)/(Kη)
      const move = control.map((c, i) => -c - (update.delta[i] ?? 0) / (steps * settings.learningRate));
      // what is kept is what is sent, to the last level: else c and the mean of the c_i part company, round by round
      const sent = onGrid(
        weighted(clipVector(move, settings.controlClipNorm), weightFraction),
        controlPart(work.shape),
      );
      return {
        parts: [weighted(clippedToTask(update, work).delta, weightFraction), sent],
        dealerState: { control: own.map((c, i) => c + (sent[i] ?? 0) / weightFraction) },
      };
    },
    step(round) {
      const before = controlOf(round.state, round.base.length);
      const share = Math.min(1, round.dealers / settings.dealers);
      const control = meanOf(round, 1).map((move, i) => (before[i] ?? 0) + share * move);
      return { weights: moved(round.base, meanOf(round, 0), settings.serverLearningRate), state: { control } };
    },
  };
};
