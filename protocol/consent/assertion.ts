// A WebAuthn assertion over a consent operation: its shape, and every check that needs no curve arithmetic ([CON-1]).
import { z } from 'zod';
import { concatBytes, equalBytes, type Hex, sha256, utf8ToBytes } from '../bytes.ts';
import { decodeCbor, encodeCbor } from '../codec.ts';
import { ConcordatError } from '../errors.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { isLowSSignature } from './p256-signature.ts';

const ASSERTION_VERSION = `${PROTOCOL_VERSION}/assertion` as const;

/** Authenticator data 37 bytes (more with extensions), client data about 150, signature 64. */
export const MAX_ASSERTION_BYTES = 2048;

export interface Assertion {
  /** rpIdHash (32) ‖ flags (1) ‖ signature counter (4) ‖ extensions. WebAuthn §6.1. */
  readonly authenticatorData: Uint8Array;
  /** UTF-8 JSON as the browser wrote it. WebAuthn §5.8.1. */
  readonly clientDataJSON: Uint8Array;
  /** r ‖ s, 64 bytes, low s (not DER): what `P256.verify` takes on chain. */
  readonly signature: Uint8Array;
}

/** Whose pages may ask for the signature: one dealer's Sovereignty Centre. */
export interface RelyingParty {
  /** Registrable domain the passkeys are bound to, e.g. "consent.dealer.example". */
  readonly rpId: string;
  /** Exact origins of the page, e.g. "https://consent.dealer.example". */
  readonly origins: readonly string[];
}

/** Checks one P-256 signature over sha256(message). Returns false, never throws, on a bad key or signature. */
export type SignatureVerifier = (publicKey: Hex, message: Uint8Array, signature: Uint8Array) => boolean;

const bytes = z.instanceof(Uint8Array);
const assertionSchema = z.strictObject({
  v: z.literal(ASSERTION_VERSION),
  authenticatorData: bytes.refine((data) => data.length >= 37, 'must be 37 bytes or more'),
  clientDataJSON: bytes,
  signature: bytes.refine((signature) => signature.length === 64, 'must be r ‖ s, 64 bytes'),
});

export const encodeAssertion = (assertion: Assertion): Uint8Array => encodeCbor({ v: ASSERTION_VERSION, ...assertion });

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeAssertion(encoded: Uint8Array): Assertion {
  const { v: _, ...assertion } = decodeCbor(encoded, assertionSchema, MAX_ASSERTION_BYTES);
  return assertion;
}

/** RFC 4648 §5 without padding, as WebAuthn writes a challenge. */
export const base64url = (input: Uint8Array): string =>
  btoa(String.fromCharCode(...input))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

/** What the authenticator signs: authenticatorData ‖ sha256(clientDataJSON). */
export const signedMessage = (assertion: Omit<Assertion, 'signature'>): Uint8Array =>
  concatBytes(assertion.authenticatorData, sha256(assertion.clientDataJSON));

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const BACKUP_ELIGIBLE = 0x08;
const BACKED_UP = 0x10;
const ATTESTED_DATA = 0x40;
const EXTENSIONS = 0x80;

type AssertionFault = 'type' | 'challenge' | 'origin' | 'rp-id' | 'user-present' | 'user-verified' | 'flags' | 'high-s';

function clientDataFault(
  json: Uint8Array,
  challenge: Uint8Array,
  origins: readonly string[],
): AssertionFault | undefined {
  let clientData: Record<string, unknown>;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    clientData = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return 'type';
  }
  if (typeof clientData !== 'object' || clientData === null) return 'type';
  const { type, origin, crossOrigin } = clientData;
  if (type !== 'webauthn.get') return 'type';
  if (clientData.challenge !== base64url(challenge)) return 'challenge';
  if (typeof origin !== 'string' || !origins.includes(origin) || crossOrigin === true) return 'origin';
  // WebAuthn §5.8.1.2 (limited verification): browsers write these members first and in this order. Whoever finds them by
  // position, as the contract does, then reads the same values as whoever parses the JSON.
  const start = `{"type":"webauthn.get","challenge":"${base64url(challenge)}","origin":${JSON.stringify(origin)}`;
  return text.startsWith(start) ? undefined : 'type';
}

function authenticatorFault(data: Uint8Array, rpId: string): AssertionFault | undefined {
  if (!equalBytes(data.subarray(0, 32), sha256(utf8ToBytes(rpId)))) return 'rp-id';
  const flags = data[32] ?? 0;
  const hasTail = data.length > 37;
  const declaresTail = (flags & EXTENSIONS) !== 0;
  const consistent = (flags & ATTESTED_DATA) === 0 && hasTail === declaresTail;
  return presenceFault(flags) ?? (consistent ? undefined : 'flags');
}

function presenceFault(flags: number): AssertionFault | undefined {
  if ((flags & USER_PRESENT) === 0) return 'user-present';
  if ((flags & USER_VERIFIED) === 0) return 'user-verified';
  return (flags & BACKED_UP) !== 0 && (flags & BACKUP_ELIGIBLE) === 0 ? 'flags' : undefined;
}

/**
 * [CON-1] minus the curve: type, challenge, origin, relying party, user present and verified, consistent flags, low s.
 * @throws ConcordatError PASSKEY_REFUSED, `fields.reason` names the fault
 */
function checkAssertion(assertion: Assertion, challenge: Uint8Array, relyingParty: RelyingParty): void {
  const fault =
    clientDataFault(assertion.clientDataJSON, challenge, relyingParty.origins) ??
    authenticatorFault(assertion.authenticatorData, relyingParty.rpId) ??
    (isLowSSignature(assertion.signature) ? undefined : 'high-s');
  if (fault !== undefined) throw new ConcordatError('PASSKEY_REFUSED', `wrong ${fault}`, { reason: fault });
}

/**
 * [CON-3] A withdrawal is taken on the signature of its key alone, wherever it was made: exactly what the registry checks of a
 * forced one. Whoever holds the key may leave, and no assertion passes the contract that a dealer could not take.
 * @throws ConcordatError PASSKEY_REFUSED, `fields.reason` names the fault
 */
export function verifyWithdrawalAssertion(
  assertion: Assertion,
  challenge: Uint8Array,
  publicKey: Hex,
  verifySignature: SignatureVerifier,
): void {
  const start = utf8ToBytes(`{"type":"webauthn.get","challenge":"${base64url(challenge)}"`);
  const flags = assertion.authenticatorData[32] ?? 0;
  const fault =
    (equalBytes(assertion.clientDataJSON.subarray(0, start.length), start) ? undefined : 'challenge') ??
    presenceFault(flags) ??
    (isLowSSignature(assertion.signature) ? undefined : 'high-s') ??
    (verifySignature(publicKey, signedMessage(assertion), assertion.signature) ? undefined : 'signature');
  if (fault !== undefined) throw new ConcordatError('PASSKEY_REFUSED', `wrong ${fault}`, { reason: fault });
}

/** [CON-1] whole. @throws ConcordatError PASSKEY_REFUSED */
export function verifyAssertion(
  assertion: Assertion,
  challenge: Uint8Array,
  publicKey: Hex,
  relyingParty: RelyingParty,
  verifySignature: SignatureVerifier,
): void {
  checkAssertion(assertion, challenge, relyingParty);
  if (!verifySignature(publicKey, signedMessage(assertion), assertion.signature)) {
    throw new ConcordatError('PASSKEY_REFUSED', 'wrong signature', { reason: 'signature' });
  }
}
