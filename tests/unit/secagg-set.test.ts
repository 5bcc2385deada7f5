// The set of a round: its hash as Solidity computes it, and who is refused.
import { AbiCoder, keccak256 } from 'ethers';
import { expect, test } from 'vitest';
import { requireAnswerableSet, requireSameDealers, setHash } from '../../protocol/secagg/set.ts';
import { addressOf, codeOf } from './secagg-fixtures.ts';

const dealers = ['a', 'b', 'c', 'd'].map(addressOf);
const facts = { round: 7, finalised: dealers, minCohort: 3, registered: [...dealers, addressOf('e')] };

test('setHash is keccak256(abi.encode(uint64, address[]))', () => {
  for (const [round, set] of [
    [1, []],
    [7, dealers],
    [2 ** 40, dealers.slice(0, 1)],
  ] as const) {
    expect(setHash(round, set)).toBe(
      keccak256(AbiCoder.defaultAbiCoder().encode(['uint64', 'address[]'], [round, set])),
    );
  }
});

test('a finalised set of enough registered dealers may be answered', () => {
  expect(requireAnswerableSet(facts)).toEqual(dealers);
  expect(requireAnswerableSet({ ...facts, finalised: dealers.slice(1) })).toHaveLength(3);
});

test.each([
  ['not finalised', { finalised: undefined }, /not finalised/],
  ['below the cohort', { finalised: dealers.slice(2) }, /2 dealers, at least 3/],
  ['a set of one, whatever the minimum', { finalised: dealers.slice(3), minCohort: 0 }, /1 dealers, at least 3/],
  [
    'a set of two, in which each knows the other\u2019s',
    { finalised: dealers.slice(2), minCohort: 2 },
    /2 dealers, at least 3/,
  ],
  ['a stranger', { registered: dealers.slice(1) }, /not a registered dealer/],
  ['a dealer twice', { finalised: [...dealers, ...dealers.slice(0, 1)] }, /twice/],
  [
    'the same dealer in capitals',
    { finalised: [...dealers, `0x${dealers[0]?.slice(2).toUpperCase()}` as const] },
    /twice/,
  ],
])('%s is refused', async (_name, change, reason) => {
  expect(() => requireAnswerableSet({ ...facts, ...change })).toThrow(reason);
  expect(await codeOf(() => requireAnswerableSet({ ...facts, ...change }))).toBe('SET_REFUSED');
});

test('a request must name exactly the dealers of the set', () => {
  expect(() => requireSameDealers(7, dealers, [...dealers].reverse())).not.toThrow();
  expect(() => requireSameDealers(7, dealers, dealers.slice(1))).toThrow(/is missing/);
  expect(() => requireSameDealers(7, dealers, [...dealers, addressOf('e')])).toThrow(/not in the finalised set/);
  expect(() => requireSameDealers(7, dealers, [...dealers, ...dealers.slice(0, 1)])).toThrow(/twice/);
});
