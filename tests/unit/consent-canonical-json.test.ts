// Canonical JSON: the texts RFC 8785 demands, and every text it does not.
import { describe, expect, test } from 'vitest';
import { canonicalJson, encodeCanonicalJson, parseCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { faultOf, utf8 } from './consent-world.ts';

describe('canonical JSON', () => {
  test.each([
    [
      'members sorted by UTF-16 code units',
      { b: 1, a: 2, '\u20ac': 3, '\ud83d\ude00': 4, '\ufb33': 5, A: 6 },
      '{"A":6,"a":2,"b":1,"\u20ac":3,"\ud83d\ude00":4,"\ufb33":5}',
    ],
    ['nested, without spaces', { z: [1, { y: true, x: false }], a: '' }, '{"a":"","z":[1,{"x":false,"y":true}]}'],
    [
      'escapes of RFC 8785 section 3.2.2.2',
      '\u20ac$\u000f\nA\'B"\\\\"/\u007f',
      '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"',
    ],
    ['integers', [0, -1, 9007199254740991, -9007199254740991], '[0,-1,9007199254740991,-9007199254740991]'],
    ['empty containers', [{}, []], '[{},[]]'],
  ])('%s', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
    expect(parseCanonicalJson(encodeCanonicalJson(value), 1000)).toEqual(value);
  });

  test.each([
    ['a fraction', 0.5],
    ['minus zero', -0],
    ['an unsafe integer', 2 ** 53],
    ['not a number', Number.NaN],
    ['null', null],
    ['undefined', undefined],
    ['a bigint', 1n],
    ['a Date', new Date(0)],
    ['a lone surrogate', '\ud83d'],
    ['a lone surrogate as a name', { '\ude00': 1 }],
    ['null inside', { a: [null] }],
  ])('writes no %s', async (_, value) => {
    expect(await faultOf(() => canonicalJson(value as never))).toBe('MESSAGE_MALFORMED');
  });

  test.each([
    ['a space', '{"a": 1}'],
    ['a trailing newline', '{"a":1}\n'],
    ['unordered members', '{"b":1,"a":2}'],
    ['a member twice', '{"a":1,"a":1}'],
    ['a needless escape', '"\\u0041"'],
    ['an upper-case escape', '"\\u000F"'],
    ['an exponent', '1e3'],
    ['1.0', '1.0'],
    ['-0', '-0'],
    ['null', 'null'],
    ['a byte order mark', '\ufeff1'],
    ['no JSON', '{'],
    ['a lone surrogate escape', '"\\ud83d"'],
  ])('reads no %s', async (_, text) => {
    expect(await faultOf(() => parseCanonicalJson(utf8(text), 1000))).toBe('MESSAGE_MALFORMED');
  });

  test('reads no bytes that are not UTF-8, and nothing over its limit', async () => {
    expect(await faultOf(() => parseCanonicalJson(Uint8Array.of(0x22, 0xff, 0x22), 1000))).toBe('MESSAGE_MALFORMED');
    expect(await faultOf(() => parseCanonicalJson(utf8('"1234"'), 5))).toBe('MESSAGE_TOO_LARGE');
  });

  test('"__proto__" is a member like any other', () => {
    const text = '{"__proto__":{"admin":true}}';
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  });
});
