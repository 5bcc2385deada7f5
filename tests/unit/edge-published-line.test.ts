// The walk back over the rounds of a chain that has many: what it asks, and how much of it at once.
import { describe, expect, test } from 'vitest';
import { type LineLedger, lineBehind } from '../../edge-node/train/published-line.ts';
import type { RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';

const hex = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`;
const [OWN, OTHER, FIRST_MODEL, MODEL] = [hex(1), hex(2), hex(3), hex(4)];

/** Rounds of another task, but for those in `own`, which publish MODEL. */
function watchedLedger(own: readonly number[]) {
  const seen = { asked: 0, waves: 0, underWay: 0, most: 0 };
  const ledger: LineLedger = {
    roundsBefore: async () => 0,
    attestationOf: async () => undefined,
    lastModelOf: async () => (own.length > 0 ? MODEL : undefined),
    setOf: async () => undefined,
    commitOf: async () => undefined,
    async roundOf(round) {
      if (seen.underWay === 0) seen.waves += 1;
      [seen.asked, seen.underWay] = [seen.asked + 1, seen.underWay + 1];
      seen.most = Math.max(seen.most, seen.underWay);
      await new Promise((resolve) => setImmediate(resolve));
      seen.underWay -= 1;
      const taskHash = own.includes(round) ? OWN : OTHER;
      const told = { status: 'published', taskHash, modelHash: MODEL, baseModelHash: FIRST_MODEL, seed: hex(round) };
      return told as unknown as RoundRecord;
    },
  };
  return { ledger, seen };
}

const question = (before: number, base: Hex) => ({
  ...{ before, base, taskHash: OWN, initial: FIRST_MODEL, proven: undefined, refused: undefined },
});

describe('behind ten thousand rounds of other tasks', () => {
  test('a task that has published nothing starts at once', async () => {
    const { ledger, seen } = watchedLedger([]);
    expect(await lineBehind(question(10_001, FIRST_MODEL), ledger)).toEqual({ rounds: [] });
    expect(seen.asked).toBe(0);
    await expect(lineBehind(question(10_001, MODEL), ledger)).rejects.toMatchObject({ code: 'MODEL_UNPROVEN' });
  });

  test('a published model is found by few questions at once, none of them twice', async () => {
    const { ledger, seen } = watchedLedger([1]);
    const { rounds } = await lineBehind(question(10_001, MODEL), ledger);
    expect(rounds).toEqual([{ round: 1, model: MODEL, base: FIRST_MODEL, seed: hex(1) }]);
    expect(seen).toMatchObject({ asked: 10_000, most: 16 });
    expect(seen.waves).toBeLessThan(640);
  });
});

test('behind the round that was proven last nothing is asked for', async () => {
  const { ledger, seen } = watchedLedger([7, 8]);
  const proven = { round: 8, model: MODEL, seed: hex(8) };
  expect(await lineBehind({ ...question(9, MODEL), proven }, ledger)).toEqual({ rounds: [] });
  expect(seen.asked).toBe(1);
});
