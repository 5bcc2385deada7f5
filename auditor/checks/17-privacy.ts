// 17: every round states the epsilon that the accountant computes for it, within its task's budget, and nobody under it was in.
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { type EarlierRound, epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import { type ChainEvent, type EventOf, eventsOf } from '../history.ts';
import { type ChainState, carriedOn, replay } from '../replay.ts';
import { readTasks, type TaskFacts, type Tasks } from '../tasks.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const privacyCheck: Check = {
  id: '17',
  title: 'Every round states the privacy loss that its task costs, and none passes the budget',
  promises: ['P5'],
  meaning:
    'The privacy loss stated for each round is what the published noise costs by the accountant’s formula, earlier rounds included, and no task passed its budget. Without differential privacy it says so.',
  cannot:
    'That each dealer really drew its share of the noise: the seal that hides an update hides the noise too. An inspection on site runs the round again and shows it.',
  async run(evidence) {
    const tally = createTally();
    const tasks = await tally.needs('genesis: task and data contract', () => readTasks(evidence));
    if (tasks === undefined) return tally.result();
    const opened = eventsOf(evidence.history.events, 'RoundOpened');
    const visit = (event: ChainEvent, before: ChainState): void => {
      if (event.name === 'RoundOpened') checkRound(tasks.of(event), event, before, tally);
    };
    replay(evidence.history.events, visit, carriedOn(evidence.history));
    return tally.result(noteOf(tasks, opened));
  },
};

function checkRound(
  facts: TaskFacts | undefined,
  event: EventOf<'RoundOpened'>,
  before: ChainState,
  tally: Tally,
): void {
  const what = `round ${event.round}: epsilon`;
  if (facts === undefined) {
    // what an unknown task costs nobody can tell; that it is unknown is check 16's to report
    tally.unsure(what, `of task ${event.taskHash}, which the bundle does not hold`);
    return;
  }
  try {
    tally.same(what, event.epsilonAfterMilli, epsilonAfterNextRound(facts.task, earlierRounds(before)));
  } catch (cause) {
    tally.fails(what, cause instanceof Error ? cause.message : String(cause));
  }
}

/** As they stood when the round opened. */
const earlierRounds = ({ rounds }: ChainState): EarlierRound[] =>
  [...rounds.values()].map(({ opened, finalised, failed }) => ({
    taskHash: opened.taskHash,
    epsilonAfterMilli: opened.epsilonAfterMilli,
    counts: failed === undefined || finalised !== undefined,
  }));

/** Epsilons of different tasks add up, and each round states the sum: the largest is what a customer has given. */
function noteOf({ named }: Tasks, opened: readonly EventOf<'RoundOpened'>[]): string {
  const terms = named.flatMap(({ facts }) => (facts && facts.task.privacy.mode !== 'none' ? [facts.task.privacy] : []));
  if (terms.length === 0) {
    return `${opened.length} rounds without differential privacy: nobody with a cap was in`;
  }
  const stated = opened.map((event) => event.epsilonAfterMilli).filter((milli) => milli < NO_PRIVACY_CAP);
  const spent = Math.max(0, ...stated) / 1_000;
  const delta = terms.reduce((sum, { delta }) => sum + delta, 0);
  const budgets = terms.map(({ epsilon }) => epsilon).join(' and ');
  return `(${spent}, ${delta}) per customer after ${opened.length} rounds, of ${budgets}`;
}
