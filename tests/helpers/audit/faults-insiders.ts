// Faults of parties who sign what they tell: a lying key-holder, a dealer who shared falsely. And lies that change nothing.
import type { BodyOf } from '../../../auditor/evidence.ts';
import type { ChainEvent } from '../../../auditor/history.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import type { Vouch } from '../../../protocol/messages/vouch.ts';
import { setHash } from '../../../protocol/secagg/set.ts';
import { decodeAnswer, reconstruct } from '../../../protocol/secagg/shamir.ts';
import type { EntryBody } from '../../../protocol/transcript/entry.ts';
import type { Party } from './chronicle.ts';
import { fault, first, type ToldInNote } from './fault.ts';
import { changeVouches } from './faults-sharing.ts';
import type { Insiders } from './planted-faults.ts';
import {
  blobOf,
  bodiesOf,
  bodyOf,
  changeBodies,
  flipped,
  putBlob,
  type RawEvidence,
  rewriteTranscript,
  theEvent,
} from './raw-evidence.ts';
import { DEALERS, KEY_HOLDERS, THRESHOLD } from './synthetic-federation.ts';
import { words } from './synthetic-round.ts';

const ROUND = 1;
const holder = (index: number): Party => first(KEY_HOLDERS.slice(index - 1), `key-holder ${index}`);
const dealer = (place: number): Party => first(DEALERS.slice(place), `dealer ${place}`);
const another = toHex(sha256(new Uint8Array()));

const domainOf = (raw: RawEvidence) => {
  const { chainId, federation } = raw.history.deployment;
  return { chainId, federation };
};

/** Key-holder `index` says something else in round 1, in its own name. */
const vouchAs = (raw: RawEvidence, index: number, change: (vouches: readonly Vouch[]) => readonly Vouch[]): void =>
  changeVouches(
    raw,
    ({ round, keyHolder }) => round === ROUND && keyHolder === holder(index).address,
    change,
    holder(index),
  );

const withValue = (vouch: Vouch, change: (value: Uint8Array) => Uint8Array): Vouch => ({
  ...vouch,
  value: vouch.value && new Uint8Array(change(vouch.value)),
});

/** Dealer 0 dealt key-holder `index` a share off its polynomial: what an honest key-holder then finds. */
const dealtFalsely = (raw: RawEvidence, index: number): void =>
  vouchAs(raw, index, (vouches) =>
    vouches.map((vouch) => (vouch.dealer === dealer(0).address ? withValue(vouch, (v) => flipped(v, 0)) : vouch)),
  );

/** Key-holder `index` answers otherwise in round 1, in its own name. */
function answerAs(
  raw: RawEvidence,
  index: number,
  change: (answer: Uint8Array) => Uint8Array,
  aggregate: Hex = bodyOf(raw, 'aggregate', ROUND).aggregate,
): void {
  const { privateKey, address } = holder(index);
  const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === ROUND);
  changeBodies(raw, 'answer', (body) => {
    if (body.round !== ROUND || body.keyHolder !== address) return {};
    const answer = putBlob(raw, change(blobOf(raw, body.answer)));
    const statement = {
      keyHolder: address,
      round: ROUND,
      setHash: setHash(ROUND, dealers),
      aggregateHash: aggregate,
      answerHash: answer,
    };
    return { aggregate, answer, signature: signTypedStruct(privateKey, domainOf(raw), 'Answer', statement) };
  });
}

const lie = (raw: RawEvidence, ...indices: readonly number[]): void => {
  // each another lie: two that agree would be a coalition
  for (const index of indices) answerAs(raw, index, (answer) => flipped(answer, 2 * index));
};

const dropAnswers = (raw: RawEvidence, ...indices: readonly number[]): void => {
  const gone = indices.map((index) => holder(index).address);
  rewriteTranscript(raw, (bodies) =>
    bodies.filter((body) => !(body.type === 'answer' && body.round === ROUND && gone.includes(body.keyHolder))),
  );
};

