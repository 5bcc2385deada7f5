// Questions that are asked in one go: one request, each answer to whom it belongs, and an endpoint that takes no batches.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createRpc } from '../../engines/chain/rpc.ts';

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Says every first parameter back. */
const echo = ({ id, params }: Asked): unknown =>
  params[0] === 'bad' ? { id, error: { code: 3, message: 'reverted' } } : { id, result: params[0] };

async function endpoint(answer: (body: Asked | Asked[]) => unknown) {
  const bodies: (Asked | Asked[])[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push(JSON.parse(text));
      response.end(JSON.stringify(answer(JSON.parse(text))));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { rpc: createRpc(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), bodies };
}

const ask = (rpc: ReturnType<typeof createRpc>, what: readonly string[]) =>
  Promise.allSettled(what.map((word) => rpc.call('eth_call', [word])));
const values = (settled: readonly PromiseSettledResult<unknown>[]) =>
  settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.name));

test('one request, answered in any order; one question that fails fails alone', async () => {
  const { rpc, bodies } = await endpoint((body) => (Array.isArray(body) ? body.map(echo).reverse() : echo(body)));
  expect(values(await ask(rpc, ['a', 'bad', 'c']))).toEqual(['a', 'RpcError', 'c']);
  expect(bodies).toHaveLength(1);
  expect(await rpc.call('eth_call', ['alone'])).toBe('alone');
  expect(Array.isArray(bodies[1])).toBe(false);
});

test('never more than fifty in one request; transactions travel alone', async () => {
  const { rpc, bodies } = await endpoint((body) => (Array.isArray(body) ? body.map(echo) : echo(body)));
  const words = Array.from({ length: 120 }, (_, i) => `word ${i}`);
  expect(values(await ask(rpc, words))).toEqual(words);
  expect(bodies.map((body) => (body as Asked[]).length)).toEqual([50, 50, 20]);
  await Promise.all(['x', 'y'].map((raw) => rpc.call('eth_sendRawTransaction', [raw])));
  expect(bodies.slice(3).map((body) => Array.isArray(body))).toEqual([false, false]);
});

test.each([
  ['refuses batches', () => ({ error: { code: -32_600, message: 'no batches' } })],
  ['leaves an answer out', (body: Asked[]) => body.slice(1).map(echo)],
  ['answers another question', (body: Asked[]) => body.map((asked) => echo({ ...asked, id: asked.id + 1_000 }))],
])('an endpoint that %s is asked one by one, and soon no batch is tried', async (_, answer) => {
  const { rpc, bodies } = await endpoint((body) => (Array.isArray(body) ? answer(body) : echo(body)));
  for (let i = 0; i < 5; i++) expect(values(await ask(rpc, ['a', 'b']))).toEqual(['a', 'b']);
  expect(bodies.filter((body) => Array.isArray(body))).toHaveLength(3);
});
