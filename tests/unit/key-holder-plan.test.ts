// When a key-holder replaces a sealing key, and which keys it erases: the rule alone.
import { describe, expect, test } from 'vitest';
import { erasable, mustRotate } from '../../key-holder/keys/plan.ts';

describe('the rule', () => {
  const round = (epoch: number, over: boolean) => ({ round: 1, epoch, over });
  test('a key is replaced when a round opened under it is over, and not for another\u2019s', () => {
    expect(mustRotate(2, [])).toBe(false);
    expect(mustRotate(2, [round(2, false), round(1, true)])).toBe(false);
    expect(mustRotate(2, [round(2, false), round(2, true)])).toBe(true);
  });
  test('what is erased is older than the key in force and under no round that goes on', () => {
    expect(erasable([1, 2, 3, 4], 3, [round(1, false), round(2, true)])).toEqual([2]);
    expect(erasable([1, 2, 3, 4], 3, [round(1, true), round(2, false)])).toEqual([1]);
    expect(erasable([3, 4], 3, [])).toEqual([]);
  });
});
