// Faults of parties who sign what they tell: a lying key-holder, a dealer who shared falsely.
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { toHex } from '../../../protocol/bytes.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import {
  another,
  answerAs,
  dealer,
  dealtFalsely,
  domainOf,
  dropAnswers,
  fingerprintAs,
  giveUp,
  lie,
  openWith,
  plusOne,
  ROUND,
  vouchAs,
  withValue,
} from './insider-lies.ts';
import { blobOf, bodyOf, changeBodies, putBlob, rewriteTranscript, theEvent } from './raw-evidence.ts';
import { DEALERS } from './synthetic-federation.ts';

export const FAULTS: readonly PlantedFault[] = [
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
    'a sum changed by one, and a fingerprint that its dealer made to fit',
    (raw) => {
      fingerprintAs(raw, dealer(0), ({ fingerprint }) => ({ fingerprint: plusOne(fingerprint) }));
      const payload = blobOf(raw, bodyOf(raw, 'upload', ROUND).payload);
      changeBodies(raw, 'aggregate', ({ round, aggregate }) =>
        round === ROUND ? { aggregate: putBlob(raw, payload) } : { aggregate },
      );
    },
    /aggregate, against the recomputed sum/,
  ),
  fault(
    '12',
    'a fingerprint that its dealer made of another aggregate',
    (raw) => fingerprintAs(raw, dealer(0), () => ({ aggregate: another })),
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
