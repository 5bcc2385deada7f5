// An RPC endpoint between a client and the chain that can go away, and can lose answers on the way back.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FlakyRpc {
  readonly url: string;
  /** Methods seen so far, in order. */
  readonly seen: string[];
  /** While true, every connection is cut. */
  away: boolean;
  /** The next call of this method reaches the chain, but its answer is lost. */
  loseAnswerTo: string | undefined;
  close(): Promise<void>;
}

export async function openFlakyRpc(target: string): Promise<FlakyRpc> {
  const state = { away: false, loseAnswerTo: undefined as string | undefined, seen: [] as string[] };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (state.away) return void request.socket.destroy();
      const body = Buffer.concat(chunks).toString();
      const { method } = JSON.parse(body) as { method: string };
      state.seen.push(method);
      const headers = { 'content-type': 'application/json' };
      void fetch(target, { method: 'POST', headers, body }).then(async (answer) => {
        const text = await answer.text();
        if (state.loseAnswerTo === method) {
          state.loseAnswerTo = undefined;
          return void request.socket.destroy();
        }
        response.writeHead(200, headers).end(text);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
