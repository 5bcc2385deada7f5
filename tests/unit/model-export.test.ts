// `concordat model export`: which model it takes, from chain or transcript, and what it refuses to hand over.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsOf } from '../../auditor/history.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { modelManifestSchema } from '../../protocol/learning/export/manifest.ts';
import { blobPathOf, readBundle } from '../../protocol/transcript/bundle.ts';
import { readDocuments } from '../../scripts/model/documents.ts';
import { exportedText, exportModel } from '../../scripts/model/export.ts';
import { publishedModel } from '../../scripts/model/published.ts';
import type { ModelSource } from '../../scripts/model/source.ts';
import { transcribedModel } from '../../scripts/model/transcript.ts';
import type { Wanted } from '../../scripts/model/wanted.ts';
import { type BundleServer, serveBundle } from '../helpers/audit/bundle-server.ts';
import {
  changeEvents,
  copyOf,
  dropEvent,
  flipped,
  memoryFiles,
  putBlob,
  type RawEvidence,
  theEvent,
} from '../helpers/audit/raw-evidence.ts';
import { smallTaskOf, task, taskText } from '../helpers/audit/small-task.ts';
import { syntheticSuccession } from '../helpers/audit/succession.ts';
import { roundsInTurn } from '../helpers/audit/synthetic-federation.ts';

const FIRST = { task, text: taskText };
const RIDGE = smallTaskOf({ name: 'ridge', featureBound: 4, entryBits: 42 }, { loss: 'squared', l2: 0.1 });
/** Rounds 1 and 3 are of the first task, 2 of the other. Both start from zeros. */
let two: RawEvidence;
let one: RawEvidence;
beforeAll(async () => {
  two = await roundsInTurn([FIRST, RIDGE, FIRST]);
  one = await roundsInTurn([FIRST, FIRST]);
}, 60_000);

async function sourceOf({ files, history }: RawEvidence): Promise<ModelSource> {
  const bundle = () => readBundle(memoryFiles(files));
  return { blob: (await bundle()).blob, bundle, history };
}

const onChain = async (raw: RawEvidence, wanted: Wanted = {}) =>
  publishedModel(await sourceOf(raw), raw.history, wanted);
const inTranscript = async (raw: RawEvidence, wanted: Wanted = {}) => transcribedModel(await sourceOf(raw), wanted);
const publishedIn = (raw: RawEvidence, round: number) => theEvent(raw, 'Published', (event) => event.round === round);

describe('on chain', () => {
  test('the last round of the task that is named, with where it stands and whose records were in it', async () => {
    const { modelHash, taskHash, record } = await onChain(two, { task: task.hash.slice(2, 8) });
    const event = publishedIn(two, 3);
    expect([modelHash, taskHash, record.round]).toEqual([event.modelHash, task.hash, 3]);
    const { block, transaction, contract } = event.at;
    expect(record.chain).toMatchObject({ checked: true, block, transaction, ledger: contract });
    const weights = new Map(
      eventsOf(two.history.events, 'Committed').flatMap(({ round, dealer, weight }) =>
        round === 3 ? [[dealer, weight]] : [],
      ),
    );
    const set = theEvent(two, 'SetFinalised', ({ round }) => round === 3).dealers;
    expect(record.training).toEqual({
      roundsOfTask: 2,
      dealers: set.map((address) => ({ address, records: weights.get(address) })),
      records: set.reduce((sum, dealer) => sum + (weights.get(dealer) ?? 0), 0),
    });
    expect(record.training?.records).toBeGreaterThan(0);
    expect(record.metrics).toEqual({
      base: { round: 3, model: publishedIn(two, 1).modelHash, accuracyBps: event.accuracyBps, aucBps: event.aucBps },
    });
  });

  test('an earlier round has what a later one measured of its model', async () => {
    const { record } = await onChain(two, { task: task.hash, round: 1 });
    const { accuracyBps, aucBps } = publishedIn(two, 3);
    const { modelHash } = publishedIn(two, 1);
    expect(record.metrics.model).toEqual({ round: 3, model: modelHash, accuracyBps, aucBps });
    expect(record.training?.roundsOfTask).toBe(1);
  });

  test('a task must be named when there are several, and a round must be its own', async () => {
    await expect(onChain(two)).rejects.toThrow(/CONFLICT.*--task/);
    await expect(onChain(two, { task: task.hash, round: 2 })).rejects.toThrow(/NOT_FOUND.*rounds that did: 1, 3/);
    await expect(onChain(two, { task: 'other' })).rejects.toThrow('NOT_FOUND');
    const none = copyOf(one);
    for (const round of [1, 2]) dropEvent(none, 'Published', (event) => event.round === round);
    await expect(onChain(none)).rejects.toThrow('no model was published yet');
  });

  test('a model that is in the transcript alone is not taken', async () => {
    const raw = copyOf(one);
    dropEvent(raw, 'Published', ({ round }) => round === 2);
    expect((await onChain(raw)).record.round).toBe(1);
    await expect(onChain(raw, { round: 2 })).rejects.toThrow('NOT_FOUND');
    expect((await inTranscript(raw)).record.round).toBe(2); // and it says that nobody asked
  });

  test('a model that a predecessor published is found, under its own ledger', async () => {
    const raw = await syntheticSuccession();
    const earlier = raw.history.predecessor;
    const { record } = await onChain(raw, { round: 2 });
    expect(record.chain).toMatchObject({
      federation: raw.history.deployment.federation,
      ledger: earlier?.deployment.ledger,
    });
    expect((await onChain(raw)).record.training?.roundsOfTask).toBe(3);
  });

  test('privacy: the epsilon that the round states, and the deltas of all tasks that ran by then', async () => {
    const dp = [];
    for (const file of ['dp-ridge.yaml', 'dp-fedsgd.yaml'])
      dp.push((await loadTask(join(COIL2000, 'tasks', file))).task);
    const raw = copyOf(two);
    const hashes = dp.map(({ hash: _, ...document }) => putBlob(raw, utf8ToBytes(canonicalJson(document))));
    const taskOf = (round: number): Hex => hashes[round === 2 ? 1 : 0] ?? '0x';
    changeEvents(raw, 'RoundOpened', ({ round }) => ({ taskHash: taskOf(round), epsilonAfterMilli: 500 * round }));
    changeEvents(raw, 'Published', ({ round }) => ({ taskHash: taskOf(round) }));
    const [ridge, sgd] = dp.map(({ privacy }) => (privacy.mode === 'dp' ? privacy : undefined));
    const spent = async (round: number) => {
      const { privacy } = (await onChain(raw, { task: taskOf(round), round })).record;
      return privacy.mode === 'dp' ? privacy.spent : undefined;
    };
    expect(await spent(1)).toEqual({ epsilon: 0.5, delta: ridge?.delta });
    expect(await spent(3)).toEqual({ epsilon: 1.5, delta: (ridge?.delta ?? 0) + (sgd?.delta ?? 0) });
  });
});

