// Is the sum that is to be opened really that of the set's payloads? Answered from fingerprints, before any share is added.
import type { Hex } from '../protocol/bytes.ts';
import { toHex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { AnswerRequest } from '../protocol/messages/answer.ts';
import type { FingerprintStatement } from '../protocol/messages/fingerprint.ts';
import { fingerprintsAddUp } from '../protocol/secagg/fingerprint.ts';
import { refused } from '../protocol/secagg/set.ts';
import type { PayloadBook } from './payloads.ts';
import type { RoundFacts } from './round-facts.ts';

export interface TrueSumParts {
  readonly payloads: Pick<PayloadBook, 'fingerprintOf'>;
  /** Whose EIP-712 `Fingerprint` it is. @throws ConcordatError SIGNATURE_INVALID */
  readonly recoverFingerprint: (statement: FingerprintStatement, signature: Hex) => Hex;
}

/**
 * Per dealer its signed fingerprint, or the one of its own bytes, which goes first: a dealer's lie is overruled by its payload.
 * @throws ConcordatError PAYLOAD_NEEDED naming the payloads to be streamed: the sum, and those nobody signed for
 * @throws ConcordatError AGGREGATE_MISMATCH when the fingerprints do not add up to the sum's
 * @throws ConcordatError SIGNATURE_INVALID, SET_REFUSED for a fingerprint of somebody else
 */
export function requireTrueSum(request: AnswerRequest, facts: RoundFacts, parts: TrueSumParts): void {
  const { round, aggregateHash } = request;
  const signed = signedFingerprints(request, facts, parts);
  const seen = (hash: Hex) => parts.payloads.fingerprintOf(facts, hash, aggregateHash);
  const whole = seen(aggregateHash);
  const found = [...facts.commitments].map(([dealer, { payloadHash }]) => ({
    payloadHash,
    fingerprint: seen(payloadHash) ?? signed.get(dealer),
  }));
  const missing = found.flatMap(({ payloadHash, fingerprint }) => (fingerprint === undefined ? [payloadHash] : []));
  const payloads = whole === undefined ? [aggregateHash, ...missing] : missing;
  const fingerprints = found.flatMap(({ fingerprint }) => (fingerprint === undefined ? [] : [fingerprint]));
  if (whole === undefined || payloads.length > 0) {
    throw new ConcordatError('PAYLOAD_NEEDED', `${payloads.length} payloads of round ${round}`, {
      round,
      aggregateHash,
      payloads,
    });
  }
  if (!fingerprintsAddUp(fingerprints, whole)) {
    throw new ConcordatError('AGGREGATE_MISMATCH', `${aggregateHash} is not the sum over the set of round ${round}`, {
      round,
      aggregateHash,
    });
  }
}

function signedFingerprints(request: AnswerRequest, facts: RoundFacts, parts: TrueSumParts): Map<Hex, Uint8Array> {
  const { round, aggregateHash } = request;
  const signed = new Map<Hex, Uint8Array>();
  for (const { dealer, fingerprint, signature } of request.fingerprints) {
    if (!facts.commitments.has(dealer)) throw refused(round, `${dealer} is not in the finalised set`, dealer);
    if (signed.has(dealer)) throw refused(round, `two fingerprints of ${dealer}`, dealer);
    const statement = { dealer, round, aggregateHash, fingerprint: toHex(fingerprint) };
    if (parts.recoverFingerprint(statement, signature) !== dealer) {
      throw new ConcordatError('SIGNATURE_INVALID', `the fingerprint of ${dealer} is signed by another`, { dealer });
    }
    signed.set(dealer, fingerprint);
  }
  return signed;
}
