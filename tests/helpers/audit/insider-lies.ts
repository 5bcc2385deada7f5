// How parties who sign what they tell would lie: a key-holder in vouch or answer, a dealer in shares, fingerprint or commit.
import type { BodyOf } from '../../../auditor/evidence.ts';
import type { ChainEvent } from '../../../auditor/history.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import type { Vouch } from '../../../protocol/messages/vouch.ts';
import { PRIMES } from '../../../protocol/secagg/block.ts';
import { setHash } from '../../../protocol/secagg/set.ts';
import { decodeAnswer, reconstruct } from '../../../protocol/secagg/shamir.ts';
import type { EntryBody } from '../../../protocol/transcript/entry.ts';
import type { Party } from './chronicle.ts';
import { first } from './fault.ts';
import { changeVouches } from './faults-sharing.ts';
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
import { DEALERS, KEY_HOLDERS } from './synthetic-federation.ts';
import { words } from './synthetic-round.ts';

export const ROUND = 1;
export const holder = (index: number): Party => first(KEY_HOLDERS.slice(index - 1), `key-holder ${index}`);
export const dealer = (place: number): Party => first(DEALERS.slice(place), `dealer ${place}`);
export const another = toHex(sha256(new Uint8Array()));

export const domainOf = (raw: RawEvidence) => {
  const { chainId, federation } = raw.history.deployment;
  return { chainId, federation };
};

/** Key-holder `index` says something else in round 1, in its own name. */
export const vouchAs = (
  raw: RawEvidence,
  index: number,
  change: (vouches: readonly Vouch[]) => readonly Vouch[],
): void =>
  changeVouches(
    raw,
    ({ round, keyHolder }) => round === ROUND && keyHolder === holder(index).address,
    change,
    holder(index),
  );

export const withValue = (vouch: Vouch, change: (value: Uint8Array) => Uint8Array): Vouch => ({
  ...vouch,
  value: vouch.value && new Uint8Array(change(vouch.value)),
});

/** Dealer 0 dealt key-holder `index` a share off its polynomial: what an honest key-holder then finds. */
export const dealtFalsely = (raw: RawEvidence, index: number): void =>
  vouchAs(raw, index, (vouches) =>
    vouches.map((vouch) => (vouch.dealer === dealer(0).address ? withValue(vouch, (v) => flipped(v, 0)) : vouch)),
  );

/** Key-holder `index` answers otherwise in round 1, in its own name. */
export function answerAs(
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

export const lie = (raw: RawEvidence, ...indices: readonly number[]): void => {
  // each another lie: two that agree would be a coalition
  for (const index of indices) answerAs(raw, index, (answer) => flipped(answer, 2 * index));
};

export const dropAnswers = (raw: RawEvidence, ...indices: readonly number[]): void => {
  const gone = indices.map((index) => holder(index).address);
  rewriteTranscript(raw, (bodies) =>
    bodies.filter((body) => !(body.type === 'answer' && body.round === ROUND && gone.includes(body.keyHolder))),
  );
};

/** The sum of keys that the answers of exactly these make, stated as the one that the sum was opened with. */
export function openWith(raw: RawEvidence, ...indices: readonly number[]): void {
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

/** A dealer's fingerprint of round 1 changed, and signed by it as what it says. */
export function fingerprintAs(
  raw: RawEvidence,
  { address, privateKey }: Party,
  change: (body: BodyOf<'fingerprint'>) => Partial<BodyOf<'fingerprint'>>,
): void {
  changeBodies(raw, 'fingerprint', (body) => {
    if (body.round !== ROUND || body.dealer !== address) return {};
    const changed = { ...body, ...change(body) };
    const { aggregate: aggregateHash, fingerprint } = changed;
    const statement = { dealer: address, round: ROUND, aggregateHash, fingerprint: toHex(fingerprint) };
    const signature = signTypedStruct(privateKey, domainOf(raw), 'Fingerprint', statement);
    return { ...changed, signature };
  });
}

/** Another fingerprint: the first residue one more, or one less. */
function addedTo(fingerprint: Uint8Array, amount: 1 | -1): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(fingerprint);
  const view = new DataView(copy.buffer);
  const [p] = PRIMES;
  view.setUint32(0, (view.getUint32(0, true) + amount + p) % p, true);
  return copy;
}
export const plusOne = (fingerprint: Uint8Array) => addedTo(fingerprint, 1);
export const minusOne = (fingerprint: Uint8Array) => addedTo(fingerprint, -1);

/** Just before the set of a round is fixed, a dealer commits to the payload of another dealer, in round 1. */
export function commitToCopy(raw: RawEvidence, round: number, copier: Party): void {
  const { events } = raw.history;
  const fixed = events.findIndex((event) => event.name === 'SetFinalised' && event.round === round);
  const own = theEvent(raw, 'Committed', (event) => event.round === round && event.dealer === copier.address);
  const { payloadHash } = theEvent(
    raw,
    'Committed',
    (event) => event.round === ROUND && event.dealer !== copier.address,
  );
  const copy = { ...own, attempt: own.attempt + 1, payloadHash };
  raw.history = { ...raw.history, events: [...events.slice(0, fixed), copy, ...events.slice(fixed)] };
}
export const copyNote = (round: number, copier: Party): string =>
  `round ${round}, commit of ${copier.address}, attempt 2: names a payload that another commit names too`;

export const dropVouches = (raw: RawEvidence, ...indices: readonly number[]): void => {
  const gone = indices.map((index) => holder(index).address);
  rewriteTranscript(raw, (bodies) =>
    bodies.filter((body) => !(body.type === 'vouch' && body.round === ROUND && gone.includes(body.keyHolder))),
  );
};

/** Round 2 failed on chain after its set was fixed with nobody's vouch, and of the transcript only these kinds are left. */
export function giveUp(raw: RawEvidence, ...kept: readonly EntryBody['type'][]): void {
  const events = raw.history.events.map((event): ChainEvent => {
    if (event.name !== 'Published' || event.round !== 2) return event;
    return { name: 'RoundFailed', at: event.at, round: 2, reason: 'SHARES_INSUFFICIENT' };
  });
  raw.history = { ...raw.history, events };
  rewriteTranscript(raw, (bodies) =>
    bodies.filter((body) => !('round' in body && body.round === 2) || kept.includes(body.type)),
  );
}
