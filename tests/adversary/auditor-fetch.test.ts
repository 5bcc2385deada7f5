// The audit of a coordinator far away: its bundle is fetched, checked against a real chain, and remembered for the next time.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../auditor/checkpoint.ts';
import { registerAuditCommands } from '../../auditor/cli.ts';
import type { Report } from '../../auditor/verify.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { requestJson } from '../../kit/http.ts';
import { type BundleServer, type Files, manifestOf, serveBundle } from '../helpers/audit/bundle-server.ts';
import { chainChronicle } from '../helpers/audit/chain-chronicle.ts';
import type { Chronicle } from '../helpers/audit/chronicle.ts';
import { TRAPDOOR, writeHistory } from '../helpers/audit/synthetic-federation.ts';

let out: string;
let chain: EmbeddedChain;
let chronicle: Chronicle;
let server: BundleServer | undefined;

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'concordat-audit-fetch-'));
  chain = await startEmbeddedChain({ dir: out, stateFile: join(out, 'chain.json'), snapshotEveryMs: 0 });
  chronicle = await chainChronicle(chain);
  await writeHistory(chronicle, TRAPDOOR);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(async () => {
  await chain.stop();
  await rm(out, { recursive: true, force: true });
});

/** What the command line prints, and the exit code it leaves. */
async function audit(...args: string[]): Promise<{ text: string; exitCode: number }> {
  let text = '';
  const command = new Command('audit').exitOverride().configureOutput({ writeErr: () => undefined });
  const write = (part: string): void => {
    text += part;
  };
  registerAuditCommands(command, { write, colour: false });
  const before = process.exitCode;
  try {
    process.exitCode = 0;
    await command.parseAsync(args, { from: 'user' });
    return { text, exitCode: process.exitCode };
  } finally {
    process.exitCode = before;
  }
}

const source = () => ['--rpc', chain.rpcUrl, '--federation', chronicle.deployment.federation];
const temporaries = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('concordat-bundle-'));

async function serve(files: Files = chronicle.files, manifest = manifestOf(files)): Promise<string> {
  await server?.close();
  server = await serveBundle(files, { manifest });
  return server.url;
}

describe('a coordinator’s bundle', () => {
  test('is fetched for one audit and gone afterwards; all checks hold, and the report says how much was read', async () => {
    const before = await temporaries();
    const json = join(out, 'report.json');
    const { text, exitCode } = await audit('verify', ...source(), '--coordinator', await serve(), '--json', json);
    expect(text).toMatch(/All \d+ checks hold/);
    expect(exitCode).toBe(0);
    const report = JSON.parse(await readFile(json, 'utf8')) as Report;
    expect(report.bundle).toMatchObject({ files: chronicle.files.size });
    expect(report.checks.every(({ ms }) => ms >= 0)).toBe(true);
    expect(await temporaries()).toEqual(before);
  });

  test('as an archive is audited like the folder it was fetched into', async () => {
    const [bundle, tar] = [join(out, 'fetched'), join(out, 'fetched.tar')];
    const fetched = await audit('fetch', '--coordinator', await serve(), '--bundle', bundle, '--tar', tar);
    expect(fetched.text).toContain(`${chronicle.files.size} files`);
    for (const path of [bundle, tar]) {
      expect((await audit(...source(), '--bundle', path)).text).toMatch(/All \d+ checks hold/);
    }
  });

  test('that a round has outgrown while it was fetched is fetched again', async () => {
    const last = [...chronicle.files.keys()]
      .filter((path) => path.startsWith('entries/'))
      .sort()
      .slice(-3);
    const behind = new Map([...chronicle.files].filter(([path]) => !last.includes(path)));
    await serve();
    let manifests = 0;
    const misbehave: NonNullable<Parameters<typeof serveBundle>[1]>['misbehave'] = (path, _, response) => {
      if (path !== 'manifest.json' || manifests++ > 0) return false;
      response.writeHead(200).end(manifestOf(behind));
      return true;
    };
    await server?.close();
    server = await serveBundle(chronicle.files, { misbehave });
    const { text } = await audit(...source(), '--coordinator', server.url);
    expect(text).toMatch(/All \d+ checks hold/);
    expect(manifests).toBe(2);
  });

  test('needs a chain to be held against before anything is fetched, and a folder to be fetched into', async () => {
    const url = await serve();
    await expect(audit('verify', '--coordinator', url)).rejects.toThrow('--rpc');
    await expect(audit(...source(), '--coordinator', url, '--bundle', 'x.tar')).rejects.toThrow('--coordinator');
    expect(server?.asked).toEqual([]);
  });
});

const mine = (blocks: number) =>
  requestJson(chain.rpcUrl, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: [blocks] }),
  });

describe('a checkpoint', () => {
  const file = () => join(out, 'last-audit.json');
  const again = (...args: string[]) => audit(...source(), '--checkpoint', file(), ...args);

  test('is written by the first audit, asked and moved on by the next', async () => {
    const bundle = join(out, 'kept');
    const first = await again('--coordinator', await serve(), '--bundle', bundle);
    expect(first.text).toContain('written');
    expect(first.text).not.toContain('19  ');
    const before = decodeCheckpoint(new Uint8Array(await readFile(file())));
    await mine(3);
    const second = await again('--coordinator', await serve(), '--bundle', bundle);
    expect(second.text).toContain('✓ 19  ');
    expect(second.exitCode).toBe(0);
    const after = decodeCheckpoint(new Uint8Array(await readFile(file())));
    expect(after.block.number).toBe(before.block.number + 3);
    expect(after.transcript).toEqual(before.transcript);
  });

  test('of a history that is told otherwise now: exit code 1, check 19 by name, and it stays as it was', async () => {
    const known = decodeCheckpoint(new Uint8Array(await readFile(file())));
    // as if that audit had been shown one entry more, which no head on chain binds
    const told = encodeCheckpoint({
      ...known,
      transcript: { entries: known.transcript.entries + 1, head: known.report },
    });
    await writeFile(file(), told);
    const { text, exitCode } = await again('--coordinator', await serve());
    expect(text).toContain('✗ 19  ');
    expect(text).toContain('number of transcript entries');
    expect(text).toContain('left as it was');
    expect(exitCode).toBe(1);
    expect(new Uint8Array(await readFile(file()))).toEqual(told);
    await writeFile(file(), encodeCheckpoint(known));
  });

  test('of another federation is an error, and no verdict', async () => {
    const known = decodeCheckpoint(new Uint8Array(await readFile(file())));
    await writeFile(file(), encodeCheckpoint({ ...known, federation: `0x${'11'.repeat(20)}` }));
    await expect(again('--coordinator', await serve())).rejects.toThrow('CHAIN_WRONG');
  });
});
