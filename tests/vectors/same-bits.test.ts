// The same bits as on the machine that froze them, whatever processor this one has.
import { expect, test } from 'vitest';
import frozen from '../../protocol/vectors/same-bits.json' with { type: 'json' };
import { listSameBits } from './same-bits-build.ts';

const all = await listSameBits();

test('[LRN-4] everything that is computed is frozen, and nothing else', () => {
  expect(all.map(({ name }) => name)).toEqual(Object.keys(frozen.sha256));
});

test.each(all.map(({ name, compute }) => [name, compute] as const))(
  '%s',
  async (name, compute) => {
    expect(await compute()).toBe((frozen.sha256 as Record<string, string>)[name]);
  },
  300_000, // an emulated processor takes thirty times as long
);
