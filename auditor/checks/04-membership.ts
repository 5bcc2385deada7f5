// 04: whoever acted was registered for that role at that moment, and acted in their own name, under keys of their own.
import { concatBytes, fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { SEALING_KEY_BYTES } from '../../protocol/secagg/shares.ts';
import { type Evidence, entriesOf } from '../evidence.ts';
import { type ChainEvent, type EventName, type EventOf, eventsOf, holdersAtOpening, placeName } from '../history.ts';
import { type ChainState, replay } from '../replay.ts';
import { type Check, createTally, type Tally } from './check.ts';

export const membershipCheck: Check = {
  id: '04',
  title: 'Every act comes from a party registered for it at that time',
  promises: ['P2', 'P3', 'P6'],
  meaning:
    'Nobody acted in another’s name or without the office for it: every commit is its dealer’s own, every round the coordinator’s, every sealing key its key-holder’s.',
  cannot:
    'Which company or person stands behind an address, and whether two addresses are one party: the operator who registered them knows.',
  async run(evidence) {
    const tally = createTally();
    const final = replay(evidence.history.events, (event, before) => checkActor(event, before, tally));
    checkUploads(evidence, final, tally);
    checkAnswers(evidence, tally);
    const rotations = eventsOf(evidence.history.events, 'KeyRotated');
    const keys = `${rotations.length} sealing keys of ${final.keyHolders.size} key-holders`;
    return tally.result([keys, ...keysSeenBefore(rotations)].join('; '));
  },
};

/** An anchor never stops: withdrawals must get through. Neither does giving up a round, nor replacing a key. */
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
      checkKeysOfRound(what, event, before, tally);
      tally.same(`${what}: sender is the coordinator`, event.at.sender, before.coordinator);
      return;
    case 'SetFinalised':
    case 'RoundFailed':
    case 'Published':
      tally.same(`${what}: sender is the coordinator`, event.at.sender, before.coordinator);
      return;
    case 'KeyHolderReplaced':
      checkReplacement(what, event, before, tally);
      return;
    case 'KeyRotated':
      checkRotation(what, event, before, tally);
      return;
    default:
      return;
  }
}

/** A mistyped address gives way; a key-holder that ever had a key does not: shares may be sealed to it. */
function checkReplacement(what: string, event: EventOf<'KeyHolderReplaced'>, before: ChainState, tally: Tally): void {
  const { keyHolder, successor, index } = event;
  tally.same(`${what}: index of ${keyHolder}`, index, before.keyHolders.get(keyHolder));
  tally.holds(`${what}: ${keyHolder} never had a key`, !before.sealingKeys.has(keyHolder));
  tally.holds(`${what}: ${successor} is not a key-holder yet`, !before.keyHolders.has(successor));
}

/** Only its holder replaces a key, by a new one, one epoch after the other: a key that came back could not be erased. */
function checkRotation(what: string, event: EventOf<'KeyRotated'>, before: ChainState, tally: Tally): void {
  const { keyHolder, index, epoch, publicKey } = event;
  const last = before.sealingKeys.get(keyHolder);
  tally.same(`${what}: sender is the key-holder`, event.at.sender, keyHolder);
  tally.same(`${what}: index of ${keyHolder}`, index, before.keyHolders.get(keyHolder));
  tally.same(`${what}: epoch`, epoch, (last?.epoch ?? 0) + 1);
  tally.same(`${what}: bytes of the key`, fromHex(publicKey).length, SEALING_KEY_BYTES);
  tally.holds(`${what}: the key is new`, publicKey !== last?.publicKey);
}

/** The contract knows each holder's last key only; a copied one opens nothing for whoever copied it, an old one may have been kept. */
function keysSeenBefore(rotations: readonly EventOf<'KeyRotated'>[]): string[] {
  const holderOf = new Map<Hex, Hex>();
  return rotations.flatMap(({ keyHolder, epoch, publicKey }) => {
    const before = holderOf.get(publicKey);
    holderOf.set(publicKey, before ?? keyHolder);
    if (before === undefined) return [];
    return [`key ${epoch} of key-holder ${keyHolder} had been that of ${before} before`];
  });
}

/** What dealers seal to: the key in force of every key-holder, in the order of their indices. */
function checkKeysOfRound(what: string, event: EventOf<'RoundOpened'>, before: ChainState, tally: Tally): void {
  const holders = [...before.keyHolders].sort(([, a], [, b]) => a - b).map(([keyHolder]) => keyHolder);
  const keys = holders.flatMap((keyHolder) => before.sealingKeys.get(keyHolder) ?? []);
  tally.same(`${what}: key-holders with a sealing key`, keys.length, holders.length);
  const hashes = keys.map(({ publicKey }) => keccak256(fromHex(publicKey)));
  tally.same(`${what}: hash of the sealing keys`, event.keysHash, toHex(keccak256(concatBytes(...hashes))));
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

/** Shares are dealt to the key-holders of the moment of opening: one that came later cannot hold any. */
function checkAnswers({ bundle, history }: Evidence, tally: Tally): void {
  for (const { seq, body } of entriesOf(bundle, 'answer')) {
    const what = `entry ${seq}: ${body.keyHolder} was a key-holder when round ${body.round} opened`;
    tally.holds(what, holdersAtOpening(history, body.round).has(body.keyHolder));
  }
}
