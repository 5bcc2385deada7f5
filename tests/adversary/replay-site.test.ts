// A dealer opens a round of a real finished run to an auditor: honestly, and then with every lie that its own signature covers.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { topicOf } from '../../auditor/chain/logs.ts';
import { type OpenedChain, openChain, readFinishedRun } from '../../auditor/chain-at.ts';
import type { EventName } from '../../auditor/history.ts';
import type { SiteReport } from '../../auditor/replay-site/audit.ts';
import { runSiteAudit, type SiteOptions, siteText } from '../../auditor/replay-site/command.ts';
import { openDealer } from '../../edge-node/replay/dealer.ts';
import { exportRound } from '../../edge-node/replay/export.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { type Identity, loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { relyingPartyOf } from '../../protocol/consent/relying-party.ts';
import {
  type Manifest,
  manifestHash,
  type OpenedRecord,
  type PackageFile,
  type SignedManifest,
} from '../../protocol/messages/replay-package.ts';
import { type Lie, lyingEndpoint } from '../helpers/audit/lying-endpoint.ts';
import { CACHE_DIR } from '../helpers/command.ts';
import { finishedRun } from '../helpers/finished-run.ts';
import { codeOf } from '../unit/secagg-fixtures.ts';

const ROUND = 3;
const SAMPLE = 6;

let directory: string;
let opened: string;
let chain: OpenedChain;
let federation: Hex;
let dealer: Identity;

