// Witness and proposer: roots recomputed, one anchor per epoch for ever, whatever is killed in between.
import { beforeEach, describe, expect, test } from 'vitest';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import type { ConsentBook } from '../../edge-node/consent/book.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { type Anchor, anchoredRoot } from '../../protocol/consent/anchor.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import { type CoSignRequest, createWitness, type Witness } from '../../witness/witness.ts';
import {
  customer,
  DEALER,
  FLOORED,
  faultOf,
  fingerprint,
  hash32,
  type MemoryWitnessStore,
  memoryLogStore,
  memoryProposalStore,
  memoryWitnessStore,
  NO_TRAINING,
  openBook,
  RELYING_PARTY,
  TRAINING,
} from './consent-world.ts';

const OTHER_DEALER: Hex = '0x00000000000000000000000000000000000000d2';
let store: MemoryWitnessStore;
let signed: Anchor[];
let onChain: Anchor | undefined;
let witness: Witness;
let book: ConsentBook;
let proposals: ReturnType<typeof memoryProposalStore>;

const openWitness = () =>
  createWitness({
    store,
    verifySignature: verifyPasskeySignature,
    relyingPartyOf: (dealer) => (dealer === DEALER ? RELYING_PARTY : undefined),
    anchorOnChain: async () => onChain,
    sign: async (anchor) => {
      signed.push(anchor);
      return toHex(hash32(anchoredRoot(anchor)));
    },
  });

/** Stands for the dealer's EIP-712 signature, which the service checks before. */
const signatureOf = (anchor: Anchor): Hex => toHex(hash32(`dealer, ${anchoredRoot(anchor)}`)).padEnd(132, '0') as Hex;
const requestOf = (firstIndex: number, entries: CoSignRequest['entries'], anchor: Anchor): CoSignRequest => ({
  firstIndex,
  entries,
  anchor,
  dealerSignature: signatureOf(anchor),
});

const openProposer = (lastOnChain?: Anchor) => createAnchorProposer(book, proposals, lastOnChain);

beforeEach(async () => {
  store = memoryWitnessStore();
  signed = [];
  onChain = undefined;
  witness = openWitness();
  book = await openBook(memoryLogStore());
  proposals = memoryProposalStore();
  await book.submitAll([customer('anna').submission(TRAINING), customer('bert').submission(FLOORED)]);
});

async function proposalOf(proposer = openProposer()): Promise<CoSignRequest> {
  const proposal = await proposer.propose();
  if (proposal === undefined) throw new Error('nothing to propose');
  return { ...proposal, dealerSignature: signatureOf(proposal.anchor) };
}

