// Hashed features against vectors that Python's hashlib made from the spec.
import { describe, expect, test } from 'vitest';
import { hashCode } from '../../protocol/learning/feature-maps.ts';
import file from '../../protocol/vectors/hashed-features.json' with { type: 'json' };

describe('a code is hashed as the spec says', () => {
  test.each(file.vectors)('$name', ({ salt, field, value, buckets, bucket, sign }) => {
    expect(hashCode(salt, field, value, buckets)).toEqual({ bucket, sign });
  });

  test('the vectors hold both signs, and tell salts, fields and spellings apart', () => {
    expect(new Set(file.vectors.map(({ sign }) => sign))).toEqual(new Set([1, -1]));
    const digests = file.vectors.map(({ digest }) => digest);
    // the integer 4711 and the text "4711" are one code, asked for in four numbers of buckets
    expect(new Set(digests).size).toBe(digests.length - 4);
  });
});
