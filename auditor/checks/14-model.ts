// 14: each published model is the one before it plus exactly the opened sum, recomputed bit for bit.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeModel, encodeModel, modelHash } from '../../protocol/learning/model.ts';
import type { OptimiserState } from '../../protocol/learning/optimiser.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import type { Evidence } from '../evidence.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { openedSums } from '../opened-sums.ts';
import { type AuditedRound, roundsWith, theEntry } from '../rounds.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const modelCheck: Check = {
  id: '14',
  title: 'Every model is its base plus the opened sum, bit for bit',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    let last: { model: Hex | undefined; state: OptimiserState } = { model: genesis?.body.initialModel, state: {} };
    const rounds = roundsWith(evidence, 'model');
    for (const round of rounds) {
      const what = `round ${round.round}: model`;
      if (genesis === undefined) tally.unsure(what, 'no task to tell how it is made');
      else {
        const state = await tally.attempt(what, () => checkModel(evidence, genesis, round, last, tally));
        last = { model: round.published?.modelHash ?? last.model, state: state ?? {} };
      }
    }
    return tally.result(`${rounds.length} models`);
  },
};

/** @returns what the server optimiser carries into the next round */
async function checkModel(
  evidence: Evidence,
  genesis: Genesis,
  round: AuditedRound,
  last: { readonly model: Hex | undefined; readonly state: OptimiserState },
  tally: Tally,
): Promise<OptimiserState> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'model', round.round);
  tally.same(`${what}: base model, against the chain`, entry.baseModel, round.opened?.baseModelHash);
  tally.same(`${what}: base model, against the model published last`, entry.baseModel, last.model);
  if (round.published !== undefined) {
    tally.same(`${what}: model hash, against the chain`, entry.model, round.published.modelHash);
  }
  const base = decodeModel(await evidence.bundle.blob(entry.baseModel), genesis.layout);
  const { delta } = await openedSums(evidence, genesis, round);
  const next = serverStep(genesis.task.strategy.name, base.weights, delta, last.state);
  const stated = decodeModel(await evidence.bundle.blob(entry.model), genesis.layout);
  const wrong = next.weights.findIndex((weight, i) => !Object.is(weight, stated.weights[i]));
  tally.holds(`${what}: weights, against the recomputed ones`, wrong === -1, {
    expected: wrong === -1 ? '' : `weight ${wrong} = ${next.weights[wrong]}`,
    got: stated.weights[wrong],
  });
  const file = modelHash(encodeModel({ layout: genesis.layout, weights: next.weights }));
  tally.same(`${what}: hash of the recomputed model file`, file, entry.model);
  return next.state;
}