describe('co-signing', () => {
  test('epoch after epoch, and each arrives at the book\u2019s own roots', async () => {
    const proposer = openProposer();
    for (const [epoch, name] of ['cara', 'dirk', 'else'].entries()) {
      const proposal = await proposalOf(proposer);
      const { anchor, signature } = await witness.coSign(DEALER, proposal);
      expect(anchor).toEqual(book.state().anchor(epoch + 1));
      expect(signature).toBe(toHex(hash32(anchoredRoot(anchor))));
      proposer.confirm(anchor);
      expect(await proposer.propose()).toBeUndefined();
      expect(fingerprint(proposer.anchored().state)).toEqual(fingerprint(book.state()));
      await book.submit(customer(name).submission(TRAINING));
    }
  });

  test('the identical proposal gets the identical answer', async () => {
    const proposal = await proposalOf();
    const answer = await witness.coSign(DEALER, proposal);
    expect(await witness.coSign(DEALER, proposal)).toEqual(answer);
    expect(await openWitness().coSign(DEALER, proposal)).toEqual(answer);
    expect(store.logs.get(DEALER)).toHaveLength(2);
  });

  test('a second anchor for a signed epoch is refused, restart or not', async () => {
    await witness.coSign(DEALER, await proposalOf());
    await book.submit(customer('cara').submission(TRAINING));
    const other = requestOf(0, book.entries(0), book.state().anchor(1));
    expect(await faultOf(() => witness.coSign(DEALER, other))).toBe('ANCHOR_EQUIVOCATION');
    expect(await faultOf(() => openWitness().coSign(DEALER, other))).toBe('ANCHOR_EQUIVOCATION');
    expect(new Set(signed.map(anchoredRoot)).size).toBe(1);
    // both statements of the dealer are kept
    const [kept] = store.contradictions;
    expect(kept?.refused).toEqual({ anchor: other.anchor, signature: other.dealerSignature });
    expect(kept?.held.signature).toBe(signatureOf(kept?.held.anchor ?? other.anchor));
  });

  test('two proposals for one epoch at the same time: one is signed', async () => {
    const first = await proposalOf();
    const second = requestOf(0, book.entries(0, 1), { ...first.anchor, operationCount: 1 });
    const faults = await Promise.all([
      faultOf(() => witness.coSign(DEALER, first)),
      faultOf(() => witness.coSign(DEALER, second)),
    ]);
    expect(faults).toEqual(['no error', 'ANCHOR_EQUIVOCATION']);
  });

  test.each([2, 5])('epoch %i is not signed before the ones that lead to it', async (epoch) => {
    const proposal = await proposalOf();
    const ahead = { ...proposal, anchor: { ...proposal.anchor, epoch } };
    const gap = await witness.coSign(DEALER, ahead).catch((error) => error);
    expect(gap).toMatchObject({ code: 'LOG_GAP', fields: { epoch: 0, operationCount: 0 } });
    expect(store.logs.size + store.anchors.size).toBe(0);
  });

  test('the next anchor must not take back what the last one stated, and that it tried to is kept', async () => {
    await witness.coSign(DEALER, await proposalOf());
    const shorter = { ...book.state().anchor(2), operationCount: 1 };
    expect(await faultOf(() => witness.coSign(DEALER, requestOf(2, [], shorter)))).toBe('ANCHOR_MISMATCH');
    expect(store.contradictions.map(({ refused }) => refused.anchor)).toEqual([shorter]);
    // a mistake that contradicts nothing is no evidence
    await book.submit(customer('cara').submission(TRAINING));
    const mistaken = { ...book.state().anchor(2), bucketsRoot: hexWord(1n) };
    expect(await faultOf(() => witness.coSign(DEALER, requestOf(2, book.entries(2), mistaken)))).toBe(
      'ANCHOR_MISMATCH',
    );
    expect(store.contradictions).toHaveLength(1);
  });

  test.each<[string, Partial<Anchor>]>([
    ['bucketsRoot', { bucketsRoot: hexWord(1n) }],
    ['subjectsRoot', { subjectsRoot: hexWord(1n) }],
    ['logHead', { logHead: hexWord(1n) }],
    ['operationCount', { operationCount: 3 }],
    ['dealer', { dealer: OTHER_DEALER }],
  ])('another %s is not signed, and nothing is kept', async (_, change) => {
    const proposal = await proposalOf();
    const changed = { ...proposal, anchor: { ...proposal.anchor, ...change } };
    expect(await faultOf(() => witness.coSign(DEALER, changed))).toBe('ANCHOR_MISMATCH');
    expect(signed).toEqual([]);
    expect(store.logs.size + store.anchors.size).toBe(0);
    expect((await witness.coSign(DEALER, proposal)).anchor).toEqual(proposal.anchor);
  });

  test('[CON-1] [CON-2] a log with one bad entry is not signed', async () => {
    const proposal = await proposalOf();
    const [first, second] = proposal.entries;
    if (first === undefined || second === undefined) throw new Error('no entries');
    const cases: readonly (readonly [CoSignRequest['entries'], string])[] = [
      [[first, { ...second, assertion: first.assertion }], 'PASSKEY_REFUSED challenge'],
      [[first, first], 'CONSENT_OPERATION_REFUSED seq'],
      [[second, first], 'ANCHOR_MISMATCH'],
      [[first], 'ANCHOR_MISMATCH'],
      [[first, second, customer('zoe', OTHER_DEALER).submission(TRAINING)], 'CONSENT_OPERATION_REFUSED dealer'],
      [[{ ...first, operation: Uint8Array.of(0) }], 'MESSAGE_MALFORMED'],
    ];
    for (const [entries, fault] of cases) {
      expect(await faultOf(() => witness.coSign(DEALER, { ...proposal, entries }))).toBe(fault);
    }
    expect(signed).toEqual([]);
  });

  test('strangers, floods, gaps and anchors that are none are refused', async () => {
    const proposal = await proposalOf();
    const { entries, anchor } = proposal;
    const flood = Array.from({ length: 501 }, () => entries[0] ?? book.entries(0)[0]).filter((e) => e !== undefined);
    expect(await faultOf(() => witness.coSign(OTHER_DEALER, proposal))).toBe('NOT_A_MEMBER');
    expect(await faultOf(() => witness.coSign(DEALER, { ...proposal, entries: flood }))).toBe('MESSAGE_TOO_LARGE');
    expect(await faultOf(() => witness.coSign(DEALER, { ...proposal, firstIndex: 1 }))).toBe('LOG_GAP');
    expect(await faultOf(() => witness.coSign(DEALER, { ...proposal, anchor: { ...anchor, epoch: 0 } }))).toBe(
      'MESSAGE_MALFORMED',
    );
  });
});