/** The sum of keys that the answers of exactly these make, stated as the one that the sum was opened with. */
function openWith(raw: RawEvidence, ...indices: readonly number[]): void {
  const answers = bodiesOf(raw).flatMap((body) => (body.type === 'answer' && body.round === ROUND ? [body] : []));
  const shares = indices.map((index) => {
    const own = first(
      answers.filter(({ keyHolder }) => keyHolder === holder(index).address),
      'answer',
    );
    return { index, share: decodeAnswer(blobOf(raw, own.answer)) };
  });
  const keySum = putBlob(raw, words(reconstruct(shares)));
  changeBodies(raw, 'opened', ({ round, keySum: stated }) => ({ keySum: round === ROUND ? keySum : stated }));
}

/** One fingerprint of round 1 changed, and signed as what it says. */
function fingerprintAs(
  raw: RawEvidence,
  signer: Party,
  change: (body: BodyOf<'fingerprint'>) => Partial<BodyOf<'fingerprint'>>,
): void {
  const meant = bodyOf(raw, 'fingerprint', ROUND).dealer;
  changeBodies(raw, 'fingerprint', (body) => {
    if (body.round !== ROUND || body.dealer !== meant) return {};
    const changed = { ...body, ...change(body) };
    const { aggregate: aggregateHash, fingerprint } = changed;
    const statement = { dealer: changed.dealer, round: ROUND, aggregateHash, fingerprint: toHex(fingerprint) };
    const signature = signTypedStruct(signer.privateKey, domainOf(raw), 'Fingerprint', statement);
    return { ...changed, signature };
  });
}

const partyOf = (address: Hex): Party =>
  first(
    DEALERS.filter((party) => party.address === address),
    'such dealer',
  );

/** Round 2 failed on chain after its set was fixed with nobody's vouch, and of the transcript only these kinds are left. */
function giveUp(raw: RawEvidence, ...kept: readonly EntryBody['type'][]): void {
  const events = raw.history.events.map((event): ChainEvent => {
    if (event.name !== 'Published' || event.round !== 2) return event;
    return { name: 'RoundFailed', at: event.at, round: 2, reason: 'SHARES_INSUFFICIENT' };
  });
  raw.history = { ...raw.history, events };
  rewriteTranscript(raw, (bodies) =>
    bodies.filter((body) => !('round' in body && body.round === 2) || kept.includes(body.type)),
  );
}

