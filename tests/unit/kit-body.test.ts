// Reading an answer that is given up half-way: Node's own iteration over a body then waits for ever, now and then.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { partsOf } from '../../kit/body.ts';

const BODY = new Uint8Array(300_000).fill(7);
let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': BODY.length }).end(BODY);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function read(signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const part of partsOf(await fetch(url, { signal }), signal)) {
    bytes += part.length;
    await breathe(); // as a write to disk would
  }
  return bytes;
}

test('all of it arrives', async () => {
  expect(await read(new AbortController().signal)).toBe(BODY.length);
});

test('a signal at any moment ends the reading', async () => {
  const outcomes = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, new AbortController().signal]);
    const reading = read(signal).then(
      () => 'read',
      () => 'given up',
    );
    setTimeout(() => stop.abort(), (i % 20) / 5);
    outcomes.add(await Promise.race([reading, sleep(5_000, 'hangs', { ref: false })]));
  }
  expect(outcomes.has('hangs')).toBe(false);
  expect(outcomes.has('given up')).toBe(true);
});
