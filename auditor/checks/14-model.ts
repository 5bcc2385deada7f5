// 14: each published model is what the task's strategy makes of the one before it and the opened sum, bit for bit; so is what
// the strategy carries on, which is recomputed from the first round and never read.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeModel, encodeModel, modelHash } from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { NO_STATE, type StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { stateHash } from '../../protocol/learning/strategy-state.ts';
import { totalWeightFraction } from '../../protocol/learning/update.ts';
import type { Evidence } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { openedSums } from '../opened-sums.ts';
import { type AuditedRound, roundsWith, theEntry } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const modelCheck: Check = {
  id: '14',
  title: 'Every model is made of its base and the opened sum, bit for bit',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    let last: { model: Hex | undefined; state: StrategyState } = {
      model: genesis?.body.initialModel,
      state: NO_STATE,
    };
    const rounds = roundsWith(evidence, 'model');
    for (const round of rounds) {
      const what = `round ${round.round}: model`;
      if (genesis === undefined) tally.unsure(what, 'no task to tell how it is made');
      else {
        const state = await tally.attempt(what, () => checkModel(evidence, genesis, round, last, tally));
        last = { model: round.published?.modelHash ?? last.model, state: state ?? NO_STATE };
      }
    }
    return tally.result(`${rounds.length} models`);
  },
};

/** Weights are those committed on chain, never those anybody states elsewhere. @returns what the strategy carries on */
async function checkModel(
  evidence: Evidence,
  genesis: Genesis,
  round: AuditedRound,
  last: { readonly model: Hex | undefined; readonly state: StrategyState },
  tally: Tally,
): Promise<StrategyState> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'model', round.round);
  tally.same(`${what}: base model, against the chain`, entry.baseModel, round.opened?.baseModelHash);
  tally.same(`${what}: base model, against the model published last`, entry.baseModel, last.model);
  if (round.published !== undefined) {
    tally.same(`${what}: model hash, against the chain`, entry.model, round.published.modelHash);
  }
  const base = decodeModel(await evidence.bundle.blob(entry.baseModel), genesis.layout);
  tally.same(`${what}: state that the base model names`, base.state, stateHash(last.state));
  const { sums } = await openedSums(evidence, genesis, round);
  const { task, shape, layout } = genesis;
  const records = round.members.map(({ weight }) => weight);
  const next = serverStep(task, {
    shape,
    base: base.weights,
    state: last.state,
    sums,
    dealers: records.length,
    totalWeightFraction: totalWeightFraction(records, task.update.weightBound),
  });
  const stated = decodeModel(await evidence.bundle.blob(entry.model), layout);
  const wrong = next.weights.findIndex((weight, i) => !Object.is(weight, stated.weights[i]));
  tally.holds(`${what}: weights, against the recomputed ones`, wrong === -1, {
    expected: wrong === -1 ? '' : `weight ${wrong} = ${next.weights[wrong]}`,
    got: stated.weights[wrong],
  });
  const state = stateHash(next.state);
  tally.same(`${what}: state, against the recomputed one`, stated.state, state);
  if (state !== undefined) await tally.attempt(`${what}: state file`, () => evidence.bundle.blob(state));
  const file = modelHash(encodeModel({ layout, weights: next.weights, ...(state && { state }) }));
  tally.same(`${what}: hash of the recomputed model file`, file, entry.model);
  return next.state;
}
