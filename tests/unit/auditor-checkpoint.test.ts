// A checkpoint: what an earlier audit saw must still stand. Histories that grew pass; one that was rewritten anywhere does not.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Checkpoint, checkpointOf, decodeCheckpoint, encodeCheckpoint } from '../../auditor/checkpoint.ts';
import { moveCheckpoint, readCheckpoint, requireSameFederation } from '../../auditor/checkpoint-file.ts';
import { type BlockHashes, checkpointCheck } from '../../auditor/checks/19-checkpoint.ts';
import type { Evidence } from '../../auditor/evidence.ts';
import { eventsOf } from '../../auditor/history.ts';
import { type CheckReport, verify } from '../../auditor/verify.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { decodeEntry } from '../../protocol/transcript/entry.ts';
import {
  changeBodies,
  changeEvents,
  copyOf,
  evidenceOf,
  type RawEvidence,
  rewriteTranscript,
} from '../helpers/audit/raw-evidence.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

const blockHash = (block: number): Hex => toHex(sha256(utf8ToBytes(`block ${block}`)));
const honestChain: BlockHashes = async (block) => blockHash(block);

/** As an audit after the first round found it. */
function afterFirstRound(whole: RawEvidence): RawEvidence {
  const { history } = whole;
  const end = history.events.findIndex(({ name }) => name === 'Published');
  const events = history.events.slice(0, end + 1);
  const files = [...whole.files].filter(([path, bytes]) => {
    if (!path.startsWith('entries/')) return true;
    const { body } = decodeEntry(bytes);
    return !('round' in body) || body.round === 1;
  });
  const earlier = { history: { ...history, events, headBlock: events.at(-1)?.at.block ?? 0 }, files: new Map(files) };
  // entries of consent between the rounds come after the model of the first
  const paths = [...earlier.files.keys()].filter((path) => path.startsWith('entries/')).sort();
  const model = paths.findIndex(
    (path) => decodeEntry(earlier.files.get(path) ?? new Uint8Array()).body.type === 'model',
  );
  for (const path of paths.slice(model + 1)) earlier.files.delete(path);
  return earlier;
}

let whole: RawEvidence;
let earlier: Evidence;
let checkpoint: Checkpoint;
beforeAll(async () => {
  whole = await syntheticFederation();
  earlier = await evidenceOf(afterFirstRound(whole));
  checkpoint = checkpointOf(earlier, blockHash(earlier.history.headBlock), 'the report');
});

async function check19(
  plant: (raw: RawEvidence) => void,
  hashOf = honestChain,
  from = checkpoint,
): Promise<CheckReport> {
  const raw = copyOf(whole);
  plant(raw);
  const report = await verify(await evidenceOf(raw), undefined, [checkpointCheck(from, hashOf)]);
  const [check] = report.checks;
  if (check === undefined) throw new Error('no check');
  return check;
}

const seen = ({ failures }: CheckReport): string => failures.map(({ what }) => what).join('\n');

describe('a history that grew', () => {
  test('by a round, or not at all, holds', async () => {
    expect(await check19(() => undefined)).toMatchObject({ verdict: 'pass', failures: [] });
    const now = checkpointOf(await evidenceOf(whole), blockHash(whole.history.headBlock), 'x');
    expect(now.transcript.entries).toBeGreaterThan(checkpoint.transcript.entries);
    expect(await check19(() => undefined, honestChain, now)).toMatchObject({ verdict: 'pass' });
  });

  test('leaves a checkpoint with the last model of each task and the last anchor of each dealer', () => {
    const [published] = eventsOf(whole.history.events, 'Published');
    expect(checkpoint.models).toEqual([{ task: published?.taskHash, round: 1, model: published?.modelHash }]);
    expect(checkpoint.anchors).toHaveLength(4);
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint);
  });
});

