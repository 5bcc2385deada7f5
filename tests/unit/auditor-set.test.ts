// Check 10 at the edges: the largest set that a packing holds, and the smallest that may be summed.
import { beforeAll, describe, expect, test } from 'vitest';
import { setCheck } from '../../auditor/checks/10-set.ts';
import type { ChainEvent } from '../../auditor/history.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import type { TaskDocument } from '../../protocol/learning/task.ts';
import {
  bodyOf,
  changeBodies,
  changeEvents,
  copyOf,
  evidenceOf,
  putBlob,
  type RawEvidence,
} from '../helpers/audit/raw-evidence.ts';
import { taskText } from '../helpers/audit/small-task.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

let honest: RawEvidence;
beforeAll(async () => {
  honest = await syntheticFederation();
});

/** What check 10 finds wrong with a first set of so many dealers under another task. */
async function failures(size: number, change: Partial<TaskDocument>, minCohort = 3): Promise<string[]> {
  const raw = copyOf(honest);
  const task = putBlob(raw, utf8ToBytes(canonicalJson({ ...JSON.parse(taskText), ...change })));
  changeBodies(raw, 'genesis', () => ({ task }));
  changeEvents(raw, 'RoundOpened', () => ({ taskHash: task }));
  const dealers = Array.from({ length: size }, (_, i) => toHex(sha256(Uint8Array.of(i >> 8, i)).slice(12))).sort();
  const first = raw.history.events.find((event) => event.name === 'Committed');
  const events = raw.history.events.flatMap((event): ChainEvent[] => {
    if (event.name === 'SetFinalised') return event.round === 1 ? [{ ...event, dealers }] : [];
    if (event !== first || event.name !== 'Committed') return [event];
    return dealers.map((dealer) => ({ ...event, dealer }));
  });
  const { deployment } = raw.history;
  const parameters = { ...deployment.parameters, minCohort };
  raw.history = { ...raw.history, events, deployment: { ...deployment, parameters } };
  const result = await setCheck.run(await evidenceOf(raw));
  return result.failures.flatMap(({ what }) =>
    what.includes('round 1: SetFinalised') ? [what.split(': ').at(-1) ?? ''] : [],
  );
}

const update = (packing: TaskDocument['update']['packing'], valueBits: number): Partial<TaskDocument> => ({
  update: { clipNorm: 1, valueBits, packing, weightBound: 10 },
});

describe('a set', () => {
  test.each([
    ['5x15', 13, 4],
    ['4x19', 16, 8],
    ['3x26', 16, 1_024],
  ] as const)('in the packing %s of %i-bit values holds %i dealers and no more', async (packing, valueBits, most) => {
    expect(await failures(most, update(packing, valueBits))).toEqual([]);
    expect(await failures(most + 1, update(packing, valueBits))).toContain('the packing holds its sum');
  });

  test('of three is the smallest, whatever contracts or task allow', async () => {
    expect(await failures(3, {}, 1)).toEqual([]);
    expect(await failures(2, {}, 1)).toEqual(['key-holders may answer for it', 'size']);
  });

  test('under the cohort that the task or the contracts ask for is too small', async () => {
    const cohort = { cohort: { min: 4, deadlineMs: 60_000 } };
    expect(await failures(4, cohort)).toEqual([]);
    expect(await failures(3, cohort)).toEqual(['size']);
    expect(await failures(3, {}, 4)).toEqual(['key-holders may answer for it', 'size']);
  });

  test('of a task that cannot be read is undecided, and no pass', async () => {
    const raw = copyOf(honest);
    raw.files.delete(`blobs/${bodyOf(raw, 'genesis').task.slice(2)}`);
    const result = await setCheck.run(await evidenceOf(raw));
    expect(result.failed).toBe(1);
    expect(result.inconclusive).toBe(2);
  });
});