describe('crashes and late comers', () => {
  test.each(['before', 'after'] as const)(
    'killed %s the write: asked again, it signs the same and only that',
    async (moment) => {
      const proposal = await proposalOf();
      store.failNext = moment;
      await expect(witness.coSign(DEALER, proposal)).rejects.toThrow('killed');
      expect(signed).toEqual([]);
      expect(store.anchors.size).toBe(moment === 'after' ? 1 : 0);
      const answer = await witness.coSign(DEALER, proposal);
      expect(answer.anchor).toEqual(proposal.anchor);
      expect(store.logs.get(DEALER)).toHaveLength(2);
    },
  );

  test('a witness that joined late signs every epoch in order, then the new one', async () => {
    const proposer = openProposer();
    const first = await proposalOf(proposer);
    proposer.confirm(first.anchor);
    onChain = first.anchor;
    await book.submit(customer('cara').submission(TRAINING));
    const second = await proposalOf(proposer);
    expect(await faultOf(() => witness.coSign(DEALER, second))).toBe('LOG_GAP');
    expect((await witness.coSign(DEALER, first)).anchor).toEqual(first.anchor);
    expect((await witness.coSign(DEALER, second)).anchor).toEqual(second.anchor);
  });

  test('a log other than the one on chain is not followed, by a late witness or an old one', async () => {
    const other = await openBook(memoryLogStore());
    await other.submit(customer('zoe').submission(TRAINING));
    onChain = other.state().anchor(1);
    expect(await faultOf(async () => witness.coSign(DEALER, await proposalOf()))).toBe('ANCHOR_MISMATCH');
    onChain = undefined;
    const proposer = openProposer();
    const first = await proposalOf(proposer);
    await witness.coSign(DEALER, first);
    proposer.confirm(first.anchor);
    await book.submit(customer('cara').submission(TRAINING));
    onChain = other.state().anchor(1);
    const second = await proposalOf(proposer);
    expect(await faultOf(() => witness.coSign(DEALER, second))).toBe('ANCHOR_MISMATCH');
    onChain = first.anchor;
    expect((await witness.coSign(DEALER, second)).anchor).toEqual(second.anchor);
  });

  test('a dealer who rewrites what the witness has seen is found out', async () => {
    const proposer = openProposer();
    const first = await proposalOf(proposer);
    await witness.coSign(DEALER, first);
    const rewritten = await openBook(memoryLogStore());
    await rewritten.submitAll([customer('bert').submission(NO_TRAINING), customer('anna').submission(TRAINING)]);
    await rewritten.submit(customer('cara').submission(TRAINING));
    const request = requestOf(0, rewritten.entries(0), rewritten.state().anchor(2));
    expect(await faultOf(() => witness.coSign(DEALER, request))).toBe('ANCHOR_MISMATCH');
  });
});

describe('proposing', () => {
  test('the same anchor until it is confirmed, though the log goes on, restart or not', async () => {
    const proposer = openProposer();
    const first = await proposalOf(proposer);
    await book.submit(customer('cara').submission(TRAINING));
    expect(await proposalOf(proposer)).toEqual(first);
    expect(await proposalOf(openProposer())).toEqual(first);
    proposer.confirm(first.anchor);
    const next = await proposalOf(proposer);
    expect(next).toMatchObject({ firstIndex: 2, anchor: { epoch: 2, operationCount: 3 } });
    expect(await proposalOf(openProposer(first.anchor))).toEqual(next);
  });

  test('nothing new, nothing proposed', async () => {
    const proposer = openProposer();
    proposer.confirm((await proposalOf(proposer)).anchor);
    expect(await proposer.propose()).toBeUndefined();
    expect(proposer.anchored().epoch).toBe(1);
  });

  test('confirming or starting from what our log does not lead to is refused', async () => {
    const proposer = openProposer();
    const { anchor } = await proposalOf(proposer);
    expect(await faultOf(() => openProposer({ ...anchor, logHead: hexWord(1n) }))).toBe('ANCHOR_MISMATCH');
    expect(await faultOf(() => openProposer({ ...anchor, operationCount: 99 }))).toBe('ANCHOR_MISMATCH');
    expect(await faultOf(() => proposer.confirm({ ...anchor, epoch: 2 }))).toBe('ANCHOR_MISMATCH');
    expect(await faultOf(() => openProposer().confirm(anchor))).toBe('ANCHOR_MISMATCH');
  });
});
