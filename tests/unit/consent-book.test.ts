// The dealer's consent book: what it takes in, what it refuses, and that a crash at the write loses and doubles nothing.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Submission } from '../../edge-node/consent/admission.ts';
import type { ConsentBook } from '../../edge-node/consent/book.ts';
import { toHex } from '../../protocol/bytes.ts';
import { encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { evaluate } from '../../protocol/consent/evaluate.ts';
import { ZERO_WORD } from '../../protocol/consent/hex-schema.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { EVIDENCE } from '../../protocol/consent/policy.ts';
import { type ConsentRecord, decodeRecord, recordHash } from '../../protocol/consent/record.ts';
import {
  ACCESS,
  customer,
  DEALER,
  FLOORED,
  faultOf,
  fingerprint,
  invitations,
  type MemoryLogStore,
  memoryLogStore,
  NO_TRAINING,
  NOTHING,
  ON_PAPER,
  openBook,
  quotes,
  TRAINING,
} from './consent-world.ts';

let store: MemoryLogStore;
let book: ConsentBook;
beforeEach(async () => {
  store = memoryLogStore();
  book = await openBook(store);
});

const refusal = (submission: Submission) => faultOf(() => book.submit(submission));

describe('submitting', () => {
  test('an enrolment is stored, counted and answered with its place in the log', async () => {
    const anna = customer('anna');
    const submission = anna.submission(TRAINING);
    const receipt = await book.submit(submission);
    expect(receipt).toMatchObject({
      logIndex: 0,
      logHead: book.state().logHead,
      operation: toHex(submission.operation),
    });
    expect(book.subjectOf('anna')).toBe(decodeOperation(submission.operation).subject);
    expect(book.recordOf('anna')).toEqual(decodeRecord(submission.record));
    expect(book.receiptOf('anna')).toEqual(receipt);
    expect(store.stored).toHaveLength(1);
    expect(store.stored[0]).not.toHaveProperty('invitationCode');
  });

  test('the identical operation again gives the same receipt, even after others and under a new signature', async () => {
    const anna = customer('anna');
    const first = anna.submission(TRAINING);
    const receipt = await book.submit(first);
    await book.submit(customer('bert').submission(TRAINING));
    await book.submit(anna.submission(NO_TRAINING));
    const again = customer('anna').submission(TRAINING);
    expect(toHex(again.assertion)).not.toBe(toHex(first.assertion));
    expect(await book.submit(first)).toEqual(receipt);
    expect(await book.submit(again)).toEqual(receipt);
    expect(store.stored).toHaveLength(3);
  });

  test('a batch takes in what holds and names what does not; a later one may build on an earlier one', async () => {
    const anna = customer('anna');
    const bert = customer('bert');
    const bad = { ...bert.submission(TRAINING), invitationCode: invitations.codeFor('anna') };
    const outcomes = await book.submitAll([anna.submission(TRAINING), bad, anna.submission(FLOORED), bad]);
    expect(outcomes.map((o) => (o.accepted ? o.receipt.logIndex : o.error.code))).toEqual([
      0,
      'INVITATION_INVALID',
      1,
      'INVITATION_INVALID',
    ]);
    expect(store.stored).toHaveLength(2);
  });

  test('two at the same time are taken one after the other', async () => {
    const anna = customer('anna');
    const [one, two] = [anna.submission(TRAINING), anna.submission(NO_TRAINING)];
    const receipts = await Promise.all([book.submit(one), book.submit(two)]);
    expect(receipts.map(({ logIndex }) => logIndex)).toEqual([0, 1]);
  });
});

describe('refusing', () => {
  test('a rule that another has overtaken: both sign number 2, the first one wins', async () => {
    const anna = customer('anna');
    await book.submit(anna.submission(TRAINING));
    const head = anna.head();
    if (head === undefined) throw new Error('no head');
    await book.submit(anna.submission(NO_TRAINING, { head }));
    expect(await refusal(anna.submission(FLOORED, { head }))).toMatch(/^CONSENT_OPERATION_REFUSED (prev|seq)$/);
    expect(book.state().operationCount).toBe(2);
  });

  test('a stranger: no code, another\u2019s code, a code cut short', async () => {
    const { invitationCode: _, ...without } = customer('anna').submission(TRAINING);
    expect(await refusal(without)).toBe('INVITATION_INVALID');
    expect(await refusal({ ...without, invitationCode: invitations.codeFor('bert') })).toBe('INVITATION_INVALID');
    expect(await refusal({ ...without, invitationCode: invitations.codeFor('anna').slice(0, -1) })).toBe(
      'INVITATION_INVALID',
    );
    expect(book.state().operationCount).toBe(0);
  });

  test('once enrolled, the passkey alone speaks for the customer', async () => {
    const anna = customer('anna');
    await book.submit(anna.submission(TRAINING));
    const { invitationCode: _, ...later } = anna.submission(NO_TRAINING);
    expect((await book.submit(later)).logIndex).toBe(1);
  });

  test('a second subject of one customer, a second customer of one subject', async () => {
    await book.submit(customer('anna').submission(TRAINING));
    expect(await refusal(customer('anna', DEALER, 'other key').submission(TRAINING))).toBe(
      'CONSENT_OPERATION_REFUSED customer',
    );
    expect(await refusal(customer('bert', DEALER, 'anna').submission(NO_TRAINING))).toBe(
      'CONSENT_OPERATION_REFUSED customer',
    );
    const stolen = { ...customer('anna').submission(TRAINING), customerId: 'bert' };
    expect(await refusal(stolen)).toBe('CONSENT_OPERATION_REFUSED customer');
  });

  test('a new key is taken once the old one is out of every bucket', async () => {
    const old = customer('anna');
    await book.submit(old.submission(TRAINING));
    await book.submit(old.submission(NOTHING));
    await book.submit(customer('anna', DEALER, 'new phone').submission(FLOORED));
    expect(book.state().subjectCount).toBe(2);
    expect(await refusal(old.submission(TRAINING))).toBe('CONSENT_OPERATION_REFUSED customer');
  });

  test('a record and an operation that disagree', async () => {
    const anna = customer('anna').submission(TRAINING);
    const record = decodeRecord(anna.record);
    expect(await refusal({ ...anna, record: customer('bert').submission(TRAINING).record })).toBe(
      'CONSENT_OPERATION_REFUSED record-hash',
    );
    const spaced = new TextEncoder().encode(JSON.stringify(record, undefined, 1));
    expect(await refusal({ ...anna, record: spaced })).toBe('CONSENT_OPERATION_REFUSED record-hash');
    expect(recordHash(encodeCanonicalJson(record))).toBe(decodeOperation(anna.operation).recordHash);
  });

  test('a record whose rules are not the digest\u2019s (what you see is what you sign)', async () => {
    const { digest } = quotes.quote(FLOORED);
    const submission = customer('anna').submission(TRAINING, { digest });
    expect(await refusal(submission)).toBe('CONSENT_OPERATION_REFUSED digest');
  });

  test.each<[string, (record: ConsentRecord) => ConsentRecord]>([
    ['prev', (record) => ({ ...record, prev: recordHash(new Uint8Array()) })],
    ['record', (record) => ({ ...record, seq: 7 })],
    ['record', (record) => ({ ...record, subject: { ...record.subject, pseudonym: ZERO_WORD } })],
    ['record', (record) => ({ ...record, subject: { ...record.subject, nonce: ZERO_WORD } })],
    ['record', (record) => ({ ...record, subject: { ...record.subject, publicKey: `0x${'00'.repeat(64)}` } })],
    ['record', (record) => ({ ...record, controller: { ...record.controller, address: `0x${'00'.repeat(20)}` } })],
  ])(
    'a signed record that is not this operation\u2019s, or does not follow the last: %s',
    async (reason, editRecord) => {
      const edited = customer('anna').submission(TRAINING, { editRecord });
      expect(await refusal(edited)).toBe(`CONSENT_OPERATION_REFUSED ${reason}`);
    },
  );

  test('[CON-1] a signature of another key, page or operation', async () => {
    const anna = customer('anna').submission(TRAINING);
    const bert = customer('bert').submission(TRAINING);
    expect(await refusal({ ...anna, assertion: bert.assertion })).toBe('PASSKEY_REFUSED challenge');
  });

  test('bytes that are no message', async () => {
    const anna = customer('anna').submission(TRAINING);
    const junk = Uint8Array.of(1, 2, 3);
    expect(await refusal({ ...anna, operation: junk })).toBe('MESSAGE_MALFORMED');
    expect(await refusal({ ...anna, assertion: junk })).toBe('MESSAGE_MALFORMED');
    expect(await refusal({ ...anna, operation: new Uint8Array(5000) })).toBe('MESSAGE_TOO_LARGE');
  });

  test('an operation signed for another dealer', async () => {
    const elsewhere = customer('anna', '0x00000000000000000000000000000000000000d2').submission(TRAINING);
    expect(await refusal(elsewhere)).toBe('CONSENT_OPERATION_REFUSED dealer');
  });
});

describe('who may be used', () => {
  const names = ['anna', 'bert', 'cara', 'dirk'];
  const policies = [TRAINING, FLOORED, NO_TRAINING, NOTHING];

  const enrolAll = async () => {
    const people = names.map((name) => customer(name));
    await book.submitAll(people.map((person, i) => person.submission(policies[i] ?? TRAINING)));
    return people;
  };

  test('decisions follow each customer\u2019s own rule', async () => {
    await enrolAll();
    expect([...book.decisions(ACCESS)]).toEqual([
      ['anna', { allow: true }],
      ['bert', { allow: true }],
      ['cara', { allow: false, reason: 'not-granted' }],
      ['dirk', { allow: false, reason: 'not-granted' }],
    ]);
    const stale = { ...ACCESS, attestedAccuracyBps: undefined };
    expect(book.decide('bert', stale)).toEqual({ allow: false, reason: 'metric-stale' });
    expect(book.decide('bert', stale)).toEqual(evaluate(FLOORED, stale));
    expect(book.decide('nobody', ACCESS)).toBeUndefined();
    expect(book.liveDigests(stale)).toEqual([quotes.quote(TRAINING).digest]);
  });

  test('the gate wants anchored and still true: a withdrawal counts at once, a newcomer from the next anchor', async () => {
    const [anna, , cara] = await enrolAll();
    const anchored = book.state();
    const covered = () => [...book.customersCoveredBy(book.liveDigests(ACCESS), anchored).keys()].sort();
    expect(covered()).toEqual(['anna', 'bert']);
    if (anna === undefined || cara === undefined) throw new Error('nobody');
    await book.submit(anna.submission(NO_TRAINING));
    expect(covered()).toEqual(['bert']);
    await book.submit(cara.submission(TRAINING));
    expect(covered()).toEqual(['bert']);
    expect([...book.customersCoveredBy(book.liveDigests(ACCESS), book.state()).keys()].sort()).toEqual([
      'bert',
      'cara',
    ]);
    await book.submit(anna.submission(TRAINING));
    expect(covered()).toEqual(['anna', 'bert']);
  });

  test('a paper form entered at the desk is weaker evidence, and stays so', async () => {
    await book.submit(customer('paula').submission(ON_PAPER));
    expect(book.recordOf('paula')).toMatchObject({ evidence: 'attested', event: { method: 'paper' } });
    expect(book.decide('paula', ACCESS)).toEqual({ allow: false, reason: 'evidence-too-weak' });
    const lenient = { ...ACCESS, requirement: { ...ACCESS.requirement, minEvidence: EVIDENCE.attested } };
    expect(book.decide('paula', lenient)).toEqual({ allow: true });
  });

  test('who refuses everything is in no bucket', async () => {
    await enrolAll();
    const subject = book.subjectOf('dirk') ?? ZERO_WORD;
    expect(book.state().subject(subject)).toMatchObject({ digest: 0n, seq: 1 });
    expect(book.state().membershipProof(subject)).toBeUndefined();
    expect(book.state().presenceProof(subject)).toBeDefined();
  });
});

describe('crashes', () => {
  test('reopened, the book says the same', async () => {
    const anna = customer('anna');
    await book.submit(anna.submission(TRAINING));
    await book.submit(customer('bert').submission(FLOORED));
    await book.submit(anna.submission(NO_TRAINING));
    const reopened = await openBook(store);
    expect(fingerprint(reopened.state())).toEqual(fingerprint(book.state()));
    expect([...reopened.decisions(ACCESS)]).toEqual([...book.decisions(ACCESS)]);
    expect(reopened.receiptOf('anna')).toEqual(book.receiptOf('anna'));
    expect(reopened.entries(0)).toEqual(book.entries(0));
  });

  test.each(['before', 'after'] as const)('killed %s the write: nothing lost, nothing twice', async (moment) => {
    const anna = customer('anna').submission(TRAINING);
    const bert = customer('bert').submission(TRAINING);
    await book.submit(anna);
    const untouched = fingerprint(book.state());
    store.failNext = moment;
    await expect(book.submit(bert)).rejects.toThrow(`killed ${moment} the write`);
    expect(fingerprint(book.state())).toEqual(untouched);
    const receipt = await book.submit(bert);
    expect(receipt.logIndex).toBe(1);
    expect(store.stored).toHaveLength(2);
    expect(fingerprint((await openBook(store)).state())).toEqual(fingerprint(book.state()));
  });

  test('what reached the disk before the crash stands, and the next customer comes after it', async () => {
    await book.submit(customer('anna').submission(TRAINING));
    store.failNext = 'after';
    await expect(book.submit(customer('bert').submission(TRAINING))).rejects.toThrow('killed');
    expect((await book.submit(customer('cara').submission(TRAINING))).logIndex).toBe(2);
    expect(store.stored.map(({ customerId }) => customerId)).toEqual(['anna', 'bert', 'cara']);
    expect(book.decide('bert', ACCESS)).toEqual({ allow: true });
  });

  test('a stored log that contradicts itself is not opened', async () => {
    await book.submit(customer('anna').submission(TRAINING));
    store.stored.push(...store.stored);
    await expect(openBook(store)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });
});
