// What an auditor on site must not take from the dealer or the coordinator: what a task needs of customers, and where a file leads.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChainEvent, EventOf } from '../../auditor/history.ts';
import { auditReplay, type SiteAudit } from '../../auditor/replay-site/audit.ts';
import { type ReplayChain, selectionBefore } from '../../auditor/replay-site/on-chain.ts';
import { type ReplayPackage, readPackage } from '../../auditor/replay-site/package.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { requirementKey } from '../../protocol/consent/policy.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import type { SignedManifest } from '../../protocol/messages/replay-package.ts';
import { contract, task } from '../helpers/audit/small-task.ts';
import { codeOf } from './secagg-fixtures.ts';

const HASH: Hex = `0x${'ab'.repeat(32)}`;
const ADDRESS: Hex = `0x${'cd'.repeat(20)}`;

const manifest: SignedManifest = {
  v: 'concordat/1/replay-package',
  ...{ chainId: 1, federation: ADDRESS, dealer: ADDRESS, round: 1, attempt: 1, openedFor: 'a test' },
  ...{ openedAtSeconds: 1, endedSince: [], files: {}, signature: `0x${'11'.repeat(65)}` },
};

describe('the selection that a commit stood under', () => {
  const at = (name: 'SelectionAdmitted' | 'Anchored', block: number, logIndex: number, more = {}): ChainEvent =>
    ({ name, dealer: ADDRESS, requirementKey: HASH, at: { block, logIndex }, ...more }) as unknown as ChainEvent;
  const committed = at('SelectionAdmitted', 7, 3) as unknown as EventOf<'Committed'>;

  test('is the last one before it: not one that the dealer made after it in the same block, nor one of another requirement or dealer', () => {
    const stood = at('SelectionAdmitted', 7, 1);
    const events = [
      at('SelectionAdmitted', 5, 0),
      stood,
      at('SelectionAdmitted', 7, 2, { requirementKey: ADDRESS }),
      at('SelectionAdmitted', 7, 2, { dealer: HASH }),
      at('Anchored', 7, 2),
      at('SelectionAdmitted', 7, 4),
      at('SelectionAdmitted', 8, 0),
    ];
    expect(selectionBefore(committed, events, HASH)).toBe(stood);
    expect(selectionBefore(committed, events.slice(5), HASH)).toBeUndefined();
  });
});

describe('the requirement', () => {
  const key = requirementKey(requirementOfTask(task, contract));

  async function taskCheck(asked: Hex) {
    const opened = {
      ...{ manifest, task, contract, alteredFiles: [], records: [], receipts: [], baseModel: new Uint8Array() },
      attempt: { seed: HASH, stages: { training: HASH, noise: HASH } },
    } as unknown as ReplayPackage;
    const round = { taskHash: task.hash, requirementKey: asked, baseModelHash: HASH, seed: HASH };
    const commit = { attempt: 1, weight: 0, recordsRoot: HASH };
    const receipts = { doubt: undefined, shown: '' };
    const chain = {
      chainId: 1,
      federation: ADDRESS,
      ledger: ADDRESS,
      round,
      commit,
      receipts,
    } as unknown as ReplayChain;
    const audit = { chain, sample: 1, showRecords: false } as unknown as SiteAudit;
    return (await auditReplay(opened, audit)).checks.find(({ id }) => id === 'task');
  }

  test('is the one of task and contract, not the one of the round: else weaker consent would pass for covered', async () => {
    expect(await taskCheck(key)).toMatchObject({ holds: true });
    const weaker = requirementKey({ ...requirementOfTask(task, contract), minEvidence: 1 });
    expect(await taskCheck(weaker)).toMatchObject({ holds: false, finding: expect.stringContaining('of customers') });
  });
});

describe('a folder that somebody else made', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'concordat-package-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function folder(name: string, fill: (path: string) => Promise<void>): Promise<string> {
    const path = join(directory, name);
    await mkdir(path);
    await fill(path);
    return path;
  }

  test('leads nowhere else: a link in a file\u2019s place is refused, and so is a device', async () => {
    const linked = await folder('link', async (path) => {
      await writeFile(join(directory, 'private'), '{}');
      await symlink(join(directory, 'private'), join(path, 'manifest.json'));
    });
    expect(await codeOf(() => readPackage(linked))).toBe('FILE_UNREADABLE');
    const endless = await folder('device', (path) => symlink('/dev/zero', join(path, 'manifest.json')));
    expect(await codeOf(() => readPackage(endless))).toBe('FILE_UNREADABLE');
    expect(await codeOf(() => readPackage(join(directory, 'nowhere')))).toBe('FILE_MISSING');
  });

  test.each(['../task.yaml', 'task.yaml/../../x', '__proto__'])('names its files, and no other: %s', async (name) => {
    const path = await folder(`names ${name.replaceAll('/', ' ')}`, (at) =>
      writeFile(
        join(at, 'manifest.json'),
        JSON.stringify(manifest).replace('"files":{}', `"files":{${JSON.stringify(name)}:"${HASH}"}`),
      ),
    );
    expect(await codeOf(() => readPackage(path))).toMatch(/MESSAGE_MALFORMED|FILE_MISSING/);
  });

  test('a task that is no text is named as such', async () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0xfd]);
    const path = await folder('bytes', async (at) => {
      await writeFile(join(at, 'task.yaml'), bytes);
      await writeFile(
        join(at, 'manifest.json'),
        JSON.stringify({ ...manifest, files: { 'task.yaml': toHex(sha256(bytes)) } }),
      );
    });
    expect(await codeOf(() => readPackage(path))).toBe('MESSAGE_MALFORMED');
  });
});