describe('by the transcript alone', () => {
  test('the same model, said to be unchecked, without what only the chain knows', async () => {
    const [chain, transcript] = [await onChain(one), await inTranscript(one)];
    expect(transcript.modelHash).toBe(chain.modelHash);
    expect(transcript.record.metrics).toEqual(chain.record.metrics);
    expect(transcript.record.chain.checked).toBe(false);
    expect(transcript.record.training).toBeUndefined();
    expect((await inTranscript(one, { round: 1 })).record.metrics.model).toEqual(
      (await onChain(one, { round: 1 })).record.metrics.model,
    );
  });

  test('of two tasks that start from the same model it cannot tell', async () => {
    await expect(inTranscript(two, { task: task.hash })).rejects.toThrow(/CONFLICT.*give --rpc/);
  });
});

test('a blob that was changed or exchanged is not read', async () => {
  const { modelHash } = publishedIn(one, 2);
  for (const hash of [modelHash, task.hash]) {
    const raw = copyOf(one);
    raw.files.set(blobPathOf(hash), flipped(raw.files.get(blobPathOf(hash)) ?? new Uint8Array()));
    await expect((await sourceOf(raw)).blob(hash)).rejects.toThrow('ARTIFACT_CORRUPT');
  }
  // other spaces: another text, another hash, and the task it parses to is not the one on chain
  const raw = copyOf(one);
  const loose = putBlob(raw, utf8ToBytes(`${taskText} `));
  await expect(readDocuments(await sourceOf(raw), loose)).rejects.toThrow(/MODEL_MISMATCH.*task/);
});

describe('from a coordinator, to files', () => {
  let server: BundleServer;
  let out: string;
  beforeAll(async () => {
    server = await serveBundle(one.files);
    out = await mkdtemp(join(tmpdir(), 'concordat-export-'));
  });
  afterAll(async () => {
    await server.close();
    await rm(out, { recursive: true });
  });

  test('the files and their manifest, and on the screen that no chain was asked', async () => {
    await writeFile(join(out, 'concordat-model.json'), 'of an older model');
    const exported = await exportModel({ coordinator: `${server.url}/`, format: ['onnx', 'tfjs'], out });
    expect((await readdir(out)).sort()).toEqual(['concordat-model.json', 'model.json', 'model.onnx', 'weights.bin']);
    const manifest = modelManifestSchema.parse(JSON.parse(await readFile(join(out, 'concordat-model.json'), 'utf8')));
    expect(manifest.model.hash).toBe(publishedIn(one, 2).modelHash);
    for (const { name, sha256: stated } of manifest.files) {
      expect(toHex(sha256(new Uint8Array(await readFile(join(out, name)))))).toBe(stated);
    }
    expect(exportedText(exported, out)).toContain('NOT CHECKED AGAINST THE CHAIN');
  });

  test.each([
    [{}, 'give one of'],
    [{ run: 'a', bundle: 'b' }, 'give one of'],
    [{ bundle: 'b', rpc: 'http://127.0.0.1:1' }, '--rpc and --federation go together'],
    [{ bundle: 'b', federation: `0x${'0'.repeat(40)}` as Hex }, '--rpc and --federation go together'],
    [{ run: 'a', rpc: 'http://127.0.0.1:1' }, 'leave out --rpc'],
  ])('options that do not go together: %o', async (source, says) => {
    await expect(exportModel({ ...source, format: ['onnx'], out })).rejects.toThrow(says);
  });
});
