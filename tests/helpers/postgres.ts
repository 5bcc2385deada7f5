// A real PostgreSQL (PGlite: the server compiled to WASM) behind a TCP port. It lets anybody in, one connection at a time.
import { createServer, type Socket } from 'node:net';
import { PGlite } from '@electric-sql/pglite';

const SSL_REQUEST = 80877103;
const TERMINATE = 'X'.charCodeAt(0);

export interface PostgresForTests {
  readonly port: number;
  /** Runs statements as the server's owner, when all connections are closed: there is one session. */
  exec(sql: string): Promise<unknown>;
  /** From now on the connection is cut in the middle of the answer to a message that holds this text. */
  cutAt(text: string | undefined): void;
  /** How often a message that holds this text arrived. */
  seen(text: string): number;
  stop(): Promise<void>;
}

/** The next message of the protocol, if it is all there; the first of a connection has no type byte. */
function takeMessage(buffer: Buffer, first: boolean): Buffer | undefined {
  const start = first ? 0 : 1;
  if (buffer.length < start + 4) return undefined;
  const end = start + buffer.readUInt32BE(start);
  return buffer.length < end ? undefined : buffer.subarray(0, end);
}

export async function startPostgres(): Promise<PostgresForTests> {
  const db = await PGlite.create();
  const messages: Buffer[] = [];
  const sockets = new Set<Socket>();
  let cutText: string | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  async function answer(socket: Socket, message: Buffer): Promise<void> {
    messages.push(message);
    if (message[0] === TERMINATE) return void socket.end();
    const bytes = await db.execProtocolRaw(message);
    const cut = cutText !== undefined && message.includes(cutText);
    socket.write(cut ? bytes.subarray(0, bytes.length >> 1) : bytes, () => cut && socket.destroy());
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    let buffer: Buffer = Buffer.alloc(0);
    let first = true;
    let work = turn;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // whoever comes next waits, and does not inherit the transaction of a connection that was cut
    turn = closed.then(() => work).then(() => db.exec('ROLLBACK'));
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      buffer = Buffer.concat([buffer, bytes]);
      for (let message = takeMessage(buffer, first); message; message = takeMessage(buffer, first)) {
        buffer = buffer.subarray(message.length);
        if (first && message.readUInt32BE(4) === SSL_REQUEST) {
          socket.write('N');
          continue;
        }
        const taken = message;
        first = false;
        work = work.then(() => answer(socket, taken)).catch(() => void socket.destroy());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    exec: (sql) => {
      const done = turn.then(() => db.exec(sql));
      turn = done.catch(() => undefined);
      return done;
    },
    cutAt: (text) => {
      cutText = text;
    },
    seen: (text) => messages.filter((message) => message.includes(text)).length,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await turn;
      await db.close();
    },
  };
}
