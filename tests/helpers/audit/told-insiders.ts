// Lies that change nothing: checks tell them in their notes, and pass.
import type { Vouch } from '../../../protocol/messages/vouch.ts';
import type { ToldInNote } from './fault.ts';
import { changeVouches } from './faults-sharing.ts';
import {
  answerAs,
  commitToCopy,
  copyNote,
  dealer,
  dealtFalsely,
  dropAnswers,
  dropVouches,
  fingerprintAs,
  giveUp,
  holder,
  lie,
  minusOne,
  plusOne,
  vouchAs,
  withValue,
} from './insider-lies.ts';
import { flipped, putBlob, theEvent } from './raw-evidence.ts';
import { DEALERS, KEY_HOLDERS, THRESHOLD } from './synthetic-federation.ts';

const offNote = (index: number, how: string, why: string): string =>
  `round 1: the answer of key-holder ${index} (${holder(index).address}) ${how}: ${why}`;
const lied = (...indices: readonly number[]): string =>
  indices.map((index) => offNote(index, 'is off the polynomial', 'it answered falsely')).join('; ');
const isOff = (index: number): string =>
  offNote(index, 'is off the polynomial', 'it lied, or a dealer gave it a false share');

export const TOLD: readonly ToldInNote[] = [
  {
    toldBy: '11',
    name: 'a dealer left out although its shares are sound',
    plant: () => undefined,
    note: (raw) => {
      const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 2);
      const late = DEALERS.find(({ address }) => !dealers.includes(address));
      return `round 2: ${late?.address} was left out, although its shares are sound`;
    },
  },
  {
    toldBy: '11',
    name: 'a round given up because nobody had vouched for its set',
    plant: (raw) => giveUp(raw),
    note: (raw) => {
      const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 2);
      return dealers.map((dealer) => `round 2: given up, with ${dealer} in its set and not vouched for`).join('; ');
    },
  },
  {
    toldBy: '11',
    name: 'a dealer that was left out for false shares',
    plant: (raw) => {
      const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 2);
      const unreadable = ({ dealer }: Vouch) => !dealers.includes(dealer);
      changeVouches(
        raw,
        ({ round, keyHolder }) => round === 2 && keyHolder === holder(4).address,
        (vouches) => vouches.map((vouch) => (unreadable(vouch) ? { ...vouch, value: null } : vouch)),
        holder(4),
      );
    },
    note: () => 'was left out for false shares',
  },
  {
    toldBy: '11',
    name: 'a key-holder whose vouches contradict all others',
    plant: (raw) =>
      vouchAs(raw, 1, (vouches) => vouches.map((vouch) => withValue(vouch, (value) => flipped(value, 0)))),
    note: () => 'round 1: the vouches speak against so many uploads that nobody was left out',
  },
  {
    toldBy: '11',
    name: 'a key-holder whose key opens next to nothing, and no dealer suffers for it',
    plant: (raw) =>
      vouchAs(raw, 4, (vouches) => vouches.map((vouch, i) => ({ ...vouch, value: i === 0 ? vouch.value : null }))),
    note: () => 'round 1: key-holder 4 could not open most of its shares',
  },
  {
    toldBy: '11',
    name: 'a commit to a copied payload by a dealer that is in no set',
    plant: (raw) => commitToCopy(raw, 2, dealer(3)),
    note: () => copyNote(2, dealer(3)),
  },
  {
    toldBy: '11',
    name: 'a commit to a copied payload that had a round given up',
    plant: (raw) => {
      giveUp(raw);
      commitToCopy(raw, 2, dealer(0));
    },
    note: () => copyNote(2, dealer(0)),
  },
  {
    toldBy: '12',
    name: 'a fingerprint that its dealer altered',
    plant: (raw) => fingerprintAs(raw, dealer(1), ({ fingerprint }) => ({ fingerprint: plusOne(fingerprint) })),
    note: () => `round 1: the fingerprint of ${dealer(1).address} is not of its payload`,
  },
  {
    toldBy: '12',
    name: 'two dealers in league whose false fingerprints cancel out',
    plant: (raw) => {
      fingerprintAs(raw, dealer(0), ({ fingerprint }) => ({ fingerprint: plusOne(fingerprint) }));
      fingerprintAs(raw, dealer(2), ({ fingerprint }) => ({ fingerprint: minusOne(fingerprint) }));
    },
    note: () =>
      [dealer(0), dealer(2)]
        .map(({ address }) => `round 1: the fingerprint of ${address} is not of its payload`)
        .join('; '),
  },
  {
    toldBy: '13',
    name: 'an answer off the polynomial, of a key-holder that had not vouched',
    plant: (raw) => {
      dropVouches(raw, 3);
      lie(raw, 3);
    },
    note: () => isOff(3),
  },
  {
    toldBy: '13',
    name: 'the same of one whose vouches did not fit, as after a false share',
    plant: (raw) => {
      dealtFalsely(raw, 3);
      lie(raw, 3);
    },
    note: () => isOff(3),
  },
  {
    toldBy: '13',
    name: 'the same of one whose vouches there are too few to compare with',
    plant: (raw) => {
      dropVouches(raw, 1, 4);
      lie(raw, 3);
    },
    note: () => isOff(3),
  },
  { toldBy: '13', name: 'a lying key-holder that was outvoted', plant: (raw) => lie(raw, 3), note: () => lied(3) },
  {
    toldBy: '13',
    name: 'as many liars as leave the threshold honest',
    plant: (raw) => lie(raw, ...KEY_HOLDERS.slice(THRESHOLD).map((_, i) => i + 1)),
    note: () => lied(1, 2),
  },
  {
    toldBy: '13',
    name: 'a liar among one answer more than the threshold',
    plant: (raw) => {
      dropAnswers(raw, 4);
      lie(raw, 2);
    },
    note: () => lied(2),
  },
  {
    toldBy: '13',
    name: 'an answer that is none',
    plant: (raw) => answerAs(raw, 4, (answer) => answer.slice(1)),
    note: () => offNote(4, 'is none', 'it answered falsely'),
  },
  {
    toldBy: '12',
    name: 'that a dealer had gone before it could sign a fingerprint',
    plant: () => undefined,
    note: () => 'round 2: 2 of 3 dealers signed a fingerprint',
  },
  {
    toldBy: '04',
    name: 'how many sealing keys there were',
    plant: () => undefined,
    note: () => `${KEY_HOLDERS.length + 1} sealing keys of ${KEY_HOLDERS.length} key-holders`,
  },
  {
    toldBy: '04',
    name: 'a sealing key that another key-holder had before',
    plant: (raw) => {
      const last = raw.history.events.findLast((event) => event.name === 'KeyRotated');
      if (last?.name !== 'KeyRotated') throw new Error('no KeyRotated event');
      const { publicKey } = theEvent(raw, 'KeyRotated', ({ keyHolder }) => keyHolder !== last.keyHolder);
      const copied = { ...last, epoch: last.epoch + 1, publicKey };
      raw.history = { ...raw.history, events: [...raw.history.events, copied] };
    },
    note: () => `had been that of ${holder(2).address} before`,
  },
  {
    toldBy: '01',
    name: 'a blob that no entry names',
    plant: (raw) => void putBlob(raw, new TextEncoder().encode('of nobody')),
    note: () => 'of them named by no entry',
  },
];
