// 04: whoever acted was registered for that role at that moment, and acted in their own name.
import type { Hex } from '../../protocol/bytes.ts';
import { type Evidence, entriesOf } from '../evidence.ts';
import { type ChainEvent, type EventName, placeName } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const membershipCheck: Check = {
  id: '04',
  title: 'Every act comes from a party registered for it at that time',
  async run(evidence) {
    const tally = createTally();
    const final = replay(evidence.history.events, (event, before) => checkActor(event, before, tally));
    checkUploads(evidence, final, tally);
    checkAnswers(evidence, final, tally);
    return tally.result();
  },
};

/** An anchor never stops: withdrawals must get through. Neither does giving up a round. */
const STOPPED_BY_PAUSE: ReadonlySet<EventName> = new Set([
  'PoliciesAdmitted',
  'SelectionAdmitted',
  'RoundOpened',
  'Committed',
  'SetFinalised',
  'Published',
]);

function checkActor(event: ChainEvent, before: ChainState, tally: Tally): void {
  const what = `${event.name} at ${placeName(event.at)}`;
  if (STOPPED_BY_PAUSE.has(event.name)) tally.holds(`${what}: the federation was running`, !before.paused);
  switch (event.name) {
    case 'Anchored':
    case 'PoliciesAdmitted':
    case 'SelectionAdmitted':
    case 'Committed':
      tally.holds(`${what}: ${event.dealer} is a registered dealer`, before.dealers.has(event.dealer));
      tally.same(`${what}: sender`, event.at.sender, event.dealer);
      return;
    case 'RoundOpened':
    case 'SetFinalised':
    case 'RoundFailed':
    case 'Published':
      tally.same(`${what}: sender is the coordinator`, event.at.sender, before.coordinator);
      return;
    default:
      return;
  }
}

/** An upload of somebody who never was a dealer has no place in the transcript, in a set or not. */
function checkUploads({ bundle, history }: Evidence, final: ChainState, tally: Tally): void {
  const everRegistered = new Set<Hex>();
  for (const event of history.events) if (event.name === 'DealerRegistered') everRegistered.add(event.dealer);
  for (const { seq, body } of entriesOf(bundle, 'upload')) {
    tally.holds(`entry ${seq}: uploader ${body.dealer} is a dealer`, everRegistered.has(body.dealer));
    tally.holds(`entry ${seq}: upload to a round of the chain`, final.rounds.has(body.round), {
      got: `round ${body.round}`,
    });
  }
}

/** Shares were dealt to the key-holders of the moment of sealing: one that came later cannot hold any. */
function checkAnswers({ bundle, history }: Evidence, final: ChainState, tally: Tally): void {
  for (const { seq, body } of entriesOf(bundle, 'answer')) {
    const finalised = final.rounds.get(body.round)?.finalised;
    const before = finalised && holdersBefore(history.events, finalised);
    const what = `entry ${seq}: ${body.keyHolder} was a key-holder when the set of round ${body.round} was fixed`;
    tally.holds(what, before?.has(body.keyHolder) ?? false);
  }
}

function holdersBefore(events: readonly ChainEvent[], end: ChainEvent): ReadonlySet<Hex> {
  const holders = new Set<Hex>();
  for (const event of events) {
    if (event === end) break;
    if (event.name === 'KeyHolderRegistered') holders.add(event.keyHolder);
  }
  return holders;
}
