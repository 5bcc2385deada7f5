// Forced withdrawals: a customer whom the dealer ignores takes itself out on chain, and nobody else can.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ForcedRequest } from '../../engines/chain/consent-registry.ts';
import { readEvents } from '../../engines/chain/events.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { concatBytes, fromHex, type Hex, uintToBytes, utf8ToBytes } from '../../protocol/bytes.ts';
import { decodeAssertion, encodeAssertion } from '../../protocol/consent/assertion.ts';
import { type Departure, departureOf as departureIn } from '../../protocol/consent/forced.ts';
import { decodeEntry } from '../../protocol/consent/log.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { P256_ORDER } from '../../protocol/consent/p256-signature.ts';
import { admitEntry, type ConsentState } from '../../protocol/consent/state.ts';
import {
  type Customer,
  type Desk,
  DIGEST,
  type Forgery,
  HEADS,
  OLD_DIGEST,
  OTHER_DIGEST,
  openDesk,
} from './forced-world.ts';
import { commitOf, expectRefusal, hash, openRound, openWorld, type Party, REQUIREMENT, type World } from './world.ts';

let world: World;
let desk: Desk;
let stranger: Party;
let [anna, bert, cara] = [] as unknown as [Customer, Customer, Customer];
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  desk = openDesk(world, await world.party('dealer-1'));
  stranger = await world.party('stranger');
  [anna, bert, cara] = [desk.customer('anna'), desk.customer('bert'), desk.customer('cara')];
  desk.take(anna.entry(DIGEST), bert.entry(DIGEST), cara.entry(OTHER_DIGEST));
  await desk.anchor();
});
afterAll(() => world.stop());

const force = (request: ForcedRequest) => stranger.registry.forceWithdraw(request);
const withdrawal = (who: Customer) => desk.request(who, who.operation(0n));
const pending = () => stranger.registry.pendingWithdrawals(desk.dealer.address);

async function enrol(count: number): Promise<Customer[]> {
  const people = Array.from({ length: count }, (_, i) => desk.customer(`customer ${i}`));
  desk.take(...people.map((who) => who.entry(DIGEST)));
  await desk.anchor();
  return people;
}

function departureOf(state: ConsentState, { subject }: Customer): Departure {
  const found = departureIn(state, subject) ?? state.presenceProof(subject);
  if (found === undefined) throw new Error('unknown subject');
  // of a member, too: the leaf it would need to have
  return 'leaf' in found ? { subject, nextSubject: found.leaf.next, proof: found.proof } : found;
}

