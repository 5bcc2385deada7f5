// docs/gas.md, which forge's own EVM measures, beside receipts of anvil.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { commitOf, consent, openRound, openWorld, type World } from './world.ts';

let world: World;
let page: string;
beforeAll(async () => {
  world = await openWorld();
  page = await readFile(join(PACKAGE_ROOT, 'docs/gas.md'), 'utf8');
});
afterAll(() => world.stop());

function listed(name: string): number {
  const row = page.split('\n').find((line) => line.startsWith(`| ${name} |`));
  return Number(row?.split('|')[2]?.replaceAll(',', ''));
}

test('a pause, whose bytes are the same everywhere, costs what stands there', async () => {
  const { federation } = await world.party('operator');
  expect((await federation.pause()).gasUsed).toBe(listed('pause'));
  expect((await federation.unpause()).gasUsed).toBe(listed('unpause'));
});

test('[P-21] a commit costs what stands there, but for the bytes of its roots that are zero', async () => {
  const dealer = await world.party('dealer-1');
  const root = await consent(world, dealer);
  const round = await openRound(world, await world.party('coordinator'));
  const commit = async (attempt: number) => (await dealer.ledger.commit(commitOf(round, root, { attempt }))).gasUsed;
  // 12 for each byte more or less
  expect(Math.abs((await commit(1)) - listed('commit, the first of a dealer in a round'))).toBeLessThan(100);
  expect(Math.abs((await commit(2)) - listed('commit, another attempt'))).toBeLessThan(100);
});
