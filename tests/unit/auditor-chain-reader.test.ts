// Reading a chain through endpoints that are narrow, slow to please, or wrong.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Interface } from 'ethers';
import { afterEach, describe, expect, test } from 'vitest';
import { viewFederation } from '../../auditor/chain/contract.ts';
import { readLogs } from '../../auditor/chain/logs.ts';
import { createReader, quantity } from '../../auditor/chain/rpc.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { codeOf } from './secagg-fixtures.ts';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly { readonly fromBlock: string; readonly toBlock: string }[];
}

type Answer = (request: Request) => { readonly result: unknown } | { readonly error: { readonly message: string } };

let server: Server | undefined;
afterEach(() => new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve))));

/** @param whole answers a batch as a whole, instead of one by one in reverse */
async function endpoint(answer: Answer, whole?: () => unknown): Promise<{ url: string; posts: () => number }> {
  let posts = 0;
  server = createServer((request, response) => {
    posts++;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Request | Request[];
      const one = (each: Request) => ({ jsonrpc: '2.0', id: each.id, ...answer(each) });
      const body = Array.isArray(asked) ? (whole?.() ?? asked.map(one).reverse()) : one(asked);
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posts: () => posts };
}

const ADDRESS = `0x${'11'.repeat(20)}` as const;
const abi = new Interface(federationAbi);

/** One registration a block. */
function logsBetween(from: number, to: number) {
  return Array.from({ length: to - from + 1 }, (_, i) => {
    const dealer = `0x${(from + i).toString(16).padStart(40, '0')}`;
    const { topics, data } = abi.encodeEventLog('DealerRegistered', [dealer]);
    const [blockHash, transactionHash] = [`0x${'33'.repeat(32)}`, `0x${'22'.repeat(32)}`];
    const place = { blockNumber: quantity(from + i), blockHash, logIndex: '0x0', transactionHash };
    return { address: ADDRESS, topics, data, ...place };
  });
}

const asked = ({ params: [filter] }: Request) => [Number(filter?.fromBlock), Number(filter?.toBlock)] as const;

describe('logs', () => {
  test('an endpoint that takes 300 blocks, or 70 logs: every event once, in order', async () => {
    let widest = 0;
    const { url } = await endpoint((request) => {
      const [from, to] = asked(request);
      if (to - from >= 300) return { error: { message: 'range too wide' } };
      const result = logsBetween(from, to).filter(({ blockNumber }) => Number(blockNumber) % 3 === 0);
      if (result.length > 70) return { error: { message: 'too many results' } };
      widest = Math.max(widest, to - from + 1);
      return { result };
    });
    const events = await readLogs(createReader(url), { address: [ADDRESS], fromBlock: 5, toBlock: 2_000 });
    const expected = Array.from({ length: 1_996 }, (_, i) => i + 5).filter((block) => block % 3 === 0);
    expect(events.map(({ block }) => block)).toEqual(expected);
    expect(events[0]?.fields).toEqual({ dealer: `0x${'0'.repeat(39)}6` });
    expect(widest).toBeGreaterThan(100);
  });

  test('one block that the endpoint refuses is an error, and no empty block', async () => {
    const { url } = await endpoint((request) => {
      const [from, to] = asked(request);
      return from <= 7 && to >= 7 ? { error: { message: 'pruned' } } : { result: [] };
    });
    const read = () => readLogs(createReader(url), { address: [ADDRESS], fromBlock: 0, toBlock: 20 });
    expect(await codeOf(read)).toBe('CHAIN_UNREACHABLE');
  });

  test.each([
    ['no list', { logs: [] }],
    ['a log without a block', [{ ...logsBetween(1, 1)[0], blockNumber: null }]],
  ])('%s is not taken for logs', async (_, result) => {
    const { url } = await endpoint(() => ({ result }));
    const read = () => readLogs(createReader(url), { address: [ADDRESS], fromBlock: 0, toBlock: 1 });
    expect(await codeOf(read)).toBe('CHAIN_WRONG');
  });

  test('a log of a block that was not asked for is none of the answer', async () => {
    const { url } = await endpoint(() => ({ result: logsBetween(9, 9) }));
    const read = () => readLogs(createReader(url), { address: [ADDRESS], fromBlock: 0, toBlock: 8 });
    expect(await codeOf(read)).toBe('CHAIN_WRONG');
  });

  test('a log that the chain has dropped is not an event', async () => {
    const { url } = await endpoint(() => ({ result: logsBetween(1, 1).map((log) => ({ ...log, removed: true })) }));
    expect(await readLogs(createReader(url), { address: [ADDRESS], fromBlock: 0, toBlock: 1 })).toEqual([]);
  });
});

describe('many questions', () => {
  const questions = Array.from({ length: 250 }, (_, i) => ({ method: 'echo', params: [i] }));
  const echo: Answer = ({ params }) => ({ result: params[0] });
  const numbers = questions.map((_, i) => i);

  test('go in batches of 100, and answers in any order come back in theirs', async () => {
    const { url, posts } = await endpoint(echo);
    expect(await createReader(url).askAll(questions)).toEqual(numbers);
    expect(posts()).toBe(3);
  });

  test('go one by one to an endpoint that takes no batches', async () => {
    const { url } = await endpoint(echo, () => ({ jsonrpc: '2.0', id: null, error: { message: 'no batches' } }));
    expect(await createReader(url).askAll(questions)).toEqual(numbers);
  });

  test('a batch that leaves one out, or refuses one, is no answer', async () => {
    const short = await endpoint(echo, () => [{ jsonrpc: '2.0', id: 0, result: 0 }]);
    expect(await codeOf(() => createReader(short.url).askAll(questions.slice(0, 2)))).toBe('CHAIN_WRONG');
    await new Promise((resolve) => server?.close(resolve));
    const refusing = await endpoint(({ params }) =>
      Number(params[0]) === 1 ? { error: { message: 'no' } } : { result: 0 },
    );
    await expect(createReader(refusing.url).askAll(questions.slice(0, 2))).rejects.toThrow('echo: no');
  });
});

test('a contract that is none is told from an endpoint that is none', async () => {
  const { url } = await endpoint(({ method }) => ({ result: method === 'eth_chainId' ? '0x1' : '0x' }));
  expect(await codeOf(() => viewFederation(createReader(url), ADDRESS))).toBe('CHAIN_WRONG');
  expect(await codeOf(() => viewFederation(createReader('http://127.0.0.1:1'), ADDRESS))).toBe('CHAIN_UNREACHABLE');
});
