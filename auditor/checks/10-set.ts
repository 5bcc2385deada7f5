// 10: each round ran its course once: opened, one set of dealers who had committed, then published or failed.
import { requireAnswerableSet } from '../../protocol/secagg/set.ts';
import type { Evidence } from '../evidence.ts';
import { type ChainEvent, type EventOf, placeName } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, messageOf, type Tally } from './check.ts';

export const setCheck: Check = {
  id: '10',
  title: 'Each round fixed one set, of dealers who had committed, and of enough of them',
  async run(evidence) {
    const tally = createTally();
    replay(evidence.history.events, (event, before) => checkStep(evidence, event, before, tally));
    return tally.result();
  },
};

function checkStep(evidence: Evidence, event: ChainEvent, before: ChainState, tally: Tally): void {
  if (event.name === 'RoundOpened') {
    tally.same(`number of the round opened at ${placeName(event.at)}`, event.round, before.rounds.size + 1);
    return;
  }
  if (event.name !== 'SetFinalised' && event.name !== 'RoundFailed' && event.name !== 'Published') return;
  const what = `round ${event.round}: ${event.name} at ${placeName(event.at)}`;
  const round = before.rounds.get(event.round);
  if (round === undefined) {
    tally.fails(what, 'the round was never opened');
    return;
  }
  const { finalised, failed, published } = round;
  tally.holds(`${what}: the round was not over`, failed === undefined && published === undefined);
  if (event.name === 'Published') tally.holds(`${what}: its set was fixed before`, finalised !== undefined);
  if (event.name === 'SetFinalised') {
    tally.holds(`${what}: the only set of the round`, finalised === undefined);
    checkSet(evidence, what, event, before, tally);
  }
}

function checkSet(
  evidence: Evidence,
  what: string,
  event: EventOf<'SetFinalised'>,
  before: ChainState,
  tally: Tally,
): void {
  const { dealers, round } = event;
  const commits = before.rounds.get(round)?.commits;
  const ascending = dealers.every((dealer, i) => i === 0 || dealer > (dealers[i - 1] ?? dealer));
  tally.holds(`${what}: dealers strictly ascending`, ascending);
  for (const dealer of dealers) tally.holds(`${what}: ${dealer} had committed`, commits?.has(dealer) ?? false);
  const { minCohort } = evidence.history.deployment.parameters;
  tally.holds(`${what}: size`, dealers.length >= minCohort, { expected: `${minCohort} or more`, got: dealers.length });
  try {
    // the rule that key-holders answer by; a dealer removed since its commit still counts
    requireAnswerableSet({ round, finalised: dealers, minCohort, registered: [...(commits?.keys() ?? [])] });
    tally.holds(`${what}: key-holders may answer for it`, true);
  } catch (cause) {
    tally.fails(`${what}: key-holders may answer for it`, messageOf(cause));
  }
}
