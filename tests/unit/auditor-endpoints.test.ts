// Several endpoints asked as one: what they tell differently is written down, and no more of a URL than its host.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { openEndpoints } from '../../auditor/chain/endpoints.ts';
import { readRawLogs } from '../../auditor/chain/logs.ts';
import { quantity } from '../../auditor/chain/rpc.ts';
import { codeOf } from './secagg-fixtures.ts';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}
type Answer = (method: string, params: readonly unknown[]) => unknown;

let servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  servers = [];
});

/** What it throws is its refusal. */
async function endpoint(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = ({ id, method, params }: Request) => {
        try {
          return { id, result: answer(method, params) };
        } catch (cause) {
          return { id, error: { message: (cause as Error).message } };
        }
      };
      const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Request | Request[];
      response.end(JSON.stringify(Array.isArray(asked) ? asked.map(one) : one(asked)));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/a-secret-key`;
}

const WORD = `0x${'ab'.repeat(32)}`;
const log = (block: number, more = {}) => ({
  ...{ address: `0x${'11'.repeat(20)}`, topics: [WORD], data: '0x', blockNumber: quantity(block), logIndex: '0x0' },
  ...{ blockHash: WORD, transactionHash: WORD, ...more },
});

describe('two endpoints', () => {
  test('that tell the same in other words agree: case, order of fields, and what only one of them tells', async () => {
    const first = await endpoint(() => [log(1)]);
    const second = await endpoint(() => {
      const { address, ...rest } = log(1);
      return [{ removed: false, blockTimestamp: '0x1', ...rest, address: address.toUpperCase().replace('X', 'x') }];
    });
    const reader = openEndpoints([first, second]);
    await reader.ask('eth_getLogs', [{}]);
    expect(reader.differences).toEqual([]);
  });

  test.each<[string, string, readonly unknown[], unknown, unknown, RegExp]>([
    ['a log less', 'eth_getLogs', [{ fromBlock: '0x1' }], [log(1), log(2)], [log(1)], /number 2 of 2 and 1/],
    ['another word', 'eth_getLogs', [{}], [log(1)], [log(1, { data: '0x01' })], /eth_getLogs .*number 1/],
    ['another answer', 'eth_call', [{ to: WORD }, '0x7'], '0x01', '0x02', /eth_call \{"to"/],
    ['other code', 'eth_getCode', [WORD], '0x60', '0x61', /eth_getCode/],
    ['another chain', 'eth_chainId', [], '0x1', '0x2', /eth_chainId: as/],
    [
      'another block',
      'eth_getBlockByNumber',
      ['0x7', false],
      { hash: WORD },
      { hash: '0x00' },
      /eth_getBlockByNumber "0x7"/,
    ],
    ['no block', 'eth_getBlockByNumber', ['0x7', false], { hash: WORD }, null, /eth_getBlockByNumber/],
  ])(
    'that differ in %s: named with the endpoint, and the first is taken',
    async (_, method, params, own, other, what) => {
      const urls = [await endpoint(() => own), await endpoint(() => other)];
      const reader = openEndpoints(urls);
      expect(await reader.ask(method, params)).toEqual(own);
      const [difference] = reader.differences;
      expect(difference?.what).toMatch(what);
      expect(difference?.what).toMatch(/^endpoint 2 \(127\.0\.0\.1:\d+\): /);
      expect(difference?.expected).not.toBe(difference?.got);
      expect(JSON.stringify([reader.differences, reader.names, reader.url])).not.toContain('secret');
    },
  );

  test('are asked up to where both of them are', async () => {
    const urls = [await endpoint(() => '0x20'), await endpoint(() => '0x1f')];
    const reader = openEndpoints(urls);
    expect(await reader.ask('eth_blockNumber', [])).toBe('0x1f');
    expect(reader.differences).toEqual([]);
  });

  test('of which one takes narrow ranges only: every log all the same', async () => {
    const all: Answer = (_, [filter]) => {
      const { fromBlock, toBlock } = filter as { readonly fromBlock: string; readonly toBlock: string };
      const [from, to] = [Number(fromBlock), Number(toBlock)];
      return Array.from({ length: to - from + 1 }, (_one, i) => log(from + i));
    };
    const narrow: Answer = (method, params) => {
      const told = all(method, params) as unknown[];
      if (told.length > 7) throw new Error('range too wide');
      return told;
    };
    const reader = openEndpoints([await endpoint(all), await endpoint(narrow)]);
    expect(await readRawLogs(reader, { address: [], fromBlock: 1, toBlock: 40 })).toHaveLength(40);
    expect(reader.differences).toEqual([]);
  });

  test('of which one refuses, or is not there: an error that names it, without its key', async () => {
    const first = await endpoint(() => '0x');
    const refusing = await endpoint(() => {
      throw new Error('missing trie node');
    });
    await expect(openEndpoints([first, refusing]).ask('eth_call', [])).rejects.toThrow(
      /^endpoint 2 \(127\.0\.0\.1:\d+\): eth_call: missing trie node$/,
    );
    const gone = openEndpoints([first, 'http://127.0.0.1:1/v3/a-secret-key']).ask('eth_call', []);
    const said = await gone.catch((cause: unknown) => JSON.stringify([String(cause), cause]));
    expect(said).toContain('CHAIN_UNREACHABLE');
    expect(said).not.toContain('secret');
  });

  test('that are one are asked once, and none is none', async () => {
    const url = await endpoint(() => '0x');
    expect(openEndpoints([url, url]).names).toHaveLength(1);
    expect(await codeOf(async () => openEndpoints([]))).toBe('FILE_MISSING');
  });
});
