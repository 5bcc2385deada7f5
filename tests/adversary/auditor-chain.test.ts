// The audit from the outside: real contracts on anvil, a bundle on disk, the command line, and a chain that is gone.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Findings, proveBlock } from '../../auditor/chain/proven-block.ts';
import { createReader, quantity } from '../../auditor/chain/rpc.ts';
import { registerAuditCommands, runVerify } from '../../auditor/cli.ts';
import { eventsOf } from '../../auditor/history.ts';
import { readHistory } from '../../auditor/read-chain.ts';
import type { Report } from '../../auditor/verify.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { chainChronicle } from '../helpers/audit/chain-chronicle.ts';
import type { Chronicle } from '../helpers/audit/chronicle.ts';
import { ENDPOINT_FAULTS, type Told } from '../helpers/audit/faults-endpoint.ts';
import { type Lie, lyingEndpoint, refused } from '../helpers/audit/lying-endpoint.ts';
import { syntheticFederation, TRAPDOOR, writeHistory } from '../helpers/audit/synthetic-federation.ts';

let out: string;
let chain: EmbeddedChain;
let chronicle: Chronicle;

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'concordat-auditor-'));
  chain = await startEmbeddedChain({ dir: out, stateFile: join(out, 'chain.json'), snapshotEveryMs: 0 });
  chronicle = await chainChronicle(chain);
  await writeHistory(chronicle, TRAPDOOR);
  for (const [path, bytes] of chronicle.files) await writeFileAtomic(join(out, 'bundle', path), bytes);
  const { chainId, federation } = chronicle.deployment;
  const file = { rpcUrl: chain.rpcUrl, chainId, federation, bundle: 'bundle', chainState: 'chain.json' };
  await writeFile(join(out, 'federation.json'), JSON.stringify(file));
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

describe('reading the chain', () => {
  test('gives the same history as the one written in memory, but for addresses, blocks and times', async () => {
    const read = await readHistory(chain.rpcUrl, chronicle.deployment.federation);
    const written = (await syntheticFederation()).history;
    expect(read.deployment.parameters).toEqual(written.deployment.parameters);
    // the keys are the same ones, so the contract must come to the same hash of them
    expect(eventsOf(read.events, 'RoundOpened').map(({ keysHash }) => keysHash)).toEqual(
      eventsOf(written.events, 'RoundOpened').map(({ keysHash }) => keysHash),
    );
    expect(read.events.map(({ name, at }) => [name, at.sender])).toEqual(
      written.events.map(({ name, at }) => [name, at.sender]),
    );
    const calls = read.events.filter((event) => 'call' in event && event.call === undefined);
    expect(calls).toEqual([]);
  });

  test('refuses an address without a federation', async () => {
    await expect(readHistory(chain.rpcUrl, chronicle.deployment.registry)).rejects.toThrow();
    await expect(readHistory(chain.rpcUrl, `0x${'11'.repeat(20)}`)).rejects.toThrow('CHAIN_WRONG');
  });
});

