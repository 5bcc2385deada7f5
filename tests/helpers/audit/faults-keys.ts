// Faults in the key-holders' sealing keys: who replaced them, in which order, and what a round says of them.

import type { EventOf } from '../../../auditor/history.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import { fault, type PlantedFault } from './fault.ts';
import { bodyOf, changeEvents, dropEvent, type RawEvidence, theEvent } from './raw-evidence.ts';

type Rotation = EventOf<'KeyRotated'>;

/** The last rotation of all changed: nothing but what is looked for follows from it. */
function changeLast(raw: RawEvidence, change: (event: Rotation) => Partial<Rotation>): void {
  const last = raw.history.events.findLast((event) => event.name === 'KeyRotated');
  changeEvents(raw, 'KeyRotated', (event) => (event === last ? change(event) : {}));
}

const stranger = toHex(sha256(new Uint8Array(1)).slice(12));

export const KEY_FAULTS: readonly PlantedFault[] = [
  fault('04', 'a sealing key of another length', (raw) => changeLast(raw, shortened), /bytes of the key/),
  fault('04', 'a skipped epoch of keys', (raw) => changeLast(raw, ({ epoch }) => ({ epoch: epoch + 1 })), /epoch/),
  fault(
    '04',
    'a key replaced by somebody else',
    (raw) => changeLast(raw, ({ at }) => ({ at: { ...at, sender: stranger } })),
    /sender is the key-holder/,
  ),
  fault('04', 'a key of a stranger', (raw) => changeLast(raw, () => ({ keyHolder: stranger })), /index of 0x/),
  fault(
    '04',
    'a key under another index',
    (raw) => changeLast(raw, ({ index }) => ({ index: index + 1 })),
    /index of 0x/,
  ),
  fault('04', 'a key that comes back', comesBack, /the key is new/),
  fault(
    '04',
    'a round under keys that nobody had',
    (raw) => changeEvents(raw, 'RoundOpened', () => ({ keysHash: toHex(sha256(new Uint8Array())) })),
    /hash of the sealing keys/,
  ),
  fault(
    '04',
    'a round opened under the keys of an earlier one',
    (raw) => {
      const { keysHash } = theEvent(raw, 'RoundOpened');
      const last = raw.history.events.findLast((event) => event.name === 'RoundOpened');
      changeEvents(raw, 'RoundOpened', (event) => (event === last ? { keysHash } : {}));
    },
    /hash of the sealing keys/,
  ),
  fault(
    '04',
    'a round opened before a key-holder had a key',
    (raw) => dropEvent(raw, 'KeyRotated', ({ index }) => index === 2),
    /key-holders with a sealing key/,
  ),
  fault(
    '04',
    'an answer of a key-holder that came after the round had opened',
    (raw) => {
      const answering = bodyOf(raw, 'answer', 1).keyHolder;
      const late = theEvent(raw, 'KeyHolderRegistered', ({ keyHolder }) => keyHolder === answering);
      const opened = theEvent(raw, 'RoundOpened');
      const others = raw.history.events.filter((event) => event !== late);
      const at = others.indexOf(opened) + 1;
      raw.history = { ...raw.history, events: [...others.slice(0, at), late, ...others.slice(at)] };
    },
    /was a key-holder when round 1 opened/,
  ),
];

const shortened = ({ publicKey }: Rotation): Partial<Rotation> => ({ publicKey: publicKey.slice(0, -2) as Hex });

/** The next key of a key-holder is the one that it had. */
function comesBack(raw: RawEvidence): void {
  const { events } = raw.history;
  const rotation = theEvent(raw, 'KeyRotated');
  const again = { ...rotation, epoch: rotation.epoch + 1 };
  const at = events.indexOf(rotation) + 1;
  raw.history = { ...raw.history, events: [...events.slice(0, at), again, ...events.slice(at)] };
}