describe('taken', () => {
  test('[P-23] anybody may bring it, and the whole signed operation is read from the chain', async () => {
    const request = withdrawal(anna);
    const receipt = await force(request);
    const [event] = await readEvents(stranger.client, {
      address: world.at.registry,
      fromBlock: receipt.blockNumber,
    });
    if (event?.name !== 'ForcedWithdrawal') throw new Error('no event');
    expect(event).toMatchObject({ dealer: desk.dealer.address, subject: anna.subject, seq: 2 });
    expect(fromHex(event.operation)).toEqual(request.operation);
    const assertion = encodeAssertion({
      authenticatorData: fromHex(event.authenticatorData),
      clientDataJSON: fromHex(event.clientDataJSON),
      signature: fromHex(`${event.r}${event.s.slice(2)}`),
    });
    expect(assertion).toEqual(encodeAssertion(request.assertion));
    desk.take({ operation: fromHex(event.operation), assertion });
    expect(desk.state.subject(anna.subject)?.digest).toBe(0n);
    const place = { blockNumber: receipt.blockNumber, registry: world.at.registry };
    expect(await pending()).toEqual([{ subject: anna.subject, seq: 2, ...place }]);
    console.log(`forceWithdraw: ${receipt.gasUsed} gas`);
  });

  test('[P-23] a dealer cannot sit on what was signed in between: later numbers count, of every width', async () => {
    const seqs = [2, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
    const people = await enrol(seqs.length);
    for (const [i, seq] of seqs.entries()) {
      const who = people[i] ?? anna;
      const operation = who.operation(0n, { seq, oldDigest: OTHER_DIGEST });
      await force(desk.request(who, operation));
      desk.take({ operation, assertion: encodeAssertion(who.assertion(operation)) });
      expect(desk.state.subject(who.subject)).toMatchObject({ digest: 0n, seq });
    }
    expect((await pending()).map(({ seq }) => seq)).toEqual(seqs);
  });

  test('[P-24] while the federation is paused, and from a dealer that was removed', async () => {
    const operator = await world.party('operator');
    await operator.federation.pause();
    await operator.federation.removeDealer(desk.dealer.address);
    await force(withdrawal(anna));
    expect(await pending()).toHaveLength(1);
  });

  test('[P-23] whatever the contract takes of an assertion, every log takes', async () => {
    const lenient: readonly Forgery[] = [
      { rpId: 'elsewhere.example' },
      { after: '","origin":"https://evil.example","crossOrigin":true}' },
      { after: '" and no JSON at all \u0000' },
      { flags: 0x1d },
      { flags: 0x45 },
      { flags: 0x85, tail: Uint8Array.of(1, 2, 3) },
      { tail: new Uint8Array(1_600) },
    ];
    const people = await enrol(lenient.length);
    for (const [i, forgery] of lenient.entries()) {
      const who = people[i] ?? anna;
      const operation = who.operation(0n);
      const assertion = who.assertion(operation, forgery);
      await force(desk.request(who, operation, assertion));
      const entry = decodeEntry({ operation, assertion: encodeAssertion(assertion) });
      const relyingParty = { rpId: 'consent.example', origins: ['https://consent.example'] };
      admitEntry(desk.state, entry, relyingParty, verifyPasskeySignature);
    }
  });
});

describe('refused', () => {
  test('[P-23] every encoding but the canonical one, wherever it differs', async () => {
    const good = anna.operation(0n, { seq: 300 });
    const seqAt = 29; // 19 01 2c
    const cut = (at: number, remove: number, insert: readonly number[]) =>
      concatBytes(good.subarray(0, at), Uint8Array.from(insert), good.subarray(at + remove));
    const bad = [
      new Uint8Array(),
      good.subarray(0, -1),
      good.subarray(1),
      concatBytes(good, Uint8Array.of(0)),
      cut(seqAt, 3, []),
      cut(seqAt, 3, [0x00]),
      cut(seqAt, 3, [0x18, 23]),
      cut(seqAt, 3, [0x19, 0x00, 0xff]),
      cut(seqAt, 3, [0x1a, 0x00, 0x00, 0xff, 0xff]),
      cut(seqAt, 3, [0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
      cut(seqAt, 3, [0x1b, 0x00, 0x20, 0, 0, 0, 0, 0, 0]),
      cut(seqAt, 3, [0x19, 0x01]),
      cut(seqAt, 3, [0x19, 0x01, 0x2c, 0x00]),
      cut(seqAt, 3, [0x20]),
      cut(seqAt, 3, [0x1c]),
      // every byte of every key and of every head of a byte string
      ...HEADS.flatMap(([from, to]) =>
        Array.from({ length: to - from }, (_, i) => cut(from + i, 1, [(good[from + i] ?? 0) ^ 0x01])),
      ),
      cut(OLD_DIGEST, 32, [...new Uint8Array(32).fill(0xff)]),
    ];
    const membership = desk.request(anna, good).membership;
    for (const operation of bad) {
      expect(() => decodeOperation(operation)).toThrow();
      const assertion = anna.assertion(operation);
      const data = { operation, assertion, membership };
      await expectRefusal(force(data), 'OperationMalformed');
    }
    await force(desk.request(anna, good));
  }, 120_000);

  test('[P-23] a change of rules, which is no withdrawal', async () => {
    const operation = anna.operation(OTHER_DIGEST);
    await expectRefusal(force(desk.request(anna, operation)), 'NotAWithdrawal', { newDigest: String(OTHER_DIGEST) });
  });

  test('[P-23] a subject of another key, another dealer or another nonce', async () => {
    const strays = [
      { publicKey: bert.publicKey },
      { nonce: hash('another') },
      { subject: bert.subject },
      { dealer: stranger.address },
    ];
    for (const change of strays) {
      const operation = anna.operation(0n, change);
      await expectRefusal(force(desk.request(anna, operation)), 'WrongSubject');
    }
  });

  test('[P-23] people who are not there: never enrolled, gone, or not yet anchored', async () => {
    const nobody = desk.customer('nobody');
    const { membership } = withdrawal(anna);
    const of = (who: Customer, change = {}) => {
      const operation = who.operation(0n, { seq: 9, ...change });
      return { operation, assertion: who.assertion(operation), membership };
    };
    await expectRefusal(force(of(nobody)), 'SubjectNotUnderRoot', { subject: nobody.subject });
    await expectRefusal(force(of(bert)), 'SubjectNotUnderRoot', { subject: bert.subject });
    desk.take(nobody.entry(DIGEST));
    await expectRefusal(force(of(nobody)), 'SubjectNotUnderRoot');

    const before = withdrawal(anna);
    desk.take(anna.entry(0n));
    await desk.anchor();
    await expectRefusal(force(before), 'SubjectNotUnderRoot', { subject: anna.subject });
  });

  test('[P-23] at a dealer that has no anchor nobody is forced', async () => {
    const fresh = openDesk(world, await world.party('dealer-2'));
    const dora = fresh.customer('dora');
    const operation = dora.operation(0n);
    const { membership } = withdrawal(anna);
    const request = { operation, assertion: dora.assertion(operation), membership };
    await expectRefusal(force(request), 'SubjectNotUnderRoot', { root: `0x${'00'.repeat(32)}` });
  });

  test('[P-23] a forged place in the tree', async () => {
    const request = withdrawal(anna);
    const { membership } = request;
    const { member, bucket } = membership;
    const forged = [
      { ...membership, member: { ...member, seq: 0 } },
      { ...membership, member: { ...member, recordHash: hash('x') } },
      { ...membership, memberProof: [] },
      { ...membership, bucketProof: [...membership.bucketProof, hash('x')] },
      { ...membership, bucket: { ...bucket, memberCount: bucket.memberCount + 1 } },
      { ...membership, bucket: { ...bucket, digest: OTHER_DIGEST } },
    ];
    for (const other of forged) {
      await expectRefusal(force({ ...request, membership: other }), 'SubjectNotUnderRoot');
    }
  });

  test('[P-23] an old withdrawal of somebody who has come back since', async () => {
    const old = anna.entry(0n);
    desk.take(old);
    await desk.anchor();
    desk.take(anna.entry(DIGEST));
    await desk.anchor();
    const request = desk.request(anna, old.operation, decodeAssertion(old.assertion));
    await expectRefusal(force(request), 'OperationStale', { given: '2', current: '3' });
    const equal = anna.operation(0n, { seq: 3 });
    await expectRefusal(force(desk.request(anna, equal)), 'OperationStale', { given: '3', current: '3' });
  });

  test('[P-23] what the passkey did not sign, or signed without the person', async () => {
    const operation = anna.operation(0n);
    const good = anna.assertion(operation);
    const s = BigInt(`0x${Buffer.from(good.signature.subarray(32)).toString('hex')}`);
    const bad = [
      bert.assertion(operation),
      anna.assertion(operation, { challenge: utf8ToBytes('another operation, 32 bytes long') }),
      anna.assertion(operation, { before: '{"type":"webauthn.create","challenge":"' }),
      anna.assertion(operation, { before: ' {"type":"webauthn.get","challenge":"' }),
      anna.assertion(operation, { before: '{"a":0,"type":"webauthn.get","challenge":"' }),
      anna.assertion(operation, { after: '' }),
      anna.assertion(operation, { flags: 0x04 }),
      anna.assertion(operation, { flags: 0x01 }),
      anna.assertion(operation, { flags: 0x15 }),
      anna.assertion(operation, { tail: new Uint8Array(2_000) }),
      { ...good, authenticatorData: good.authenticatorData.subarray(0, 36) },
      { ...good, authenticatorData: good.authenticatorData.with(36, 1) },
      { ...good, signature: good.signature.with(0, (good.signature[0] ?? 0) ^ 1) },
      { ...good, signature: concatBytes(good.signature.subarray(0, 32), uintToBytes(P256_ORDER - s, 32)) },
      { ...good, signature: new Uint8Array(64) },
    ];
    for (const assertion of bad) {
      await expectRefusal(force(desk.request(anna, operation, assertion)), 'PasskeyRefused');
    }
    await force(desk.request(anna, operation, good));
  });

  test('[P-23] twice at a time', async () => {
    await force(withdrawal(anna));
    const later = desk.request(anna, anna.operation(0n, { seq: 7 }));
    await expectRefusal(force(later), 'AlreadyPending', { subject: anna.subject });
    await force(withdrawal(bert));
    expect(await pending()).toHaveLength(2);
  });
});

describe('until it is acknowledged', () => {
  const blocked = (sending: Promise<unknown>, count = '1') =>
    expectRefusal(sending, 'ForcedWithdrawalPending', { dealer: desk.dealer.address, count });
  const acknowledge = (...gone: readonly Customer[]) =>
    stranger.registry.acknowledge(
      desk.dealer.address,
      gone.map((who) => departureOf(desk.state, who)),
    );
  const admit = () =>
    desk.dealer.registry.admitSelection({
      requirement: REQUIREMENT,
      ...desk.state.selectionProof(desk.state.digests()),
    });

  async function commitUnder(root: Hex, round: number): Promise<void> {
    await desk.dealer.ledger.commit(commitOf(round, root, { weight: 1 }));
  }

  test('[P-25] [P-26] commit and selection are refused; taken in, anchored and acknowledged they stand again', async () => {
    const root = await desk.select();
    const round = await openRound(world, await world.party('coordinator'));
    const request = withdrawal(anna);
    await force(request);
    await blocked(commitUnder(root, round));
    await blocked(admit());

    // the dealer goes on anchoring as if nothing had happened
    desk.take(bert.entry(OTHER_DIGEST));
    await desk.anchor();
    await blocked(commitUnder(root, round));
    await expectRefusal(acknowledge(anna), 'SubjectNotUnderRoot', { subject: anna.subject });

    desk.take({ operation: request.operation, assertion: encodeAssertion(request.assertion) });
    await expectRefusal(acknowledge(anna), 'SubjectNotUnderRoot', { subject: anna.subject });
    await desk.anchor();
    await blocked(admit());
    const { gasUsed, blockNumber } = await acknowledge(anna);
    console.log(`acknowledge: ${gasUsed} gas`);
    const [event] = await readEvents(stranger.client, { address: world.at.registry, fromBlock: blockNumber });
    expect(event).toMatchObject({ name: 'ForcedWithdrawalAcknowledged', subject: anna.subject, epoch: 3 });
    expect(await pending()).toEqual([]);
    await commitUnder(await desk.select(), round);
  });

  test('[P-25] other dealers go on', async () => {
    await force(withdrawal(anna));
    const other = openDesk(world, await world.party('dealer-2'));
    other.take(other.customer('dora').entry(DIGEST));
    await other.anchor();
    const root = await other.select();
    const round = await openRound(world, await world.party('coordinator'));
    await other.dealer.ledger.commit(commitOf(round, root, { weight: 1 }));
  });

  test('[P-26] each is cleared by its own proof, in any order, and one that is not pending is passed over', async () => {
    await force(withdrawal(anna));
    await force(withdrawal(bert));
    desk.take(anna.entry(0n), bert.entry(0n), cara.entry(0n));
    await desk.anchor();
    await acknowledge(cara, bert);
    expect(await pending()).toMatchObject([{ subject: anna.subject }]);
    await blocked(
      desk.dealer.registry.admitSelection({ requirement: REQUIREMENT, buckets: [], proof: [], proofFlags: [] }),
    );
    await acknowledge(bert, anna, anna);
    expect(await pending()).toEqual([]);
  });

  test('[P-26] a member, a leaf of another dealer and a path that is none clear nothing', async () => {
    await force(withdrawal(anna));
    await expectRefusal(acknowledge(anna), 'SubjectNotUnderRoot', { root: desk.state.subjectsRoot });
    const other = openDesk(world, await world.party('dealer-2'));
    desk.take(anna.entry(0n));
    const departure = departureOf(desk.state, anna);
    await expectRefusal(stranger.registry.acknowledge(desk.dealer.address, [departure]), 'SubjectNotUnderRoot');
    await desk.anchor();
    await expectRefusal(stranger.registry.acknowledge(other.dealer.address, [departure]), 'SubjectNotUnderRoot');
    const { acknowledge: send } = stranger.registry;
    const change = (edit: Partial<Departure>) => send(desk.dealer.address, [{ ...departure, ...edit }]);
    await expectRefusal(change({ nextSubject: hash('x') }), 'SubjectNotUnderRoot');
    await expectRefusal(change({ proof: departure.proof.slice(1) }), 'SubjectNotUnderRoot');
    await expectRefusal(change({ subject: bert.subject }), 'SubjectNotUnderRoot');
    expect(await pending()).toHaveLength(1);
    await change({});
  });

  describe('somebody who has come back', () => {
    const membershipOf = (who: Customer) => {
      const found = desk.state.membershipProof(who.subject);
      if (found === undefined) throw new Error('not a member');
      return found;
    };
    const acknowledgeReturn = (who: Customer) =>
      stranger.registry.acknowledgeReturn(desk.dealer.address, who.subject, membershipOf(who));

    test('[P-26] clears with a later operation of its own, and only with a later one', async () => {
      // forced while the dealer's own log had the withdrawal and a new consent, both on their way to the chain
      const request = withdrawal(anna);
      desk.take({ operation: request.operation, assertion: encodeAssertion(request.assertion) });
      desk.take(anna.entry(DIGEST));
      await force(request);
      await desk.anchor();
      await expectRefusal(
        stranger.registry.acknowledgeReturn(desk.dealer.address, anna.subject, membershipOf(bert)),
        'SubjectNotUnderRoot',
      );
      await acknowledgeReturn(anna);
      expect(await pending()).toEqual([]);
      await acknowledgeReturn(anna);
    });

    test('[P-26] another operation of the same number, taken in before, does not outrun the withdrawal', async () => {
      const request = withdrawal(anna);
      desk.take(anna.entry(OTHER_DIGEST));
      await force(request);
      await desk.anchor();
      await expectRefusal(acknowledgeReturn(anna), 'OperationStale', { given: '2', current: '2' });
      // the log takes it all the same [CON-4]
      desk.take({ operation: request.operation, assertion: encodeAssertion(request.assertion) });
      await desk.anchor();
      await acknowledge(anna);
      expect(await pending()).toEqual([]);
    });
  });
});
