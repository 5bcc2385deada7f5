// When a dealer takes part: what goes wrong in one round is said of that round, whatever has opened since.
import { expect, test } from 'vitest';
import type { RoundParts } from '../../edge-node/round.ts';
import { createRoundFollower } from '../../edge-node/rounds.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { SILENT, steppedClock } from './coordinator-world.ts';

test('a check that fails after the next round opened costs its own round, not that one', async () => {
  let last = 1;
  const judged: number[] = [];
  const declined: [number, string][] = [];
  const ledger = {
    roundCount: async () => last,
    roundOf: async () => ({ status: 'open' }),
    commitOf: async () => undefined,
  };
  const follower = createRoundFollower({
    chain: { ledger } as never,
    roundParts: { chain: { ledger }, identity: { address: '0x' } } as unknown as RoundParts,
    judge: async (round) => {
      judged.push(round);
      if (round === 2) return { refused: 'another task' };
      last = 2; // of another task, while this one was looked at
      throw new ConcordatError('MODEL_UNPROVEN', 'round 0: another model');
    },
    decline: (round, reason) => declined.push([round, reason]),
    clock: steppedClock(),
    log: SILENT,
  });
  follower.wake();
  follower.wake();
  await follower.stop();
  expect(judged).toEqual([1, 2]);
  expect(declined).toEqual([
    [1, 'MODEL_UNPROVEN: round 0: another model'],
    [2, 'TASK_REFUSED: another task'],
  ]);
});
