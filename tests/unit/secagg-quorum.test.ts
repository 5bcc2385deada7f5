// The threshold of key-holders: held against counting, for every small federation, who could open two sets of one round.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { corruptTolerated, quorumFault, quorumWords } from '../../protocol/secagg/quorum.ts';
import { readMembers } from '../../scripts/deploy/members.ts';
import { addressOf } from './secagg-fixtures.ts';

/** The corrupt answer for both sets, each honest one for the set that it is shown. */
function canOpenTwo(keyHolders: number, threshold: number, corrupt: number): boolean {
  const honest = keyHolders - corrupt;
  return Array.from({ length: honest + 1 }, (_, first) => first).some(
    (first) => corrupt + first >= threshold && corrupt + honest - first >= threshold,
  );
}

test('the tolerated number is the largest with which nobody can open two sets', () => {
  for (let n = 2; n <= 12; n++) {
    for (let t = 2; t <= n; t++) {
      const least = Array.from({ length: n + 1 }, (_, f) => f).find((f) => canOpenTwo(n, t, f)) ?? n + 1;
      expect(Math.max(-1, corruptTolerated({ keyHolders: n, threshold: t }))).toBe(least - 1);
      expect(quorumFault({ keyHolders: n, threshold: t }) === undefined).toBe(least > 0);
    }
  }
});

test('4 of 5 stands two, 3 of 5 none, 2 of 4 is refused, and what is said names the least that will do', () => {
  expect(quorumWords({ keyHolders: 5, threshold: 4 })).toContain('at most 2 are corrupt; 1 may be away');
  expect(quorumWords({ keyHolders: 5, threshold: 3 })).toContain('only while none is corrupt');
  expect(quorumFault({ keyHolders: 4, threshold: 2 })).toContain('at least 3');
  expect(quorumFault({ keyHolders: 3, threshold: 4 })).toContain('never reached');
});

test('a members file with such a threshold is refused before anything is deployed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'concordat-members-'));
  const many = (what: string, count: number) => Array.from({ length: count }, (_, i) => addressOf(`${what} ${i}`));
  const parameters = { minCohort: 3, keyHolderThreshold: 2, witnessQuorum: 1, metricMaxAgeSeconds: 60 };
  const members = { parameters, coordinator: addressOf('c'), dealers: many('d', 3), witnesses: many('w', 1) };
  const file = join(folder, 'members.yaml');
  await writeFile(file, stringify({ ...members, keyHolders: many('k', 4) }));
  await expect(readMembers(file)).rejects.toThrow('keyHolderThreshold: a threshold of 2 of 4');
  await writeFile(file, stringify({ ...members, keyHolders: many('k', 3) }));
  expect((await readMembers(file)).keyHolders).toHaveLength(3);
  await rm(folder, { recursive: true });
});
