// The link: a WebSocket on which nodes say who they are and everyone hears what happens. Public events only.
import type { Server } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { type CoordinatorEvent, linkMessage } from '../../protocol/messages/link.ts';

const MAX_MESSAGE_BYTES = 4_096;
const HELLO_FRESH_MS = 60_000;

export interface Hello {
  readonly party: Hex;
  readonly issuedAtMs: number;
  readonly nonce: Hex;
}

export interface LinkParts {
  readonly log: Log;
  readonly clock: Clock;
  /** The address that signed the hello (EIP-712). */
  readonly recoverHello: (hello: Hello, signature: Hex) => Hex;
  readonly isDealer: (address: Hex) => Promise<boolean>;
  /** What a dealer that has just said hello would else have missed. */
  readonly greeting: () => CoordinatorEvent | undefined;
  readonly onDecline: (round: number, dealer: Hex, reason: string) => void;
}

export interface Link {
  attach(server: Server): void;
  broadcast(event: CoordinatorEvent): void;
  /** Dealers connected now. */
  present(): ReadonlySet<Hex>;
  close(): void;
}

export function createLink(parts: LinkParts): Link {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const parties = new Map<WebSocket, Hex>();
  const usedNonces = new Map<Hex, number>();

  async function hello(socket: WebSocket, message: Hello & { signature: Hex }): Promise<void> {
    const ageMs = Math.abs(parts.clock.nowMs() - message.issuedAtMs);
    for (const [nonce, at] of usedNonces) if (parts.clock.nowMs() - at > 2 * HELLO_FRESH_MS) usedNonces.delete(nonce);
    const fresh = ageMs < HELLO_FRESH_MS && !usedNonces.has(message.nonce);
    const { party, issuedAtMs, nonce } = message;
    if (!fresh || parts.recoverHello({ party, issuedAtMs, nonce }, message.signature) !== party) {
      socket.close(4401, 'SIGNATURE_INVALID');
      return;
    }
    usedNonces.set(nonce, parts.clock.nowMs());
    if (!(await parts.isDealer(party))) {
      socket.close(4403, 'NOT_A_MEMBER');
      return;
    }
    parties.set(socket, party);
    send(socket, { type: 'welcome', party });
    const greeting = parts.greeting();
    if (greeting !== undefined) send(socket, greeting);
  }

  function receive(socket: WebSocket, data: Buffer): void {
    const message = parseMessage(data);
    if (message === undefined) {
      socket.close(4400, 'MESSAGE_MALFORMED');
      return;
    }
    if (message.type === 'hello') {
      hello(socket, message).catch((err) => {
        parts.log.warn({ err }, 'hello refused');
        socket.close(1011);
      });
      return;
    }
    const dealer = parties.get(socket);
    if (dealer === undefined) {
      socket.close(4401, 'hello first');
      return;
    }
    parts.onDecline(message.round, dealer, message.reason);
  }

  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => receive(socket, data));
    socket.on('close', () => parties.delete(socket));
    socket.on('error', () => socket.terminate());
  });

  return {
    attach: (server) =>
      server.on('upgrade', (request, socket, head) => {
        if (request.url !== '/v1/link') return socket.destroy();
        sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request));
      }),
    broadcast: (event) => {
      for (const socket of sockets.clients) send(socket, event);
    },
    present: () => new Set(parties.values()),
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

function send(socket: WebSocket, event: CoordinatorEvent): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(event));
}

function parseMessage(data: Buffer) {
  try {
    return linkMessage.safeParse(JSON.parse(data.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
