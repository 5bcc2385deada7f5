// Check 04 on key-holders: one that never had a key gives its index to another, and everybody else stays what it is.
import { describe, expect, test } from 'vitest';
import { membershipCheck } from '../../auditor/checks/04-membership.ts';
import { type ChainEvent, type EventName, type EventOf, holdersAtOpening } from '../../auditor/history.ts';
import { replay } from '../../auditor/replay.ts';
import { concatBytes, fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { SEALING_KEY_BYTES } from '../../protocol/secagg/shares.ts';
import { evidenceOf } from '../helpers/audit/raw-evidence.ts';
import { addressOf, SEED, streamOf } from './secagg-fixtures.ts';

const [one, mistyped, two] = ['key-holder 1', 'mistyped', 'key-holder 2'].map(addressOf) as [Hex, Hex, Hex];
const [operator, coordinator] = ['operator', 'coordinator'].map(addressOf) as [Hex, Hex];
const FEDERATION = addressOf('federation');

type Step = { [N in EventName]: readonly [N, Omit<EventOf<N>, 'name' | 'at'>, Hex?] }[EventName];

const keyOf = (holder: Hex): Hex => {
  const key = new Uint8Array(SEALING_KEY_BYTES);
  streamOf(`key of ${holder}`)(key);
  return toHex(key);
};
const registered = (keyHolder: Hex, index: number): Step => ['KeyHolderRegistered', { keyHolder, index }];
const replaced = (keyHolder: Hex, successor: Hex, index: number): Step => [
  'KeyHolderReplaced',
  { keyHolder, successor, index },
];
const rotated = (keyHolder: Hex, index: number): Step => [
  'KeyRotated',
  { keyHolder, index, epoch: 1, publicKey: keyOf(keyHolder) },
  keyHolder,
];
const opened = (...holders: readonly Hex[]): Step => {
  const hashes = holders.map((holder) => keccak256(fromHex(keyOf(holder))));
  const keysHash = toHex(keccak256(concatBytes(...hashes)));
  const model = { taskHash: SEED, requirementKey: SEED, baseModelHash: SEED, seed: SEED };
  const round = { round: 1, deadline: 2_000, epsilonAfterMilli: 0, keysHash, call: undefined };
  return ['RoundOpened', { ...model, ...round }, coordinator];
};

const historyOf = (steps: readonly Step[]) => {
  const events = steps.map(([name, fields, sender = operator], i) => {
    const at = { block: i + 1, logIndex: 0, timestamp: 1_000 + i, transaction: SEED, sender, contract: FEDERATION };
    return { name, ...fields, at } as ChainEvent;
  });
  return { deployment: {} as never, events, headBlock: steps.length };
};
const failuresOf = async (steps: readonly Step[]): Promise<string[]> => {
  const result = await membershipCheck.run(await evidenceOf({ history: historyOf(steps), files: new Map() }));
  return result.failures.map(({ what }) => what.replace(/^\w+ at block \d+, log \d+: /, ''));
};

const BEFORE: readonly Step[] = [
  ['CoordinatorSet', { coordinator }],
  registered(one, 1),
  registered(mistyped, 2),
  rotated(one, 1),
];
const HONEST: readonly Step[] = [...BEFORE, replaced(mistyped, two, 2), rotated(two, 2), opened(one, two)];

describe('a key-holder that is replaced before its first key', () => {
  test('leaves its index to its successor; there are as many as before', async () => {
    expect(await failuresOf(HONEST)).toEqual([]);
    const result = await membershipCheck.run(await evidenceOf({ history: historyOf(HONEST), files: new Map() }));
    expect(result.note).toBe('2 sealing keys of 2 key-holders');
    const holders = new Map([
      [one, 1],
      [two, 2],
    ]);
    expect(replay(historyOf(HONEST).events).keyHolders).toEqual(holders);
    expect(holdersAtOpening(historyOf(HONEST), 1)).toEqual(holders);
  });

  test('was one until then, and is one again where it is registered anew', () => {
    const later = [...BEFORE, opened(one), replaced(mistyped, two, 2)];
    expect([...holdersAtOpening(historyOf(later), 1).keys()]).toEqual([one, mistyped]);
    const again = [...HONEST.slice(0, -1), registered(mistyped, 3), opened(one, two)];
    expect(holdersAtOpening(historyOf(again), 1).get(mistyped)).toBe(3);
  });

  test('has no key of its own afterwards', async () => {
    expect(await failuresOf([...HONEST, rotated(mistyped, 2)])).toEqual([`index of ${mistyped}`]);
  });
});

describe('a replacement that the contract would have refused', () => {
  test.each<readonly [string, readonly Step[], readonly string[]]>([
    ['of one that had a key', [...BEFORE, replaced(one, two, 1)], [`${one} never had a key`]],
    ['under another index', [...BEFORE, replaced(mistyped, two, 3)], [`index of ${mistyped}`]],
    ['of a stranger', [...BEFORE, replaced(addressOf('stranger'), two, 2)], [`index of ${addressOf('stranger')}`]],
    ['by another key-holder', [...BEFORE, replaced(mistyped, one, 2)], [`${one} is not a key-holder yet`]],
  ])('%s', async (_what, steps, failures) => {
    expect(await failuresOf(steps)).toEqual(failures);
  });
});
