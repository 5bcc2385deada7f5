// 10: each round ran its course once: opened, one set of dealers who had committed and whose sum fits, then published or failed.
import { SECAGG } from '../../protocol/params.ts';
import { requireFits } from '../../protocol/secagg/packing.ts';
import { requireAnswerableSet } from '../../protocol/secagg/set.ts';
import type { Evidence } from '../evidence.ts';
import { type ChainEvent, type EventOf, placeName } from '../history.ts';
import { type ChainState, carriedOn, replay } from '../replay.ts';
import { readTasks, type TaskFacts, type Tasks } from '../tasks.ts';
import { type Check, createTally, messageOf, type Tally } from './check.ts';

export const setCheck: Check = {
  id: '10',
  title: 'Each round fixed one set, of dealers who had committed: enough of them, and no more than the sum holds',
  promises: ['P2', 'P7'],
  meaning:
    'Each round added up one group of dealers, fixed in public before anything was opened and large enough that no dealer’s part stands out, and each group only once.',
  cannot: 'Whether dealers in a group work together: all but one of them together could work out the part of the last.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    const visit = (event: ChainEvent, before: ChainState) => checkStep(evidence, tasks, event, before, tally);
    replay(evidence.history.events, visit, carriedOn(evidence.history));
    return tally.result();
  },
};

function checkStep(
  evidence: Evidence,
  tasks: Tasks | undefined,
  event: ChainEvent,
  before: ChainState,
  tally: Tally,
): void {
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
    checkSize(evidence, tasks?.of(round.opened), what, event, tally);
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
  allows(tally, `${what}: key-holders may answer for it`, () => {
    // the rule that key-holders answer by; a dealer removed since its commit still counts
    requireAnswerableSet({ round, finalised: dealers, minCohort, registered: [...(commits?.keys() ?? [])] });
  });
}

/** Too few, and each learns much of the others; too many, and values run into each other. */
function checkSize(
  evidence: Evidence,
  facts: TaskFacts | undefined,
  what: string,
  { dealers }: EventOf<'SetFinalised'>,
  tally: Tally,
): void {
  const { minCohort } = evidence.history.deployment.parameters;
  const least = Math.max(SECAGG.minCohort, minCohort, facts?.task.cohort.min ?? 0);
  tally.holds(`${what}: size`, dealers.length >= least, { expected: `${least} or more`, got: dealers.length });
  if (facts === undefined) tally.unsure(`${what}: packing`, 'no task to tell it');
  else allows(tally, `${what}: the packing holds its sum`, () => requireFits(dealers.length, facts.packing));
}

/** One thing looked at: the protocol's own rule does not refuse it. */
function allows(tally: Tally, what: string, rule: () => void): void {
  try {
    rule();
    tally.holds(what, true);
  } catch (cause) {
    tally.fails(what, messageOf(cause));
  }
}
