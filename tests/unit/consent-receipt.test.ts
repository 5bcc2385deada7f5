// Receipts: what a customer can check alone, and every way to falsify one.
import { beforeAll, describe, expect, test } from 'vitest';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import {
  anchoredReceipt,
  promised,
  promisedRoot,
  type Receipt,
  receiptSchema,
  verifyReceipt,
  withLog,
} from '../../protocol/consent/receipt.ts';
import {
  customer,
  FLOORED,
  faultOf,
  memoryLogStore,
  NOTHING,
  openBook,
  RELYING_PARTY,
  TRAINING,
} from './consent-world.ts';

let member: Receipt;
let leaver: Receipt;
let pending: Receipt;
let root: Hex;

const verify = (receipt: Receipt, rootOnChain: Hex | undefined = root) =>
  verifyReceipt(receipt, rootOnChain, RELYING_PARTY, verifyPasskeySignature);

const book = await openBook(memoryLogStore());
beforeAll(async () => {
  const [anna, bert, cara] = [customer('anna'), customer('bert'), customer('cara')];
  pending = await book.submit(anna.submission(TRAINING));
  await book.submit(bert.submission(TRAINING));
  await book.submit(cara.submission(FLOORED));
  const withdrawal = await book.submit(bert.submission(NOTHING));
  root = anchoredRoot(book.state().anchor(3));
  member = anchoredReceipt(pending, book.state(), 3);
  leaver = anchoredReceipt(withdrawal, book.state(), 3);
});

describe('a true receipt', () => {
  test('of a member and of one who left hold against the root on chain', () => {
    expect(verify(member)).toEqual({ verdict: 'anchored', anchor: book.state().anchor(3) });
    expect(verify(leaver)).toEqual({ verdict: 'anchored', anchor: book.state().anchor(3) });
    expect(leaver.anchored).not.toHaveProperty('membership');
  });

  test('survives JSON', () => {
    expect(receiptSchema.parse(JSON.parse(JSON.stringify(member)))).toEqual(member);
    expect(receiptSchema.safeParse({ ...member, extra: 1 }).success).toBe(false);
  });

  test('is only a promise before the anchor, or when the chain could not be read', () => {
    expect(verify(pending)).toEqual({ verdict: 'promised' });
    expect(verifyReceipt(member, undefined, RELYING_PARTY, verifyPasskeySignature)).toEqual({ verdict: 'promised' });
  });

  test('is not made for an operation the customer has replaced', async () => {
    const before = book.receiptOf('bert');
    expect(before?.logIndex).toBe(3);
    const first = { ...leaver, ...pending };
    const overtaken = await openBook(memoryLogStore());
    const anna = customer('anna');
    const one = await overtaken.submit(anna.submission(TRAINING));
    await overtaken.submit(anna.submission(FLOORED));
    expect(await faultOf(() => anchoredReceipt(one, overtaken.state(), 1))).toBe('CONFLICT');
    expect(first.logIndex).toBe(0);
  });
});

