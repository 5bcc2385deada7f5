// A chain endpoint that tells what another one tells, but for the lie that a test plants in an answer.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** @returns what is answered instead */
export type Lie = (method: string, result: unknown, params: readonly unknown[]) => unknown;

/** As a lie: no answer, but an error. */
export const refused = (message: string): unknown => ({ [REFUSED]: message });
const REFUSED = Symbol('refused');

export async function lyingEndpoint(
  rpcUrl: string,
  lie: Lie,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const headers = { 'content-type': 'application/json' };
    const answered: unknown = await (await fetch(rpcUrl, { method: 'POST', headers, body })).json();
    const requests = [JSON.parse(body)].flat() as Request[];
    const answers = [answered].flat() as { readonly id: number; readonly result?: unknown }[];
    const told = answers.map((answer) => {
      const { method = '', params = [] } = requests.find(({ id }) => id === answer.id) ?? {};
      if (!('result' in answer)) return answer;
      const result = lie(method, answer.result, params);
      const refusal = (result as { readonly [REFUSED]?: string } | null)?.[REFUSED];
      return refusal === undefined ? { ...answer, result } : { id: answer.id, error: { message: refusal } };
    });
    response.end(JSON.stringify(Array.isArray(answered) ? told : told[0]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
