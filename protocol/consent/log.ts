// The append-only consent log of a dealer: signed operations, hash-chained in the order they were taken in.
import { concatBytes, fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { PROTOCOL_VERSION } from '../params.ts';
import { type Assertion, decodeAssertion } from './assertion.ts';
import { ZERO_WORD } from './hex-schema.ts';
import { decodeOperation, type Operation, operationHash } from './operation.ts';

/** One entry as it travels and is stored: the bytes that were hashed and signed. */
export interface LogEntry {
  /** Canonical CBOR of the operation. */
  readonly operation: Uint8Array;
  /** Canonical CBOR of the assertion. */
  readonly assertion: Uint8Array;
}

export interface DecodedEntry {
  readonly operation: Operation;
  readonly operationHash: Uint8Array;
  readonly assertion: Assertion;
  readonly assertionHash: Uint8Array;
}

/** @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED */
export function decodeEntry(entry: LogEntry): DecodedEntry {
  return {
    operation: decodeOperation(entry.operation),
    operationHash: operationHash(entry.operation),
    assertion: decodeAssertion(entry.assertion),
    assertionHash: sha256(entry.assertion),
  };
}

/** logHead_0 */
export const EMPTY_LOG_HEAD: Hex = ZERO_WORD;

const LOG_TAG = utf8ToBytes(`${PROTOCOL_VERSION}/log`);

/** sha256("concordat/1/log" ‖ logHead_{i-1} ‖ operationHash_i ‖ sha256(assertion CBOR)) */
export function nextLogHead(head: Hex, entry: Pick<DecodedEntry, 'operationHash' | 'assertionHash'>): Hex {
  return toHex(sha256(concatBytes(LOG_TAG, fromHex(head), entry.operationHash, entry.assertionHash)));
}
