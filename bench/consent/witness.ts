// A witness's own work at 100,000 customers: the state and the roots, out of the operations; signatures apart.
import { randomBytes } from 'node:crypto';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { Anchor } from '../../protocol/consent/anchor.ts';
import { encodeAssertion, verifyAssertion } from '../../protocol/consent/assertion.ts';
import { decodeEntry, type LogEntry } from '../../protocol/consent/log.ts';
import { encodeOperation, subjectOf } from '../../protocol/consent/operation.ts';
import { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/params.ts';
import { RELYING_PARTY } from './world.ts';

export interface WitnessResult {
  readonly customers: number;
  /** A dealer has at most LIMITS.maxRecordsPerDealer: more customers are several dealers', and a witness serves them all. */
  readonly dealers: number;
  readonly policies: number;
  /** State and roots: the two below. */
  readonly rebuildMs: number;
  /** [CON-2] on every operation, the log's hash chain, the leaves. */
  readonly stateMs: number;
  readonly rootsMs: number;
  /** Strict decoding of operation and assertion, before that. */
  readonly decodeMs: number;
}

export function runWitness(customers: number, policies: number): WitnessResult {
  const dealers = Math.ceil(customers / LIMITS.maxRecordsPerDealer);
  const share = Math.ceil(customers / dealers);
  const totals = { stateMs: 0, rootsMs: 0, decodeMs: 0 };
  for (let i = 0; i < dealers; i++) {
    const dealer: Hex = `0x${(i + 1).toString(16).padStart(40, '0')}`;
    const log = syntheticLog(dealer, Math.min(share, customers - i * share), policies);
    const state = ConsentState.empty(dealer);
    // as they reach a witness: a request at a time
    for (let from = 0; from < log.length; from += LIMITS.maxConsentOperationsPerRequest) {
      const started = performance.now();
      const entries = log.slice(from, from + LIMITS.maxConsentOperationsPerRequest).map(decodeEntry);
      const decoded = performance.now();
      for (const entry of entries) state.apply(entry);
      totals.decodeMs += decoded - started;
      totals.stateMs += performance.now() - decoded;
    }
    const applied = performance.now();
    const anchor = state.anchor(1);
    totals.rootsMs += performance.now() - applied;
    checkAnchor(anchor, log.length);
  }
  const rebuildMs = totals.stateMs + totals.rootsMs;
  return { customers, dealers, policies, rebuildMs, ...totals };
}

function checkAnchor({ operationCount }: Anchor, expected: number): void {
  if (operationCount !== expected) throw new ConcordatError('STATE_CORRUPT', `${operationCount} of ${expected}`);
}

/** What comes before all that: [CON-1] on signed operations, WebAuthn's rules and the P-256 signature. A sample. */
export function msPerSignature(entries: readonly LogEntry[]): number {
  const decoded = entries.map(decodeEntry);
  const started = performance.now();
  for (const { assertion, operation, operationHash } of decoded) {
    verifyAssertion(assertion, operationHash, operation.publicKey, RELYING_PARTY, verifyPasskeySignature);
  }
  return (performance.now() - started) / entries.length;
}

/** Of the size a browser's is. */
const syntheticAssertion = (): Uint8Array =>
  encodeAssertion({ authenticatorData: randomBytes(37), clientDataJSON: randomBytes(134), signature: randomBytes(64) });

/** First operations of as many subjects, of the right form and size; random keys and assertions: no curve is looked at. */
function syntheticLog(dealer: Hex, customers: number, policies: number): LogEntry[] {
  const hex = (bytes: number): Hex => toHex(randomBytes(bytes));
  const digests = Array.from({ length: policies }, () => BigInt(hex(31)));
  return Array.from({ length: customers }, (_, i) => {
    const [publicKey, nonce] = [hex(64), hex(32)];
    const operation = encodeOperation({
      dealer,
      subject: subjectOf(publicKey, dealer, nonce),
      publicKey,
      nonce,
      seq: 1,
      oldDigest: 0n,
      newDigest: digests[i % policies] ?? 0n,
      recordHash: hex(32),
    });
    return { operation, assertion: syntheticAssertion() };
  });
}
