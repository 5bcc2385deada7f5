// The Customer Sovereignty Agreement: the consent record a customer signs by its hash.
import type { z } from 'zod';
import { type Hex, sha256, toHex } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from './canonical-json.ts';
import { grantsOfRows } from './grants.ts';
import { EVIDENCE, type Policy } from './policy.ts';
import { roundExpiryDown, secondsOfIso } from './quarter.ts';
import { recordSchema } from './record-schema.ts';

export const MAX_RECORD_BYTES = 8192;

export type ConsentRecord = z.output<typeof recordSchema>;

/** Canonical JSON (RFC 8785). @throws ConcordatError MESSAGE_MALFORMED */
export const encodeRecord = (record: ConsentRecord): Uint8Array => encodeCanonicalJson(record);

/** sha256 of the record's bytes, as received. */
export const recordHash = (recordBytes: Uint8Array): Hex => toHex(sha256(recordBytes));

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeRecord(bytes: Uint8Array): ConsentRecord {
  const parsed = recordSchema.safeParse(parseCanonicalJson(bytes, MAX_RECORD_BYTES));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `record ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`,
    );
  }
  const record = parsed.data;
  secondsOfIso(record.event.time);
  if (secondsOfIso(record.validity.from) > secondsOfIso(record.validity.until)) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'record validity: ends before it begins');
  }
  if ((record.event.method === 'paper') !== (record.evidence === 'attested')) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'record evidence: paper is attested, and nothing else is');
  }
  return record;
}

/** What the record allows, in the form that is proven. The same on the customer's device, at the dealer, in an audit. */
export function policyOfRecord(record: ConsentRecord): Policy {
  return {
    grants: grantsOfRows(record.grants),
    conditions: {
      ...record.conditions,
      expiry: roundExpiryDown(secondsOfIso(record.validity.until)),
      evidence: EVIDENCE[record.evidence],
    },
  };
}