describe('an endpoint that tells two stories', () => {
  async function through(lie: Lie, ...more: readonly string[]) {
    const { url, close } = await lyingEndpoint(chain.rpcUrl, lie);
    const { federation } = chronicle.deployment;
    try {
      return await audit('--rpc', url, '--federation', federation, '--bundle', join(out, 'bundle'), ...more);
    } finally {
      await close();
    }
  }

  async function whole() {
    const reader = createReader(chain.rpcUrl);
    const numbers = Array.from({ length: (await headOf()) + 1 }, (_, number) => quantity(number));
    const blocks = numbers.map((number) => ({ method: 'eth_getBlockByNumber', params: [number, true] }));
    const receipts = numbers.map((number) => ({ method: 'eth_getBlockReceipts', params: [number] }));
    return { blocks: (await reader.askAll(blocks)) as Told[], receipts: await reader.askAll(receipts) };
  }

  test.each(ENDPOINT_FAULTS)('check $caughtBy catches $name', async ({ caughtBy, lie, needs, seenAs }) => {
    const { blocks, receipts } = await whole();
    const brought = {
      'second endpoint': ['--rpc', chain.rpcUrl],
      'trusted head': ['--head', blocks.at(-1)?.hash ?? ''],
      none: [],
    };
    const planted = lie(blocks, receipts);
    const { text, exitCode } = await through(planted, ...brought[needs ?? 'none']);
    expect(text).toContain(`✗ ${caughtBy} `);
    expect(text).toMatch(seenAs);
    expect(exitCode).toBe(1);
    // what needs something brought along is seen by nobody without
    if (needs !== undefined) expect((await through(planted)).text).toContain(`✓ ${caughtBy} `);
  });

  test('two honest endpoints, and the hash of the last block: everything holds, and the note says so', async () => {
    const { blocks } = await whole();
    const { url, close } = await lyingEndpoint(chain.rpcUrl, (_, result) => result);
    const [first, second] = [chain.rpcUrl, url].map((one) => new URL(one).host);
    const { federation } = chronicle.deployment;
    const source = ['--federation', federation, '--bundle', join(out, 'bundle'), '--head', blocks.at(-1)?.hash ?? ''];
    const { text, exitCode } = await audit('--rpc', chain.rpcUrl, '--rpc', url, ...source);
    await close();
    expect(text).toMatch(/All 18 checks hold\.\n$/);
    const said = text.replace(/\s+/g, ' ');
    expect(said).toContain(
      `; asked of endpoint 1 (${first}), endpoint 2 (${second}): 52 of 52 blocks lead to their headers`,
    );
    expect(said).toContain(`${blocks.at(-1)?.hash}, which you trust, and the code to its state`);
    expect(exitCode).toBe(0);
  });

  test('an endpoint that does not tell receipts by the block, or none at all', async () => {
    const oneByOne = await through((method, result) => (method === 'eth_getBlockReceipts' ? null : result));
    expect(oneByOne.text).toMatch(/All 18 checks hold\.\n$/);
    const none = await through((method, result) =>
      method.endsWith('Receipts') || method.endsWith('Receipt') ? null : result,
    );
    expect(none.text).toMatch(/\? 03 /);
    expect(none.exitCode).toBe(1);
  });

  test('an endpoint that proves no accounts: told less without a trusted head, undecided with one', async () => {
    const { blocks } = await whole();
    const noProofs = (method: string, result: unknown) =>
      method === 'eth_getProof' ? refused('no such method') : result;
    const plain = await through(noProofs);
    expect(plain.text).toMatch(/All 18 checks hold\.\n$/);
    expect(plain.text).not.toContain('the code to its state');
    const { text, exitCode } = await through(noProofs, '--head', blocks.at(-1)?.hash ?? '');
    expect(text).toContain('undecided: code, against the state of the block that you trust');
    expect(exitCode).toBe(1);
  });

  test('a block of 300 transactions leads to its header', async () => {
    const reader = createReader(chain.rpcUrl);
    const wallet = new Wallet(`0x${'5a'.repeat(32)}`);
    await chain.fund(wallet.address.toLowerCase() as Hex, 10n ** 18n);
    await reader.ask('evm_setAutomine', [false]);
    const sent = { chainId: chain.chainId, to: wallet.address, gasLimit: 21_000, value: 1n };
    const price = 2n * 10n ** 9n;
    const kinds = [
      { type: 0, gasPrice: price },
      { type: 1, gasPrice: price },
      { type: 2, maxFeePerGas: price, maxPriorityFeePerGas: 1n },
    ];
    const signed = await Promise.all(
      Array.from({ length: 300 }, (_, nonce) => wallet.signTransaction({ ...sent, nonce, ...kinds[nonce % 3] })),
    );
    await reader.askAll(signed.map((raw) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
    await reader.ask('evm_mine', []);
    await reader.ask('evm_setAutomine', [true]);
    const { blocks, receipts } = await whole();
    const [block] = blocks.slice(-1);
    expect(block?.transactions).toHaveLength(300);
    const told = { number: blocks.length - 1, block, receipts: receipts.at(-1) };
    const findings: Findings = { faults: [], undecided: [] };
    proveBlock(told, { contracts: new Set(), logs: [] }, findings);
    expect(findings).toEqual({ faults: [], undecided: [] });
    // two of them trade names: the sender and the calldata of one would be taken for the other's
    const [first, second, ...rest] = block?.transactions ?? [];
    const swapped = [{ ...first, hash: second?.hash }, { ...second, hash: first?.hash }, ...rest];
    const log = { address: wallet.address, topics: [], data: '0x', blockNumber: told.number, logIndex: 0 };
    const logs = [{ ...log, blockHash: block?.hash ?? '', transactionHash: String(first?.hash) }];
    proveBlock({ ...told, block: { ...block, transactions: swapped } }, { contracts: new Set(), logs }, findings);
    expect(findings.faults.map(({ what }) => what)).toContain(`block ${told.number}: name of a transaction`);
  });

  test.each([
    ['the last log', -1],
    ['the logs of the last round', -9],
  ])('leaves out %s: check 03 misses it', async (_, end) => {
    const { text, exitCode } = await through((method, result) =>
      method === 'eth_getLogs' ? (result as unknown[]).slice(0, end) : result,
    );
    expect(text).toMatch(/✗ 03 /);
    expect(text).toContain('against the contracts’ answer');
    expect(exitCode).toBe(1);
  });

  test('another branch behind the same address: an error, and no verdict', async () => {
    const other = `0x${'77'.repeat(32)}`;
    const replaced = (method: string, result: unknown) =>
      method === 'eth_getBlockByNumber' ? { ...(result as object), hash: other } : result;
    await expect(through(replaced)).rejects.toThrow('not of one branch');
    const moved = (method: string, result: unknown) => {
      const { transactions = [] } = (result ?? {}) as { readonly transactions?: readonly object[] };
      if (method !== 'eth_getBlockByNumber' || typeof transactions[0] !== 'object') return result;
      return { ...(result as object), transactions: transactions.map((tx) => ({ ...tx, blockHash: other })) };
    };
    await expect(through(moved)).rejects.toThrow('not of one branch');
  });

  test('a last block that is replaced while the chain is read: an error, and no verdict', async () => {
    let asked = 0;
    const head = `0x${(await headOf()).toString(16)}`;
    await expect(
      through((method, result, [block]) =>
        method === 'eth_getBlockByNumber' && block === head && asked++ > 0
          ? { ...(result as object), hash: `0x${'77'.repeat(32)}` }
          : result,
      ),
    ).rejects.toThrow('CHAIN_WRONG');
  });

  async function headOf(): Promise<number> {
    return (await readHistory(chain.rpcUrl, chronicle.deployment.federation)).headBlock;
  }
});

describe('the command line', () => {
  test('verify is what audit does, and all checks hold', async () => {
    const { federation } = chronicle.deployment;
    const json = join(out, 'report.json');
    const { text, exitCode } = await audit(
      ...['--rpc', chain.rpcUrl, '--federation', federation, '--bundle', join(out, 'bundle'), '--json', json],
    );
    expect(text).toMatch(/All 18 checks hold\.\n$/);
    expect(exitCode).toBe(0);
    const report = JSON.parse(await readFile(json, 'utf8')) as Report;
    expect([report.formatVersion, report.federation, report.checksRun, report.checksFailed]).toEqual([
      'concordat/1/audit-report',
      federation,
      18,
      0,
    ]);
  });

  test('the page of a real audit, signed: `audit report` says whose it is, and exits by what it finds', async () => {
    const html = join(out, 'report.html');
    await audit('verify', '--out', out, '--html', html, '--key', join(out, 'auditor'));
    const { text, exitCode } = await audit('report', html);
    expect(text).toMatch(/✓ signed by 0x[0-9a-f]{40} /);
    expect(text).toContain('✓ the page shows this report and nothing else\n✓ says that all 18 checks hold\n');
    expect(exitCode).toBe(0);
    const expected = ['--signer', chronicle.deployment.federation];
    expect((await audit('report', html, ...expected)).exitCode).toBe(1);
    await writeFile(html, (await readFile(html, 'utf8')).replace('All 18 checks hold', 'All 99 checks hold'));
    expect((await audit('report', html)).exitCode).toBe(1);
  });

  test('a fault in the bundle: exit code 1, and the last lines name the checks', async () => {
    const [path, bytes] = [...chronicle.files].find(([name]) => name.startsWith('blobs/')) ?? ['', new Uint8Array()];
    await writeFile(join(out, 'bundle', path), new Uint8Array(bytes.length));
    try {
      const { text, exitCode } = await audit('verify', '--out', out);
      expect(exitCode).toBe(1);
      expect(text.split('\n').slice(-8).join('\n')).toContain('✗ 01  ');
    } finally {
      await writeFile(join(out, 'bundle', path), bytes);
    }
  });

  test('without a source it says what to give', async () => {
    await expect(audit('verify')).rejects.toThrow('--rpc');
    await expect(audit('verify', '--federation', '0x12')).rejects.toThrow();
  });

  test('an endpoint that is gone, and no kept state, is an error and no verdict', async () => {
    const other = join(out, 'other');
    await writeFileAtomic(
      join(other, 'federation.json'),
      JSON.stringify({ rpcUrl: 'http://127.0.0.1:1', chainId: 31_337, federation: chronicle.deployment.federation }),
    );
    await expect(runVerify({ out: other }, { write: () => undefined, colour: false })).rejects.toThrow(
      'CHAIN_UNREACHABLE',
    );
  });

  test('when the chain is gone it is started from its kept state, which stays as it was', async () => {
    await chain.stop();
    const hash = async () =>
      createHash('sha256')
        .update(await readFile(join(out, 'chain.json')))
        .digest('hex');
    const before = await hash();
    const { text, exitCode } = await audit('verify', '--out', out);
    expect(text).toContain('the chain was started from');
    expect(text).toMatch(/All 18 checks hold\.\n$/);
    expect(exitCode).toBe(0);
    expect(await hash()).toBe(before);
  });
});