beforeAll(async () => {
  const { outDir } = await finishedRun();
  const run = await readFinishedRun(outDir);
  directory = await mkdtemp(join(tmpdir(), 'concordat-site-'));
  opened = join(directory, 'opened');
  const ours = join(directory, 'dealer-1');
  await cp(join(outDir, 'dealer-1'), ours, { recursive: true }); // opening a store writes to it
  dealer = await loadOrCreateIdentity(ours);
  federation = run.federation;
  chain = await openChain(run);
  const edge = await openDealer({
    directory: ours,
    rpcUrl: chain.rpcUrl,
    federation,
    modelsFrom: { bundle: run.bundle },
    records: { records: join(ours, 'customers.csv'), table: undefined },
    contractFile: join(outDir, 'contract.yaml'),
    taskFile: join(outDir, 'task.yaml'),
  });
  const parts = { ...edge, ring: await createSimdRing({ cacheDir: CACHE_DIR }) };
  const options = {
    ...{ folder: opened, openedFor: 'the regulator, on site', sample: SAMPLE, endedToo: true, nowSeconds: 1 },
    relyingParty: relyingPartyOf('localhost', ['https://localhost']),
  };
  await exportRound(ROUND, edge, parts, options);
  expect(await codeOf(() => exportRound(ROUND, edge, parts, options))).toBe('CONFLICT');
  await edge.close();
}, 600_000);
afterAll(async () => {
  await chain?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

const audit = (edge: string, options: Partial<SiteOptions> = {}): Promise<SiteReport> =>
  runSiteAudit({ edge, rpc: chain.rpcUrl, federation, sample: SAMPLE, ...options });

const failing = ({ checks }: SiteReport): string[] => checks.filter(({ holds }) => !holds).map(({ id }) => id);

const recordsOf = async (folder: string): Promise<OpenedRecord[]> =>
  (await readFile(join(folder, 'records.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as OpenedRecord);

describe('an honest dealer', () => {
  test('comes out byte for byte, and the report says exactly what was opened', async () => {
    const report = await audit(opened, { round: ROUND });
    expect(failing(report)).toEqual([]);
    const { sample, files, records } = report.opened;
    expect(sample).toHaveLength(SAMPLE);
    expect(sample.every(({ covered }) => covered)).toBe(true);
    expect([...files, 'manifest.json'].sort()).toEqual((await readdir(opened)).sort());
    expect(records).toBe((await recordsOf(opened)).length);
  });

  test('no field value is in the report, unless asked for', async () => {
    const [quiet, loud] = [await audit(opened), await audit(opened, { showRecords: true })];
    expect(quiet.opened.sample.some(({ row }) => row !== undefined)).toBe(false);
    const shown = new Set(loud.opened.sample.map(({ row }) => JSON.stringify(row)));
    const rows = (await recordsOf(opened)).map(({ row }) => JSON.stringify(row));
    expect([...shown].every((row) => rows.includes(row))).toBe(true);
    for (const row of shown) {
      expect(siteText(quiet)).not.toContain(row);
      expect(siteText(loud)).toContain(row);
    }
  });

  test('nothing of another round, and no key of the dealer, is in what it opened', async () => {
    const seeds = await Promise.all(
      (await readdir(join(directory, 'dealer-1/attempts')))
        .filter((name) => name.endsWith('.seed') && !name.startsWith(`${ROUND}-`))
        .map(async (name) => (await readFile(join(directory, 'dealer-1/attempts', name))).subarray(32).toString('hex')),
    );
    const secrets = [...seeds, dealer.privateKey.slice(2), toHex(dealer.secret).slice(2)];
    expect(secrets.length).toBeGreaterThan(3);
    for (const name of await readdir(opened)) {
      const bytes = await readFile(join(opened, name));
      for (const secret of secrets) {
        expect(bytes.includes(secret) || bytes.includes(Buffer.from(secret, 'hex'))).toBe(false);
      }
    }
  });

  test('asked for another round, or for more than was opened, the audit does not pass', async () => {
    expect(await codeOf(() => audit(opened, { round: 1 }))).toBe('NOT_FOUND');
    expect(failing(await audit(opened, { sample: SAMPLE + 1 }))).toEqual(['sample', 'consent']);
  });
});

/** A copy with files changed by the dealer itself, who then signs that. */
async function lied(
  files: Partial<Record<PackageFile, (text: string) => string>>,
  { manifest: edit = (manifest: Manifest) => manifest, signer = dealer.privateKey, resign = true } = {},
): Promise<SiteReport> {
  const folder = await mkdtemp(join(directory, 'lie-'));
  await cp(opened, folder, { recursive: true });
  const path = join(folder, 'manifest.json');
  const { signature, ...manifest } = JSON.parse(await readFile(path, 'utf8')) as SignedManifest;
  const hashes = { ...manifest.files };
  for (const [name, change] of Object.entries(files)) {
    const bytes = Buffer.from(change(await readFile(join(folder, name), 'utf8')));
    await writeFile(join(folder, name), bytes);
    hashes[name as PackageFile] = toHex(sha256(bytes));
  }
  if (resign) {
    const said = edit({ ...manifest, files: hashes });
    const statement = {
      dealer: said.dealer,
      round: said.round,
      attempt: said.attempt,
      packageHash: manifestHash(said),
    };
    const domain = { chainId: manifest.chainId, federation };
    const again = signTypedStruct(signer, domain, 'Opening', statement);
    await writeFile(path, JSON.stringify({ ...said, signature: again }));
  }
  return audit(folder);
}

const asRecords = (change: (records: OpenedRecord[]) => OpenedRecord[]) => ({
  'records.jsonl': (text: string) => {
    const records = text.trimEnd().split('\n').map((line) => JSON.parse(line) as OpenedRecord); // biome-ignore format: one step
    return `${change(records).map((record) => JSON.stringify(record)).join('\n')}\n`; // biome-ignore format: one step
  },
});
const withRow = (record: OpenedRecord | undefined, row: OpenedRecord['row'] | undefined): OpenedRecord[] =>
  record === undefined || row === undefined ? [] : [{ ...record, row }];

describe('a dealer that lies, under its own signature', () => {
  test('one record changed: not under the root, and another payload', async () => {
    const flip = ([first, ...rest]: OpenedRecord[]) => {
      const row = first && { ...first.row, CARAVAN: 1 - Number(first.row.CARAVAN) };
      return [...withRow(first, row), ...rest];
    };
    expect(failing(await lied(asRecords(flip)))).toEqual(['records', 'training', 'noise', 'payload']);
  });

  test('two customers swapped: not under the root', async () => {
    const swap = ([a, b, ...rest]: OpenedRecord[]) => [...withRow(a, b?.row), ...withRow(b, a?.row), ...rest];
    expect(failing(await lied(asRecords(swap)))).toContain('records');
  });

  test('one record kept back: the commit weighs more', async () => {
    const failed = failing(await lied(asRecords(([, ...rest]) => rest)));
    expect(failed).toEqual(expect.arrayContaining(['commit', 'records', 'payload']));
  });

  test('another order: the same records, another payload', async () => {
    const failed = failing(await lied(asRecords((records) => records.reverse())));
    expect(failed).not.toContain('records');
    expect(failed).toContain('payload');
  });

  test('another seed: nothing but the payload can tell', async () => {
    const other = (text: string) => text.replace(/"seed": "0x.{8}/, '"seed": "0x00000000');
    expect(failing(await lied({ 'attempt.json': other }))).toEqual(['training', 'noise', 'payload']);
  });

  test('a false trace misleads nobody: the payload is the chain\u2019s', async () => {
    const other = (text: string) => text.replace(/"noise": "0x.{8}/, '"noise": "0x00000000');
    expect(failing(await lied({ 'attempt.json': other }))).toEqual(['noise']);
  });

  test('other epochs: another task', async () => {
    const more = (text: string) => text.replace(/localEpochs: \d+/, 'localEpochs: 1');
    const failed = failing(await lied({ 'task.yaml': more }));
    expect(failed).toEqual(expect.arrayContaining(['task', 'payload']));
    expect(failed).not.toContain('records');
  });

  test('a receipt left out, of another epoch\u2019s root, or with a word of it changed', async () => {
    type Receipts = { logIndex: number; assertion: string; anchored?: { anchor: { epoch: number } } }[];
    const receipts = (change: (all: Receipts) => Receipts) => ({
      'receipts.json': (text: string) => JSON.stringify(change(JSON.parse(text) as Receipts)),
    });
    expect(failing(await lied(receipts(([, ...rest]) => rest)))).toEqual(['sample', 'consent']);
    const moved = receipts((all) => {
      for (const { anchored } of all.slice(0, 1)) if (anchored) anchored.anchor.epoch += 1;
      return all;
    });
    expect(failing(await lied(moved))).toEqual(['consent']);
    const forged = receipts(([first, second, ...rest]) =>
      first && second ? [{ ...first, assertion: second.assertion }, second, ...rest] : [],
    );
    expect(failing(await lied(forged))).toEqual(['consent']);
    const pending = receipts(([first, ...rest]) => {
      const { anchored: _, ...word } = first ?? { logIndex: 0, assertion: '' };
      return [word, ...rest];
    });
    expect(failing(await lied(pending))).toEqual(['consent']);
  });

  test('another attempt than the one on chain', async () => {
    const manifest = (said: Manifest): Manifest => ({ ...said, attempt: said.attempt + 1 });
    expect(failing(await lied({}, { manifest }))).toEqual(expect.arrayContaining(['commit', 'payload']));
  });
});

describe('somebody between dealer and auditor', () => {
  test('a file altered after the dealer signed', async () => {
    const report = await lied(
      asRecords((records) => records.reverse()),
      { resign: false },
    );
    expect(failing(report)).toEqual(expect.arrayContaining(['opening', 'payload']));
  });

  test('signed by somebody else, or of another federation', async () => {
    const signer: Hex = `0x${'42'.repeat(32)}`;
    expect(failing(await lied({}, { signer }))).toEqual(['opening']);
    const manifest = (said: Manifest): Manifest => ({ ...said, chainId: said.chainId + 1 });
    expect(failing(await lied({}, { manifest }))).toEqual(['opening']);
  });
});

describe('an endpoint in league with the dealer', () => {
  type Log = { readonly topics: readonly string[]; readonly data: string };
  const inLogs =
    (name: EventName, change: (log: Log) => readonly Log[]): Lie =>
    (method, result) =>
      method === 'eth_getLogs'
        ? (result as Log[]).flatMap((log) => (log.topics[0] === topicOf(name) ? change(log) : [log]))
        : result;
  /** The fifth word of a commit: what no contract answers. */
  const otherRecords = inLogs('Committed', (log) => [
    { ...log, data: `${log.data.slice(0, 2 + 64 * 4)}${'77'.repeat(32)}${log.data.slice(2 + 64 * 5)}` },
  ]);
  const otherSender: Lie = (_, result) => {
    const { transactions = [] } = (result ?? {}) as { readonly transactions?: readonly (object | string)[] };
    const changed = transactions.map((tx) => (typeof tx === 'string' ? tx : { ...tx, from: federation }));
    return transactions.length === 0 ? result : { ...(result as object), transactions: changed };
  };

  test.each<[string, Lie, RegExp]>([
    ['tells other records', otherRecords, /logs, against its receipts/],
    ['keeps selections back', inLogs('SelectionAdmitted', () => []), /logs, against its receipts/],
    ['keeps the round’s set back', inLogs('SetFinalised', () => []), /rounds, number/],
    ['tells another sender', otherSender, /sender, against its signature/],
  ])('%s: its word is not taken', async (_, lie, seenAs) => {
    const { url, close } = await lyingEndpoint(chain.rpcUrl, lie);
    try {
      const report = await audit(opened, { rpc: url });
      expect(failing(report)).toContain('chain');
      expect(report.checks.find(({ id }) => id === 'chain')?.finding).toMatch(seenAs);
    } finally {
      await close();
    }
  });
});
