// What holds of every source file: its size, its first line, where randomness comes from, and that every error is raised.
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../protocol/errors.ts';
import { filesOf, textOf } from './tree.ts';

const SOURCES = filesOf(['.ts', '.tsx', '.mjs', '.cjs', '.circom', '.sol']);
const isGenerated = (path: string) => path.includes('/generated/') || path.startsWith('protocol/abi/');
const WRITTEN = SOURCES.filter((path) => !isGenerated(path));
const OUTSIDE_TESTS = WRITTEN.filter((path) => !path.startsWith('tests/'));

const MAX_LINES = 400;

/** Path -> why this file is better off in one piece. */
const LONGER_WITH_REASON: Readonly<Record<string, string>> = {};

/** Path -> why unpredictability does not matter there. Tests use seeded randomness, or say here why not. */
const MAY_USE_MATH_RANDOM: Readonly<Record<string, string>> = {
  'tests/architecture/sources.test.ts': 'this rule',
};

/** Its result is the engine's business (ECMA-262), and differs between processors; Math.sqrt is exact, and so is 2 ** n. */
const LEFT_TO_THE_ENGINE =
  /\bMath\.(a?(cos|sin|tan)h?|atan2|cbrt|exp|expm1|hypot|log|log10|log1p|log2|pow)\b|(?<!\b(2|\d+n)) \*\* |\*\*=/;

/** A comment may name them. */
const codeOf = (path: string) => textOf(path).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');

const linesOf = (path: string) => textOf(path).split('\n').length - 1;

describe('source files', () => {
  test(`none is longer than ${MAX_LINES} lines without a reason`, () => {
    const long = WRITTEN.filter((path) => linesOf(path) > MAX_LINES && !(path in LONGER_WITH_REASON));
    expect(long.map((path) => `${path}: ${linesOf(path)} lines`)).toEqual([]);
  });

  test('the reasons for length and for Math.random are still needed', () => {
    const short = Object.keys(LONGER_WITH_REASON).filter(
      (path) => !WRITTEN.includes(path) || linesOf(path) <= MAX_LINES,
    );
    const calm = Object.keys(MAY_USE_MATH_RANDOM).filter(
      (path) => !WRITTEN.includes(path) || !textOf(path).includes('Math.random'),
    );
    expect([...short, ...calm]).toEqual([]);
  });

  test('the first line of each says what lives there', () => {
    const silent = OUTSIDE_TESTS.filter((path) => {
      const [first, second] = textOf(path).split('\n');
      // a hashbang, an SPDX tag or a pragma may have to stand first
      const line = /^(#!|\/\/ SPDX|pragma )/.test(first ?? '') ? second : first;
      return !/^(\/\/|\/\*\*?) ?\S/.test(line ?? '');
    });
    expect(silent).toEqual([]);
  });

  test('none draws from Math.random', () => {
    const users = WRITTEN.filter((path) => textOf(path).includes('Math.random') && !(path in MAY_USE_MATH_RANDOM));
    expect(users).toEqual([]);
  });

  test('none computes with what another processor rounds differently: protocol/elementary.ts does not', () => {
    const wrong = ['x ** 4', 'y **= 3', 'Math.exp(1)', 'Math.hypot(3, 4)', '10 ** 3', '12 ** n'];
    expect(wrong.filter((code) => !LEFT_TO_THE_ENGINE.test(code))).toEqual([]);
    expect(['2 ** n', '2n ** 3n', '(2 ** n)', 'Math.sqrt(2)'].filter((code) => LEFT_TO_THE_ENGINE.test(code))).toEqual(
      [],
    );
    const users = OUTSIDE_TESTS.filter((path) => !path.startsWith('bench/') && LEFT_TO_THE_ENGINE.test(codeOf(path)));
    expect(users).toEqual([]);
  });
});

describe('the error table', () => {
  // quoted, so that a mention in a comment does not count
  test('every code is raised or handled somewhere outside the table', () => {
    const elsewhere = OUTSIDE_TESTS.filter((path) => path !== 'protocol/errors.ts')
      .map(textOf)
      .join('\n');
    const unused = Object.keys(ERRORS).filter((code) => !elsewhere.includes(`'${code}'`));
    expect(unused).toEqual([]);
  });
});
