// The edge node's end of the link: says hello, hears events, comes back by itself. Losing it loses nothing: the chain
// is polled too.
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;

export interface CoordinatorLinkParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly party: Hex;
  readonly signHello: (hello: { party: Hex; issuedAtMs: number; nonce: Hex }) => Promise<Hex>;
  readonly onEvent: (event: CoordinatorEvent) => void;
}

export interface CoordinatorLink {
  start(): void;
  decline(round: number, reason: string): void;
  stop(): void;
}

export function createCoordinatorLink(coordinatorUrl: string, parts: CoordinatorLinkParts): CoordinatorLink {
  const url = `${coordinatorUrl.replace(/^http/, 'ws')}/v1/link`;
  let socket: WebSocket | undefined;
  let stopped = false;
  let retryMs = RECONNECT_MIN_MS;

  function connect(): void {
    if (stopped) return;
    const ws = new WebSocket(url, { maxPayload: 65_536, handshakeTimeout: 5_000 });
    socket = ws;
    ws.on('open', () => {
      sayHello(ws).catch((err) => parts.log.warn({ err }, 'hello failed'));
    });
    ws.on('message', (data: Buffer) => receive(data));
    ws.on('error', () => undefined); // 'close' follows and reconnects
    ws.on('close', (code) => {
      if (stopped) return;
      if (code >= 4400) parts.log.error({ code }, 'the coordinator refused the link');
      setTimeout(connect, retryMs).unref();
      retryMs = Math.min(RECONNECT_MAX_MS, retryMs * 2);
    });
  }

  async function sayHello(ws: WebSocket): Promise<void> {
    const hello = { party: parts.party, issuedAtMs: parts.clock.nowMs(), nonce: toHex(randomBytes(32)) };
    ws.send(JSON.stringify({ type: 'hello', ...hello, signature: await parts.signHello(hello) }));
  }

  function receive(data: Buffer): void {
    const event = JSON.parse(data.toString('utf8')) as CoordinatorEvent;
    if (event.type === 'welcome') retryMs = RECONNECT_MIN_MS;
    parts.onEvent(event);
  }

  return {
    start: connect,
    decline: (round, reason) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'decline', round, reason }));
    },
    stop: () => {
      stopped = true;
      socket?.terminate();
    },
  };
}
