// 09: every commit stood on consent that was live in that very block. Zero grace: an older root is no consent at all.
import type { ChainEvent, EventOf, Parameters } from '../history.ts';
import { placeName } from '../history.ts';
import { type ChainState, carriedOn, forcedAt, replay, selectionKey } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const commitmentsCheck: Check = {
  id: '09',
  title: 'Every commit stood on consent, conditions and bounds that held at that moment',
  promises: ['P3', 'P4', 'P5'],
  meaning:
    'At the moment a dealer joined a round its customers’ consent was in force: not withdrawn, not expired, with the accuracy and privacy limits that they had set all kept.',
  cannot:
    'That the records behind the commit are those of the customers who agreed, and that what they contain is true: an inspection on site opens them.',
  async run({ history }) {
    const tally = createTally();
    let weight = 0;
    const visit = (event: ChainEvent, before: ChainState): void => {
      if (event.name !== 'Committed') return;
      weight += event.weight;
      checkCommit(event, before, history.deployment.parameters, tally);
    };
    replay(history.events, visit, carriedOn(history));
    return tally.result(`${weight} records' weight committed`);
  },
};

function checkCommit(event: EventOf<'Committed'>, before: ChainState, parameters: Parameters, tally: Tally): void {
  const what = `round ${event.round}, commit of ${event.dealer} (${placeName(event.at)})`;
  const now = event.at.timestamp;
  const round = before.rounds.get(event.round);
  if (round === undefined) {
    tally.fails(what, 'the round was never opened');
    return;
  }
  const { opened, commits, finalised, failed } = round;
  tally.holds(`${what}: the round was open`, finalised === undefined && failed === undefined);
  tally.holds(`${what}: before the deadline`, now < opened.deadline, {
    expected: `before ${opened.deadline}`,
    got: now,
  });
  const last = commits.get(event.dealer)?.attempt ?? 0;
  tally.holds(`${what}: attempt rises`, event.attempt > last, { expected: `over ${last}`, got: event.attempt });

  const forced = forcedAt(before, event.dealer);
  tally.holds(`${what}: no forced withdrawal was pending`, forced.length === 0, { got: forced.join(', ') });
  const current = before.anchors.get(event.dealer)?.root;
  tally.same(`${what}: root is the dealer's current one`, event.anchoredRoot, current);
  const selection = before.selections.get(selectionKey(event.dealer, opened.requirementKey));
  if (selection === undefined) {
    tally.fails(`${what}: selection for the round's requirement`, 'none was admitted');
    return;
  }
  tally.same(`${what}: selection is under the current root`, selection.root, current);
  tally.holds(`${what}: no selected policy has expired`, now < selection.validUntil, {
    expected: `before ${selection.validUntil}`,
    got: now,
  });
  checkFloor(what, event, opened, selection.accuracyFloorBps, before, parameters, tally);
  tally.holds(`${what}: privacy cap`, opened.epsilonAfterMilli <= selection.privacyCapMilli, {
    expected: `at most ${selection.privacyCapMilli}`,
    got: opened.epsilonAfterMilli,
  });
  tally.holds(`${what}: weight`, event.weight > 0 && event.weight <= selection.memberCount, {
    expected: `1 to ${selection.memberCount}`,
    got: event.weight,
  });
}

/** A missing or stale metric counts as a breach of the floor (P4). */
function checkFloor(
  what: string,
  event: EventOf<'Committed'>,
  opened: EventOf<'RoundOpened'>,
  floorBps: number,
  before: ChainState,
  parameters: Parameters,
  tally: Tally,
): void {
  if (floorBps === 0) return;
  const attested = before.attestations.get(opened.taskHash);
  const expected = `${floorBps} or more, attested at most ${parameters.metricMaxAgeSeconds} s before`;
  if (attested === undefined) {
    tally.holds(`${what}: accuracy floor`, false, { expected, got: 'never attested' });
    return;
  }
  const ageSeconds = event.at.timestamp - attested.at.timestamp;
  const met = ageSeconds <= parameters.metricMaxAgeSeconds && attested.accuracyBps >= floorBps;
  tally.holds(`${what}: accuracy floor`, met, { expected, got: `${attested.accuracyBps}, ${ageSeconds} s before` });
}
