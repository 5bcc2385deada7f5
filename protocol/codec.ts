// Strict deterministic CBOR (RFC 8949 core rules): one value has one encoding, and nothing else decodes.
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import type { z } from 'zod';
import { equalBytes } from './bytes.ts';
import { ConcordatError } from './errors.ts';

export const encodeCbor = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);

/**
 * Decodes canonical CBOR and checks it against a schema. Refuses over-long input before parsing, trailing bytes,
 * non-minimal lengths, duplicate or unordered keys.
 * @throws ConcordatError MESSAGE_TOO_LARGE, MESSAGE_MALFORMED
 */
export function decodeCbor<T extends z.ZodType>(bytes: Uint8Array, schema: T, maxBytes: number): z.output<T> {
  if (bytes.length > maxBytes) {
    throw new ConcordatError('MESSAGE_TOO_LARGE', `${bytes.length} bytes, at most ${maxBytes}`);
  }
  let value: unknown;
  let again: Uint8Array;
  try {
    value = decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      rejectDuplicateMapKeys: true,
    });
    // in here, because what just decodes may nest too deep to be encoded
    again = encodeCbor(value);
  } catch (cause) {
    throw new ConcordatError('MESSAGE_MALFORMED', `not canonical CBOR: ${(cause as Error).message}`, {}, { cause });
  }
  if (!equalBytes(again, bytes)) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'not canonical CBOR: another encoding of the same value exists');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'invalid'}`,
    );
  }
  return parsed.data;
}
