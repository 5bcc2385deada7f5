// docs/limits.md states every shared number: no more, no fewer, no other value. (Its other table is generated.)
import { expect, test } from 'vitest';
import params from '../../protocol/params.json' with { type: 'json' };
import { textOf } from './tree.ts';

const page = textOf('docs/limits.md');
/** name -> value, of the rows whose first cell is a code span. */
const stated = new Map(
  [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, name = '', value = '']) => [name, value.trim()]),
);

test('every shared number is in the table, with its value', () => {
  const { protocolVersion: _, ...groups } = params;
  const kept = Object.entries(groups).flatMap(([group, numbers]) =>
    Object.entries(numbers).map(([name, value]) => [`${group}.${name}`, written(value)]),
  );
  const tabled = [...stated].filter(([name]) => name.includes('.'));
  expect(new Map(tabled)).toEqual(new Map(kept as [string, string][]));
});

/** Lists with commas; what has a name by its name. */
function written(value: unknown): string {
  if (Array.isArray(value)) return value.map(written).join(', ');
  return String(typeof value === 'object' && value !== null && 'name' in value ? value.name : value);
}