describe('a false receipt', () => {
  const change = (edit: (anchored: NonNullable<Receipt['anchored']>) => NonNullable<Receipt['anchored']>): Receipt => {
    if (member.anchored === undefined) throw new Error('not anchored');
    return { ...member, anchored: edit(member.anchored) };
  };
  const falseFor = (receipt: Receipt, rootOnChain?: Hex) => {
    const verdict = verify(receipt, rootOnChain);
    return verdict.verdict === 'false' ? verdict.reason : verdict.verdict;
  };
  /** With the forged anchor's own root, so that only the paths can tell. */
  const ownRoot = (receipt: Receipt) => (receipt.anchored === undefined ? root : anchoredRoot(receipt.anchored.anchor));

  test('another root on chain', () => {
    expect(falseFor(member, hexWord(1n))).toBe('root');
    expect(falseFor(change((a) => ({ ...a, anchor: { ...a.anchor, epoch: 4 } })))).toBe('root');
  });

  test('another signature', () => {
    expect(falseFor({ ...member, assertion: leaver.assertion })).toBe('assertion');
    expect(
      verifyReceipt(member, root, { ...RELYING_PARTY, rpId: 'elsewhere.example' }, verifyPasskeySignature),
    ).toEqual({
      verdict: 'false',
      reason: 'assertion',
    });
  });

  test('an index past the anchor', () => {
    expect(falseFor({ ...member, logIndex: 4 })).toBe('index');
  });

  test('forged trees', () => {
    const subjects = change((a) => ({ ...a, anchor: { ...a.anchor, subjectsRoot: hexWord(1n) } }));
    expect(falseFor(subjects, ownRoot(subjects))).toBe('path');
    const buckets = change((a) => ({ ...a, anchor: { ...a.anchor, bucketsRoot: hexWord(1n) } }));
    expect(falseFor(buckets, ownRoot(buckets))).toBe('membership');
  });

  test('another subject\u2019s path, another digest', () => {
    const { anchored } = leaver;
    if (anchored === undefined) throw new Error('not anchored');
    expect(falseFor(change((a) => ({ ...a, subject: anchored.subject })))).toBe('path');
    expect(
      falseFor(change((a) => ({ ...a, subject: { ...a.subject, leaf: { ...a.subject.leaf, value: hexWord(0n) } } }))),
    ).toBe('path');
  });

  test('membership left out, or claimed by one who left', () => {
    const without = change(({ membership: _, ...rest }) => rest);
    expect(falseFor(without)).toBe('membership');
    if (leaver.anchored === undefined || member.anchored?.membership === undefined) throw new Error('not anchored');
    const claimed = { ...leaver, anchored: { ...leaver.anchored, membership: member.anchored.membership } };
    expect(falseFor(claimed)).toBe('membership');
  });

  test('another dealer\u2019s anchor', () => {
    const elsewhere = change((a) => ({ ...a, anchor: { ...a.anchor, dealer: `0x${'d2'.repeat(20)}` } }));
    expect(falseFor(elsewhere, ownRoot(elsewhere))).toBe('root');
  });

  test('a bucket the member is not in', () => {
    const outside = change((a) => ({
      ...a,
      ...(a.membership && { membership: { ...a.membership, memberProof: [hexWord(1n)] } }),
    }));
    expect(falseFor(outside)).toBe('membership');
  });

  test('a bucket of another size', () => {
    const larger = change((a) => ({
      ...a,
      ...(a.membership && { membership: { ...a.membership, bucket: { ...a.membership.bucket, memberCount: 9 } } }),
    }));
    expect(falseFor(larger)).toBe('membership');
  });
});

describe('the dealer\u2019s word', () => {
  const pendings = (count: number): Receipt[] =>
    Array.from({ length: count }, (_, i) => ({ ...pending, logIndex: i, logHead: hexWord(BigInt(i)) }));

  test('one signature covers all receipts of an answer, each with its own path', () => {
    for (const count of [0, 1, 2, 7]) {
      const roots: Hex[] = [];
      const signed = promised(pendings(count), (signedRoot) => {
        roots.push(signedRoot);
        return `0x${'11'.repeat(65)}`;
      });
      expect(roots).toHaveLength(Math.min(count, 1));
      expect(signed.map(promisedRoot)).toEqual(signed.map(() => roots[0]));
    }
  });

  test('the same operation twice in one request has one receipt; another index or head has another root', () => {
    const [one, twin] = promised([pending, pending], () => `0x${'11'.repeat(65)}`);
    if (one === undefined) throw new Error('none');
    expect(one).toEqual(twin);
    for (const change of [{ logIndex: 9 }, { logHead: hexWord(9n) }, { assertion: leaver.assertion }]) {
      expect(promisedRoot({ ...one, ...change })).not.toBe(promisedRoot(one));
    }
    expect(promisedRoot(pending)).toBeUndefined();
  });
});

test('a receipt of one of two operations with the same number is not made for the other', async () => {
  const twice = await openBook(memoryLogStore());
  const dora = customer('dora');
  await twice.submit(dora.submission(TRAINING));
  const head = dora.head();
  if (head === undefined) throw new Error('no head');
  const change = await twice.submit(dora.submission(FLOORED, { head }));
  const { operation, assertion } = dora.submission(NOTHING, { head });
  const index = await twice.takeForced({ operation, assertion });
  expect(await faultOf(() => anchoredReceipt(change, twice.state(), 1))).toBe('CONFLICT');
  const forced = twice.receiptAt(index);
  if (forced === undefined) throw new Error('no receipt');
  const receipt = anchoredReceipt(forced, twice.state(), 1);
  const { previousHead, rest } = { previousHead: change.logHead, rest: twice.entries(index + 1) };
  const whole = withLog(receipt, previousHead, rest);
  expect(verify(whole, anchoredRoot(twice.state().anchor(1))).verdict).toBe('anchored');
  expect(receiptSchema.parse(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
});