describe('a history that was rewritten', () => {
  const faults: readonly [name: string, plant: (raw: RawEvidence) => void, seenAs: RegExp][] = [
    [
      'in an entry, with every later entry and head mended',
      (raw) => changeBodies(raw, 'model', ({ round, aucBps }) => (round === 1 ? { aucBps: aucBps + 1 } : {})),
      /transcript entry \d+: hash/,
    ],
    [
      'by an entry put in before',
      (raw) => rewriteTranscript(raw, ([first, ...rest]) => (first ? [first, first, ...rest] : [])),
      /: hash/,
    ],
    ['by leaving out its last round', (raw) => shorten(raw), /number of transcript entries/],
    [
      'in a published model',
      (raw) => changeEvents(raw, 'Published', ({ round }) => (round === 1 ? { modelHash: blockHash(0) } : {})),
      /round 1: published model/,
    ],
    [
      'in an anchored root',
      (raw) => changeEvents(raw, 'Anchored', ({ epoch }) => (epoch === 1 ? { root: blockHash(0) } : {})),
      /anchored root/,
    ],
    [
      'in the log behind a root',
      (raw) => changeEvents(raw, 'Anchored', ({ epoch }) => (epoch === 1 ? { logHead: blockHash(0) } : {})),
      /head of the log/,
    ],
    [
      'by anchors that are gone',
      (raw) => {
        raw.history = { ...raw.history, events: raw.history.events.filter(({ name }) => name !== 'Anchored') };
      },
      /anchored root/,
    ],
    [
      'by a chain that is shorter',
      (raw) => {
        raw.history = { ...raw.history, headBlock: checkpoint.block.number - 1 };
      },
      /not after the last one/,
    ],
  ];

  function shorten(raw: RawEvidence): void {
    for (const path of [...raw.files.keys()].filter((name) => name.startsWith('entries/')).slice(-1_000)) {
      if (path > 'entries/000003.cbor') raw.files.delete(path);
    }
  }

  test.each(faults)('%s', async (_, plant, seenAs) => {
    const report = await check19(plant);
    expect(report.verdict).toBe('fail');
    expect(seen(report)).toMatch(seenAs);
  });

  test('on another chain that runs under the same number', async () => {
    const report = await check19(
      () => undefined,
      async (block) => blockHash(block + 1),
    );
    expect([report.verdict, seen(report)]).toEqual(['fail', `block ${checkpoint.block.number}: hash`]);
    expect(
      (
        await check19(
          () => undefined,
          async () => undefined,
        )
      ).verdict,
    ).toBe('fail');
  });

  test('an endpoint that does not tell is undecided, and that is no pass', async () => {
    const report = await check19(
      () => undefined,
      () => Promise.reject(new Error('busy')),
    );
    expect(report.verdict).toBe('inconclusive');
  });
});

describe('the file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'concordat-checkpoint-'));
    path = join(folder, 'last.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const reportOf = async (checksFailed: number) => ({ ...(await verify(earlier, undefined, [])), checksFailed });

  test('is not there before the first audit, and is what it left after it', async () => {
    expect(await readCheckpoint(path)).toBeUndefined();
    expect(await moveCheckpoint(path, earlier, await reportOf(0), honestChain)).toBe(true);
    expect(await readCheckpoint(path)).toMatchObject({ ...checkpoint, report: expect.any(String) });
  });

  test('is never moved by an audit in which a check does not hold', async () => {
    await moveCheckpoint(path, earlier, await reportOf(0), honestChain);
    const before = await readFile(path);
    expect(await moveCheckpoint(path, await evidenceOf(whole), await reportOf(1), honestChain)).toBe(false);
    expect(await readFile(path)).toEqual(before);
  });

  test('is not written when the endpoint has lost the block', async () => {
    const lost = moveCheckpoint(path, earlier, await reportOf(0), async () => undefined);
    await expect(lost).rejects.toMatchObject({ code: 'CHAIN_WRONG' });
    expect(await readCheckpoint(path)).toBeUndefined();
  });

  test('that is damaged, or of another federation or chain, is an error and no first audit', async () => {
    await writeFile(path, encodeCheckpoint(checkpoint).slice(0, -1));
    await expect(readCheckpoint(path)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    await expect(readCheckpoint(folder)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
    requireSameFederation(checkpoint, earlier);
    for (const other of [{ federation: `0x${'11'.repeat(20)}` as const }, { chainId: 1 }]) {
      expect(() => requireSameFederation({ ...checkpoint, ...other }, earlier)).toThrow('CHAIN_WRONG');
    }
  });
});
