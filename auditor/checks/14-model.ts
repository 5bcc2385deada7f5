// 14: each published model is what the task's strategy makes of the one before it and the opened sum, bit for bit; so is what
// the strategy carries on, which is recomputed from the first round and never read.
import type { Hex } from '../../protocol/bytes.ts';
import { decodeModel, encodeModel, modelHash } from '../../protocol/learning/model.ts';
import { serverStep } from '../../protocol/learning/server-optimiser.ts';
import { NO_STATE, type StrategyState } from '../../protocol/learning/strategies/strategy.ts';
import { decodeState, stateHash } from '../../protocol/learning/strategy-state.ts';
import { totalWeightFraction } from '../../protocol/learning/update.ts';
import type { Evidence } from '../evidence.ts';
import { openedSums } from '../opened-sums.ts';
import { carriedOn } from '../replay.ts';
import { type AuditedRound, roundsWith, theEntry } from '../rounds.ts';
import { readTasks, type TaskFacts } from '../tasks.ts';
import { type Check, createTally, type Tally, withoutTask } from './check.ts';

export const modelCheck: Check = {
  id: '14',
  title: 'Every model is made of its base and the opened sum, bit for bit',
  promises: ['P6'],
  meaning:
    'Every published model follows from the one before and the opened sum by the published recipe, down to the last bit: nobody touched a weight on the way.',
  cannot: 'That the model is good, fair, or fit for a purpose, and that no dealer’s training was meant to harm it.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const last = new Map<Hex, Standing>();
    const rounds = roundsWith(evidence, 'model');
    for (const round of rounds) {
      const what = `round ${round.round}: model`;
      const facts = tasks?.of(round.opened);
      if (facts === undefined) withoutTask(tally, what, round, 'no task to tell how it is made');
      else {
        const first = { model: facts.body.initialModel, state: NO_STATE };
        const earlier = () => tally.needs(`${what}: what it carries on`, () => earlierStanding(evidence, facts));
        const before = last.get(facts.task.hash) ?? (await earlier()) ?? first;
        const state = await tally.attempt(what, () => checkModel(evidence, facts, round, before, tally));
        last.set(facts.task.hash, { model: round.published?.modelHash ?? before.model, state: state ?? NO_STATE });
      }
    }
    return tally.result(`${rounds.length} models`);
  },
};

/** Where a task stands: what it published last, and what its strategy carries on. */
interface Standing {
  readonly model: Hex;
  readonly state: StrategyState;
}

/**
 * What the task published last under a predecessor, with the state that this model names; that both came about rightly is what an
 * audit of the predecessor shows. undefined: nothing yet.
 */
async function earlierStanding(evidence: Evidence, { task, layout }: TaskFacts): Promise<Standing | undefined> {
  const model = carriedOn(evidence.history).models.get(task.hash);
  if (model === undefined) return undefined;
  const { weights, state } = decodeModel(await evidence.bundle.blob(model), layout);
  return { model, state: decodeState(state && (await evidence.bundle.blob(state)), weights.length) };
}

/** Weights are those committed on chain, never those anybody states elsewhere. @returns what the strategy carries on */
async function checkModel(
  evidence: Evidence,
  facts: TaskFacts,
  round: AuditedRound,
  last: Standing,
  tally: Tally,
): Promise<StrategyState> {
  const what = `round ${round.round}`;
  const entry = theEntry(evidence, 'model', round.round);
  tally.same(`${what}: base model, against the chain`, entry.baseModel, round.opened?.baseModelHash);
  tally.same(`${what}: base model, against the model published last`, entry.baseModel, last.model);
  if (round.published !== undefined) {
    tally.same(`${what}: model hash, against the chain`, entry.model, round.published.modelHash);
  }
  const base = decodeModel(await evidence.bundle.blob(entry.baseModel), facts.layout);
  tally.same(`${what}: state that the base model names`, base.state, stateHash(last.state));
  const { sums } = await openedSums(evidence, facts, round);
  const { task, shape, layout } = facts;
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
