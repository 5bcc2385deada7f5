// Forced withdrawals in the log: [CON-3] whose signature is enough, [CON-4] which numbers count, and that one can always be settled.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { createSoftwarePasskey } from '../../engines/keys/software-passkey.ts';
import { toHex } from '../../protocol/bytes.ts';
import { encodeAssertion } from '../../protocol/consent/assertion.ts';
import { departureOf, entryOfForced, settlementOf } from '../../protocol/consent/forced.ts';
import { verifyPresence } from '../../protocol/consent/linked-tree.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { encodeOperation, type Operation, operationHash, subjectOf } from '../../protocol/consent/operation.ts';
import { admitEntry, ConsentState } from '../../protocol/consent/state.ts';
import { DEALER, faultOf, hash32, ORIGIN, RELYING_PARTY } from './consent-world.ts';

const passkey = createSoftwarePasskey({ rpId: RELYING_PARTY.rpId, origin: ORIGIN, seed: hash32('anna') });
const elsewhere = createSoftwarePasskey({ rpId: 'x.example', origin: 'https://x.example', seed: hash32('anna') });
const nonce = toHex(hash32('nonce'));
const subject = subjectOf(passkey.publicKey, DEALER, nonce);
const HERE = 5n;

const operation = (change: Partial<Operation>): Operation => ({
  dealer: DEALER,
  subject,
  publicKey: passkey.publicKey,
  nonce,
  seq: 1,
  oldDigest: 0n,
  newDigest: HERE,
  recordHash: toHex(hash32(`${change.seq}`)),
  ...change,
});
const entry = (change: Partial<Operation>, signer = passkey): LogEntry => {
  const bytes = encodeOperation(operation(change));
  return { operation: bytes, assertion: encodeAssertion(signer.sign(operationHash(bytes))) };
};
const admit = (state: ConsentState, one: LogEntry) =>
  faultOf(() => admitEntry(state, decodeEntry(one), RELYING_PARTY, verifyPasskeySignature));
/** Enrolled at number 3. */
function member(): ConsentState {
  const state = ConsentState.empty(DEALER);
  for (const [seq, oldDigest, newDigest] of [
    [1, 0n, HERE],
    [2, HERE, 0n],
    [3, 0n, HERE],
  ] as const) {
    state.apply(decodeEntry(entry({ seq, oldDigest, newDigest })));
  }
  return state;
}

describe('[CON-3] a withdrawal is taken wherever it was signed', () => {
  test('on other pages, under another relying party; a consent is not', async () => {
    expect(await admit(member(), entry({ seq: 4, oldDigest: HERE, newDigest: 0n }, elsewhere))).toBe('no error');
    expect(await admit(member(), entry({ seq: 4, oldDigest: HERE, newDigest: 6n }, elsewhere))).toBe(
      'PASSKEY_REFUSED origin',
    );
  });

  test('by its own key alone, with the person there', async () => {
    const bytes = encodeOperation(operation({ seq: 4, oldDigest: HERE, newDigest: 0n }));
    const good = passkey.sign(operationHash(bytes));
    const stranger = createSoftwarePasskey({ rpId: RELYING_PARTY.rpId, origin: ORIGIN }).sign(operationHash(bytes));
    const flagged = (flags: number) => ({ ...good, authenticatorData: good.authenticatorData.with(32, flags) });
    const cases = [
      [stranger, 'signature'],
      [flagged(0x04), 'user-present'],
      [flagged(0x01), 'user-verified'],
      [flagged(0x15), 'flags'],
      [passkey.sign(hash32('another')), 'challenge'],
      [{ ...good, clientDataJSON: good.clientDataJSON.with(0, 0x20) }, 'challenge'],
      [{ ...good, signature: new Uint8Array(64) }, 'high-s'],
    ] as const;
    for (const [assertion, reason] of cases) {
      const forged = { operation: bytes, assertion: encodeAssertion(assertion) };
      expect(await admit(member(), forged)).toBe(`PASSKEY_REFUSED ${reason}`);
    }
  });
});

