// Canonical JSON (RFC 8785, JCS) over strings, safe integers, booleans, arrays and objects: one value, one text.
import { utf8ToBytes } from '../bytes.ts';
import { ConcordatError } from '../errors.ts';

export type CanonicalValue =
  | string
  | number
  | boolean
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue };

// In `u` mode a surrogate pair is one code point, so this matches lone surrogates only (RFC 8785 §3.2.2.2: an error).
const LONE_SURROGATE = /\p{Surrogate}/u;

function refuse(what: string): never {
  throw new ConcordatError('MESSAGE_MALFORMED', `canonical JSON has no place for ${what}`);
}

function writeString(text: string): string {
  if (LONE_SURROGATE.test(text)) refuse('a lone surrogate');
  return JSON.stringify(text); // RFC 8785 §3.2.2.2 is ECMAScript's own escaping
}

function write(value: unknown): string {
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    // Integers only: a rule has no fraction, and no two libraries ever disagree about 17.
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : refuse(`the number ${value}`);
  }
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (typeof value !== 'object' || value === null) return refuse(value === null ? 'null' : `a ${typeof value}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return refuse('an object with a prototype');
  // Array.prototype.sort orders strings by UTF-16 code units, which is what RFC 8785 §3.2.3 asks for.
  const members = Object.keys(value).sort();
  return `{${members.map((key) => `${writeString(key)}:${write((value as Record<string, unknown>)[key])}`).join(',')}}`;
}

/** @throws ConcordatError MESSAGE_MALFORMED for null, undefined, fractions, -0, lone surrogates, class instances */
export const canonicalJson = (value: CanonicalValue): string => write(value);

export const encodeCanonicalJson = (value: CanonicalValue): Uint8Array => utf8ToBytes(canonicalJson(value));

/**
 * Reads bytes that must be the one canonical text of their value: no spaces, no duplicate or unordered keys, no BOM.
 * @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED
 */
export function parseCanonicalJson(bytes: Uint8Array, maxBytes: number): unknown {
  if (bytes.length > maxBytes) {
    throw new ConcordatError('MESSAGE_TOO_LARGE', `${bytes.length} bytes of JSON, at most ${maxBytes}`);
  }
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConcordatError('MESSAGE_MALFORMED', `not JSON: ${(cause as Error).message}`, {}, { cause });
  }
  if (write(value) !== text) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'not canonical JSON: another text of the same value exists');
  }
  return value;
}
