// A key-holder that lies: stands before the real process, holds its signing key, and may change and re-sign what it says.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/codec.ts';
import { answerMessage, MAX_ANSWER_BYTES } from '../../../protocol/messages/answer.ts';
import type { Domain } from '../../../protocol/messages/typed-data.ts';
import { MAX_VOUCH_BYTES, type Vouch, vouchesHash, vouchMessage } from '../../../protocol/messages/vouch.ts';

/** What it says instead; undefined where it stays honest. */
export interface Lies {
  readonly answer?: (answer: Uint8Array) => Uint8Array;
  readonly vouch?: (vouch: Vouch) => Vouch;
  /** Does not answer at all. */
  readonly down?: boolean;
}

export interface LyingProxy {
  readonly url: string;
  /** From now on; `{}` makes it honest. */
  lie(lies: Lies): void;
  stop(): Promise<void>;
}

export async function startLyingProxy(target: string, privateKey: Hex, domain: Domain): Promise<LyingProxy> {
  let lies: Lies = {};

  function alter(path: string, body: Uint8Array): Uint8Array {
    if (path === '/v1/answers' && lies.answer !== undefined) {
      const message = decodeCbor(body, answerMessage, MAX_ANSWER_BYTES);
      const answer = lies.answer(message.answer);
      const { keyHolder, round, setHash, aggregateHash } = message;
      const statement = { keyHolder, round, setHash, aggregateHash, answerHash: toHex(sha256(answer)) };
      return encodeCbor({ ...message, answer, signature: signTypedStruct(privateKey, domain, 'Answer', statement) });
    }
    if (path === '/v1/vouches' && lies.vouch !== undefined) {
      const message = decodeCbor(body, vouchMessage, MAX_VOUCH_BYTES);
      const vouches = message.vouches.map(lies.vouch);
      const statement = { keyHolder: message.keyHolder, round: message.round, vouchesHash: vouchesHash(vouches) };
      return encodeCbor({ ...message, vouches, signature: signTypedStruct(privateKey, domain, 'Vouch', statement) });
    }
    return body;
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (lies.down === true) {
      incoming.destroy();
      return;
    }
    const path = incoming.url ?? '/';
    const onward = request(`${target}${path}`, { method: incoming.method, headers: incoming.headers }, (answer) => {
      const parts: Uint8Array[] = [];
      answer.on('data', (part: Uint8Array) => parts.push(part));
      answer.on('end', () => {
        const status = answer.statusCode ?? 502;
        const said = new Uint8Array(Buffer.concat(parts));
        const body = status === 200 ? alter(path, said) : said;
        outgoing.writeHead(status, { ...answer.headers, 'content-length': body.length });
        outgoing.end(body);
      });
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }

  const server: Server = createServer(forward);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lie: (next) => {
      lies = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