describe('[CON-4] which numbers of a withdrawal count', () => {
  test.each([
    [1, 'CONSENT_OPERATION_REFUSED seq'],
    [2, 'CONSENT_OPERATION_REFUSED seq'],
    [3, 'no error'],
    [4, 'no error'],
    [5, 'no error'],
    [Number.MAX_SAFE_INTEGER, 'no error'],
  ])('of a member whose last is 3: %d', async (seq, expected) => {
    for (const oldDigest of [0n, HERE, 77n]) {
      const state = member();
      expect(await admit(state, entry({ seq, oldDigest, newDigest: 0n }))).toBe(expected);
      if (expected === 'no error') expect(state.subject(subject)).toMatchObject({ seq, digest: 0n });
      else expect(state.subject(subject)).toMatchObject({ seq: 3, digest: HERE });
    }
  });

  test('whoever is out already, or was never in, has nothing to leave: the usual rule', async () => {
    const state = member();
    state.apply(decodeEntry(entry({ seq: 4, oldDigest: HERE, newDigest: 0n })));
    expect(await admit(state, entry({ seq: 4, oldDigest: HERE, newDigest: 0n }))).toBe('CONSENT_OPERATION_REFUSED seq');
    expect(await admit(state, entry({ seq: 6, oldDigest: 0n, newDigest: 0n }))).toBe('CONSENT_OPERATION_REFUSED seq');
    expect(await admit(ConsentState.empty(DEALER), entry({ seq: 2, newDigest: 0n }))).toBe(
      'CONSENT_OPERATION_REFUSED seq',
    );
  });

  test('a change of rules still has to be the very next', async () => {
    for (const seq of [3, 5])
      expect(await admit(member(), entry({ seq, oldDigest: HERE, newDigest: 6n }))).toBe(
        'CONSENT_OPERATION_REFUSED seq',
      );
  });
});

test('whatever a log took before, a forced withdrawal can be settled, and the registry then has its proof', () => {
  // what the contract takes: later than the number under the anchored root (3)
  const forced = fc.integer({ min: 4, max: 12 });
  const moves = fc.array(fc.constantFrom(0n, 6n, 7n), { maxLength: 8 });
  fc.assert(
    fc.property(forced, moves, moves, (seq, before, after) => {
      const state = member();
      const move = (newDigest: bigint) => {
        const known = state.subject(subject);
        if (known === undefined) throw new Error('unknown');
        state.apply(decodeEntry(entry({ seq: known.seq + 1, oldDigest: known.digest, newDigest })));
      };
      const settle = () => {
        if (settlementOf(state, subject, seq) !== 'take') return;
        state.apply(decodeEntry(entry({ seq, oldDigest: HERE, newDigest: 0n })));
      };
      for (const digest of before) move(digest);
      settle();
      for (const digest of after) {
        move(digest);
        settle();
      }
      const settlement = settlementOf(state, subject, seq);
      const departure = departureOf(state, subject);
      if (settlement === 'gone') {
        const leaf = { key: subject, value: toHex(new Uint8Array(32)), next: departure?.nextSubject ?? '0x' };
        expect(verifyPresence(state.subjectsRoot, subject, { leaf, proof: departure?.proof ?? [] })).toBe(true);
      } else {
        expect(settlement).toBe('returned');
        expect(departure).toBeUndefined();
        expect(state.membershipProof(subject)?.member.seq).toBeGreaterThan(seq);
      }
    }),
    { numRuns: 60 },
  );
});

test('the event carries the very entry that the device would have sent', () => {
  const bytes = encodeOperation(operation({ seq: 4, oldDigest: HERE, newDigest: 0n }));
  const { authenticatorData, clientDataJSON, signature } = passkey.sign(operationHash(bytes));
  const onChain = {
    operation: toHex(bytes),
    authenticatorData: toHex(authenticatorData),
    clientDataJSON: toHex(clientDataJSON),
    r: toHex(signature.subarray(0, 32)),
    s: toHex(signature.subarray(32)),
  };
  const assertion = encodeAssertion({ authenticatorData, clientDataJSON, signature });
  expect(entryOfForced(onChain)).toEqual({ operation: bytes, assertion });
});
