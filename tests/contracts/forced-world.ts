// Customers with P-256 keys at a dealer whose consent log the test keeps: what stands on chain is the real state of that log.
import { Buffer } from 'node:buffer';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { ForcedRequest } from '../../engines/chain/consent-registry.ts';
import { concatBytes, type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Assertion, base64url, encodeAssertion, signedMessage } from '../../protocol/consent/assertion.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { encodeOperation, type Operation, operationHash, subjectOf } from '../../protocol/consent/operation.ts';
import { toLowS } from '../../protocol/consent/p256-signature.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import { BUCKETS, claimOf, hash, type Party, REQUIREMENT, type World, witnessed } from './world.ts';

export const [DIGEST, OTHER_DIGEST] = BUCKETS.map(({ digest }) => digest) as [bigint, bigint];

/** What a test may sign that no browser would. */
export interface Forgery {
  readonly flags?: number;
  readonly rpId?: string;
  readonly tail?: Uint8Array;
  /** Instead of what a browser writes, before and after the challenge. */
  readonly before?: string;
  readonly after?: string;
  readonly challenge?: Uint8Array;
}

export interface Customer {
  readonly publicKey: Hex;
  readonly subject: Hex;
  /** The next operation by the log's own state, or with some fields of another's. */
  operation(newDigest: bigint, change?: Partial<Operation>): Uint8Array;
  assertion(operation: Uint8Array, forgery?: Forgery): Assertion;
  entry(newDigest: bigint, change?: Partial<Operation>): LogEntry;
}

export interface Desk {
  readonly state: ConsentState;
  readonly dealer: Party;
  customer(name: string): Customer;
  take(...entries: readonly LogEntry[]): void;
  /** Co-signed and put on chain. */
  anchor(): Promise<void>;
  /** Anchored, claimed and selected: commits stand. Returns the root. */
  select(): Promise<Hex>;
  /** Against the state that is on chain. */
  request(customer: Customer, operation: Uint8Array, assertion?: Assertion): ForcedRequest;
}

export function openDesk(world: World, dealer: Party): Desk {
  const state = ConsentState.empty(dealer.address);
  let anchored = state.clone();
  let epoch = 0;

  function customer(name: string): Customer {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = privateKey.export({ format: 'jwk' });
    const publicKey = toHex(concatBytes(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')));
    const nonce = hash(`nonce of ${name}`);
    const subject = subjectOf(publicKey, dealer.address, nonce);

    const operation = (newDigest: bigint, change: Partial<Operation> = {}): Uint8Array => {
      const known = state.subject(subject);
      const seq = change.seq ?? (known?.seq ?? 0) + 1;
      const recordHash = hash(`record ${name} ${seq} ${newDigest}`);
      const next = { dealer: dealer.address, subject, publicKey, nonce, seq, recordHash };
      return encodeOperation({ ...next, oldDigest: known?.digest ?? 0n, newDigest, ...change });
    };
    const assertion = (bytes: Uint8Array, forgery: Forgery = {}): Assertion => {
      const challenge = base64url(forgery.challenge ?? operationHash(bytes));
      const before = forgery.before ?? '{"type":"webauthn.get","challenge":"';
      const after = forgery.after ?? '","origin":"https://consent.example","crossOrigin":false}';
      const rpIdHash = sha256(utf8ToBytes(forgery.rpId ?? 'consent.example'));
      const flags = Uint8Array.of(forgery.flags ?? 0x05);
      const unsigned = {
        authenticatorData: concatBytes(rpIdHash, flags, new Uint8Array(4), forgery.tail ?? new Uint8Array()),
        clientDataJSON: utf8ToBytes(`${before}${challenge}${after}`),
      };
      const signature = sign('sha256', signedMessage(unsigned), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return { ...unsigned, signature: toLowS(new Uint8Array(signature)) };
    };
    const entry = (newDigest: bigint, change?: Partial<Operation>): LogEntry => {
      const bytes = operation(newDigest, change);
      return { operation: bytes, assertion: encodeAssertion(assertion(bytes)) };
    };
    return { publicKey, subject, operation, assertion, entry };
  }

  async function anchor(): Promise<void> {
    epoch += 1;
    anchored = state.clone();
    const next = anchored.anchor(epoch);
    await dealer.registry.anchor(next, witnessed(world, dealer.address, next, ['witness-1', 'witness-2']));
  }

  return {
    state,
    dealer,
    customer,
    take: (...entries) => {
      for (const entry of entries) state.apply(decodeEntry(entry));
    },
    anchor,
    async select() {
      await dealer.registry.admitPolicies(claimOf(world, dealer.address));
      await dealer.registry.admitSelection({
        requirement: REQUIREMENT,
        ...anchored.selectionProof(anchored.digests()),
      });
      const record = await dealer.registry.currentAnchor(dealer.address);
      if (record === undefined) throw new Error('nothing is anchored');
      return record.root;
    },
    request(who, operation, assertion = who.assertion(operation)) {
      const membership = anchored.membershipProof(who.subject);
      if (membership === undefined) throw new Error('not a member');
      return { operation, assertion, membership };
    },
  };
}

/** [from, to) of keys and heads in an operation whose sequence number takes three bytes. */
const REST = 32;
export const HEADS: readonly (readonly [number, number])[] = [
  [0, 29],
  [REST, REST + 8],
  [REST + 40, REST + 48],
  [REST + 68, REST + 78],
  [REST + 110, REST + 122],
  [REST + 154, REST + 166],
  [REST + 198, REST + 210],
  [REST + 274, REST + 287],
];
export const OLD_DIGEST = REST + 166;