const FAULTS: Insiders['faults'] = [
  fault(
    '11',
    'a round that failed with nobody’s vouch, but was opened',
    (raw) => giveUp(raw, 'upload', 'aggregate', 'answer', 'opened'),
    /round 2: key-holders vouching for the upload of/,
  ),
  fault(
    '11',
    'an unsound dealer in the set',
    (raw) => dealtFalsely(raw, 1),
    /the shares of 0x.* are those of one secret/,
  ),
  fault(
    '11',
    'a dealer in the set with a share that does not open',
    (raw) => vouchAs(raw, 2, (vouches) => vouches.map((vouch, i) => (i === 0 ? { ...vouch, value: null } : vouch))),
    /the shares of 0x.* are those of one secret/,
  ),
  fault(
    '11',
    'a vouch for another commit',
    (raw) => vouchAs(raw, 1, ([vouch, ...rest]) => (vouch ? [{ ...vouch, sharesRoot: another }, ...rest] : rest)),
    /was committed to like that/,
  ),
  fault(
    '11',
    'a vouch for another attempt',
    (raw) => vouchAs(raw, 1, (vouches) => vouches.map((vouch) => ({ ...vouch, attempt: vouch.attempt + 1 }))),
    /was committed to like that/,
  ),
  fault(
    '11',
    'a vouch that names a dealer twice',
    (raw) => vouchAs(raw, 1, (vouches) => [...vouches, ...vouches.slice(0, 1)]),
    /dealers named once each/,
  ),
  fault(
    '11',
    'a test value outside the field',
    (raw) => vouchAs(raw, 1, (vouches) => vouches.map((vouch) => withValue(vouch, () => new Uint8Array(8).fill(255)))),
    /shares, as vouched for/,
  ),
  fault(
    '11',
    'a member of the set left out by all key-holders but one',
    (raw) => {
      for (const index of [1, 2, 3]) vouchAs(raw, index, (vouches) => vouches.slice(1));
    },
    /key-holders vouching for the upload of/,
  ),

  fault(
    '12',
    'a fingerprint that its dealer altered',
    (raw) =>
      fingerprintAs(raw, partyOf(bodyOf(raw, 'fingerprint', ROUND).dealer), ({ fingerprint }) => ({
        fingerprint: flipped(fingerprint, 0),
      })),
    /fingerprint of 0x/,
  ),
  fault(
    '12',
    'a fingerprint that its dealer made of another aggregate',
    (raw) => fingerprintAs(raw, partyOf(bodyOf(raw, 'fingerprint', ROUND).dealer), () => ({ aggregate: another })),
    /of this aggregate/,
  ),
  fault(
    '12',
    'a fingerprint by a dealer who is not in the set',
    (raw) => {
      const { dealers } = theEvent(raw, 'SetFinalised', ({ round }) => round === 2);
      const outsider = first(
        DEALERS.filter(({ address }) => !dealers.includes(address)),
        'dealer left out',
      );
      const { aggregate, fingerprint } = bodyOf(raw, 'fingerprint', 2);
      const said = { dealer: outsider.address, round: 2 };
      const statement = { ...said, aggregateHash: aggregate, fingerprint: toHex(fingerprint) };
      const signature = signTypedStruct(outsider.privateKey, domainOf(raw), 'Fingerprint', statement);
      rewriteTranscript(raw, (bodies) => [
        ...bodies,
        { type: 'fingerprint', ...said, aggregate, fingerprint, signature },
      ]);
    },
    /from a dealer of the set/,
  ),
  fault(
    '12',
    '[TRA-4] two fingerprints by one dealer',
    (raw) => {
      const print = bodyOf(raw, 'fingerprint', ROUND);
      rewriteTranscript(raw, (bodies) => [...bodies, print]);
    },
    /fingerprint by 0x.*: the only one/,
  ),

  fault(
    '13',
    'an answer that its key-holder gave for another aggregate',
    (raw) => answerAs(raw, 1, (answer) => answer, another),
    /for this aggregate/,
  ),
  fault(
    '13',
    'a lying key-holder among no more answers than the threshold',
    (raw) => {
      dropAnswers(raw, 3, 4);
      lie(raw, 1);
    },
    /answers that make the sum of the keys/,
  ),
  fault(
    '13',
    'more liars than leave the threshold honest',
    (raw) => lie(raw, 1, 2, 3),
    /answers that make the sum of the keys/,
  ),
  fault(
    '13',
    'a sum opened with a lie',
    (raw) => {
      lie(raw, 1);
      openWith(raw, 1, 2);
    },
    /looks like the noise/,
  ),
  fault(
    '13',
    '[TRA-4] a key-holder that answered twice, and otherwise',
    (raw) => {
      const honest = bodyOf(raw, 'answer', ROUND);
      lie(raw, 1);
      rewriteTranscript(raw, (bodies) => [...bodies, honest]);
    },
    /answer of 0x.*: the only one/,
  ),
];

const outvoted = (...indices: readonly number[]): string =>
  indices
    .map((index) => `round 1: key-holder ${index} (${holder(index).address}) answered falsely and was outvoted`)
    .join('; ');

const TOLD: readonly ToldInNote[] = [
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
    note: () => 'round 1: the vouches contradict each other for most uploads',
  },
  { toldBy: '13', name: 'a lying key-holder that was outvoted', plant: (raw) => lie(raw, 3), note: () => outvoted(3) },
  {
    toldBy: '13',
    name: 'as many liars as leave the threshold honest',
    plant: (raw) => lie(raw, ...KEY_HOLDERS.slice(THRESHOLD).map((_, i) => i + 1)),
    note: () => outvoted(1, 2),
  },
  {
    toldBy: '13',
    name: 'a liar among one answer more than the threshold',
    plant: (raw) => {
      dropAnswers(raw, 4);
      lie(raw, 2);
    },
    note: () => outvoted(2),
  },
  {
    toldBy: '13',
    name: 'an answer that is none',
    plant: (raw) => answerAs(raw, 4, (answer) => answer.slice(1)),
    note: () => outvoted(4),
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
];

export const INSIDERS: Insiders = { faults: FAULTS, told: TOLD };
