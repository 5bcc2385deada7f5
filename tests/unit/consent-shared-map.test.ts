// A shared map against a plain one copied whole: the same values, size and order, whatever was copied when.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedMap } from '../../protocol/consent/shared-map.ts';

const key = fc.integer({ min: 0, max: 900 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ set: fc.array(key, { maxLength: 400 }) }) },
  { weight: 2, arbitrary: fc.record({ clone: fc.nat() }) },
);

test('copies go their own ways', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const pairs = [{ shared: new SharedMap<number, number>(), plain: new Map<number, number>() }];
      for (const [i, what] of steps.entries()) {
        const at = pairs[('clone' in what ? what.clone : i) % pairs.length];
        if (at === undefined) throw new Error('no map');
        if ('clone' in what) pairs.push({ shared: at.shared.clone(), plain: new Map(at.plain) });
        else {
          for (const k of what.set) {
            at.shared.set(k, i);
            at.plain.set(k, i);
          }
        }
      }
      for (const { shared, plain } of pairs) {
        expect([...shared.entries()]).toEqual([...plain]);
        expect(shared.size).toBe(plain.size);
        for (let k = 0; k <= 901; k += 7) expect(shared.get(k)).toBe(plain.get(k));
      }
    }),
    { numRuns: 150 },
  );
});

test('0 and the empty string are values like others, of the common part and of their own', () => {
  const map = new SharedMap<number, string | number>();
  for (let i = 0; i < 1000; i++) map.set(i, 'x');
  const copy = map.clone();
  copy.set(1, 0);
  copy.set(2, '');
  expect([copy.get(1), copy.get(2), copy.get(3)]).toEqual([0, '', 'x']);
  expect([map.get(1), map.get(2)]).toEqual(['x', 'x']);
  expect([...copy.clone().entries()].slice(0, 4)).toEqual([[0, 'x'], [1, 0], [2, ''], [3, 'x']]); // biome-ignore format: one line
});
