// 17: every round states the epsilon that the accountant computes for it, within the task's budget, and nobody under it was in.
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { type EarlierRound, epsilonAfterNextRound } from '../../protocol/learning/privacy/ledger.ts';
import { type Genesis, readGenesis } from '../genesis.ts';
import { type EventOf, eventsOf } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const privacyCheck: Check = {
  id: '17',
  title: 'Every round states the privacy loss that its task costs, and none passes the budget',
  async run(evidence) {
    const tally = createTally();
    const genesis = await tally.needs('genesis: task and data contract', () => readGenesis(evidence));
    if (genesis === undefined) return tally.result();
    const opened = eventsOf(evidence.history.events, 'RoundOpened');
    replay(evidence.history.events, (event, before) => {
      if (event.name === 'RoundOpened') checkRound(genesis, event, before, tally);
    });
    return tally.result(noteOf(genesis, opened));
  },
};

function checkRound({ task, body }: Genesis, event: EventOf<'RoundOpened'>, before: ChainState, tally: Tally): void {
  const what = `round ${event.round}: epsilon`;
  if (event.taskHash !== body.task) {
    // what another task costs is not known here; that it is another is check 16's to report
    tally.unsure(what, `of task ${event.taskHash}, which the bundle does not hold`);
    return;
  }
  try {
    tally.same(what, event.epsilonAfterMilli, epsilonAfterNextRound(task, earlierRounds(before)));
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

function noteOf({ task: { privacy } }: Genesis, opened: readonly EventOf<'RoundOpened'>[]): string {
  if (privacy.mode === 'none') return `${opened.length} rounds without differential privacy: nobody with a cap was in`;
  const stated = opened.map((event) => event.epsilonAfterMilli).filter((milli) => milli < NO_PRIVACY_CAP);
  const spent = Math.max(0, ...stated) / 1_000;
  return `(${spent}, ${privacy.delta}) per customer after ${opened.length} rounds, of ${privacy.epsilon}`;
}
