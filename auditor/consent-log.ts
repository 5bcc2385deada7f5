// The consent log as the bundle carries it: blobs of operations, and whose page each signature was made on.
import { z } from 'zod';
import { sha256, toHex, utf8ToBytes } from '../protocol/bytes.ts';
import type { Assertion, RelyingParty } from '../protocol/consent/assertion.ts';
import { type DecodedEntry, decodeEntry } from '../protocol/consent/log.ts';
import { ConcordatError } from '../protocol/errors.ts';
import type { BodyOf, Evidence } from './evidence.ts';
import { cborBlob } from './genesis.ts';

const bytes = z.instanceof(Uint8Array);
/** `[operation bytes, assertion bytes]`, in log order. */
const operationsSchema = z.array(z.tuple([bytes, bytes]));

/** 65,535 customers who all move at once, at their largest. */
const MAX_OPERATIONS_BYTES = 65_535 * 2_600;

/** @throws ConcordatError for a missing blob, or anything in it that is not canonical */
export async function readOperations(evidence: Evidence, body: BodyOf<'consent'>): Promise<DecodedEntry[]> {
  const pairs = await cborBlob(evidence, body.operations, operationsSchema, MAX_OPERATIONS_BYTES);
  return pairs.map(([operation, assertion]) => decodeEntry({ operation, assertion }));
}

/**
 * The relying party that an assertion itself states: its origin, and the domain of that origin whose hash it carries.
 * No public record says which page is the dealer's, so the caller holds all of a dealer's operations to one relying party.
 * @throws ConcordatError PASSKEY_REFUSED when the domain signed for is not one that the page could have asked for
 */
export function relyingPartyOf(assertion: Assertion): RelyingParty {
  const clientData = JSON.parse(new TextDecoder().decode(assertion.clientDataJSON)) as { readonly origin?: unknown };
  const origin = String(clientData.origin);
  const host = URL.canParse(origin) ? new URL(origin).hostname : '';
  const signed = toHex(assertion.authenticatorData.subarray(0, 32));
  // WebAuthn §5.1.3: the relying party id is the page's own domain or a parent of it
  const labels = host.split('.');
  const domains = labels.map((_, i) => labels.slice(i).join('.'));
  const rpId = domains.find((domain) => toHex(sha256(utf8ToBytes(domain))) === signed);
  if (rpId === undefined) {
    throw new ConcordatError('PASSKEY_REFUSED', `signed for another domain than that of ${origin}`, {
      reason: 'rp-id',
    });
  }
  return { rpId, origins: [origin] };
}
