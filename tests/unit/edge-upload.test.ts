// Sending an update to a server that is really there: two steps, nothing twice, and a refusal arrives as what it says.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoredUpdate } from '../../edge-node/seal/once.ts';
import { createUploadSender } from '../../edge-node/upload.ts';
import { recoverTypedStruct } from '../../engines/chain/typed-data.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { createApp, type HttpService, listen, problemHandler } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { toHex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { MAX_UPLOAD_MESSAGE_BYTES, type UploadMessage, uploadMessage } from '../../protocol/messages/upload.ts';
import { SEALED_SHARE_BYTES, sealedShareHash, sharesRoot } from '../../protocol/secagg/shares.ts';
import { addressOf, streamOf } from './secagg-fixtures.ts';

/** More than the sockets' buffers hold, so that a refusal can really come half-way. */
const PAYLOAD_BYTES = 24 * 2 ** 20;
const domain = { chainId: 31337, federation: addressOf('federation') };

let directory: string;
let update: StoredUpdate;
let service: HttpService | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concordat-upload-'));
  const path = join(directory, 'payload');
  const bytes = new Uint8Array(PAYLOAD_BYTES);
  for (let block = 0; block < 6; block++) bytes.fill(block, block * 2 ** 22);
  await writeFile(path, bytes);
  const sealedShares = [1, 2, 3].map((i) => {
    const share = new Uint8Array(SEALED_SHARE_BYTES);
    streamOf(`share ${i}`)(share);
    return share;
  });
  update = {
    payloadHash: toHex(createHash('sha256').update(bytes).digest()),
    sealedShares,
    sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)),
    payload: { path, bytes: bytes.length },
  };
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await rm(directory, { recursive: true });
});

interface Received {
  messages: UploadMessage[];
  payloads: { hash: string; bytes: number; announced: number; type: string | undefined }[];
}

/** A coordinator as small as it gets. `announce` answers the first step; `take` receives the second. */
async function serve(announce: () => unknown, take: (request: IncomingMessage) => Promise<void> = consume) {
  const received: Received = { messages: [], payloads: [] };
  const app = createApp();
  app.post('/v1/uploads', express.raw({ type: 'application/cbor', limit: '1mb' }), (request, response) => {
    received.messages.push(decodeCbor(new Uint8Array(request.body), uploadMessage, MAX_UPLOAD_MESSAGE_BYTES));
    response.json(announce());
  });
  app.put('/v1/payloads/:hash', async (request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    request.on('data', (part: Uint8Array) => {
      hash.update(part);
      bytes += part.length;
    });
    await take(request);
    const { 'content-length': announced, 'content-type': type } = request.headers;
    const { hash: name } = request.params;
    expect(name).toBe(toHex(hash.digest()));
    received.payloads.push({ hash: name, bytes, announced: Number(announced), type });
    response.json({ payload: 'stored' });
  });
  app.use(problemHandler(createLog('test', 'silent')));
  service = await listen(app, 0);
  return received;
}

const consume = (request: IncomingMessage): Promise<void> =>
  new Promise((resolve, reject) => request.on('end', resolve).on('error', reject));

async function send(): Promise<number> {
  const identity = await loadOrCreateIdentity(join(directory, 'identity'));
  const sender = createUploadSender({ coordinatorUrl: service?.url ?? '', identity, chain: { domain } });
  return sender(7, 2, update);
}

/** An answer counts when it is there: not when the other side gives the idle connection up, five seconds later. */
const SOON = { timeout: 4_500 };

const refusal = (code: 'CONFLICT' | 'MESSAGE_TOO_LARGE' | 'PAYLOAD_MALFORMED') =>
  new ConcordatError(code, 'as the coordinator put it', { round: 7 });

describe('an update', () => {
  test('goes in two steps: the signed message, then the file whole and as it is', async () => {
    const received = await serve(() => ({ payload: 'wanted' }));
    const bytes = await send();
    const [message] = received.messages;
    if (message === undefined) throw new Error('no message');
    const { dealer, round, attempt, payloadHash, signature } = message;
    expect(message).toMatchObject({ round: 7, attempt: 2, payloadHash: update.payloadHash });
    expect(message.sealedShares).toEqual(update.sealedShares);
    const statement = { dealer, round, attempt, payloadHash, sharesRoot: update.sharesRoot };
    expect(recoverTypedStruct(domain, 'Upload', statement, signature)).toBe(dealer);
    const type = 'application/octet-stream';
    const payload = { hash: update.payloadHash, bytes: PAYLOAD_BYTES, announced: PAYLOAD_BYTES, type };
    expect(received.payloads).toEqual([payload]);
    expect(bytes).toBeGreaterThan(PAYLOAD_BYTES + 3 * SEALED_SHARE_BYTES);
  });

  test('whose payload is there already is announced and not sent again', async () => {
    const received = await serve(() => ({ payload: 'stored' }));
    await send();
    expect([received.messages.length, received.payloads.length]).toEqual([1, 0]);
  });

  test('sent again is the same message, byte for byte', async () => {
    const received = await serve(() => ({ payload: 'wanted' }));
    await send();
    await send();
    expect(received.messages[1]).toEqual(received.messages[0]);
    expect(received.payloads).toHaveLength(2);
  });

  test('that the coordinator has after all is done when it says so, without reading it again', SOON, async () => {
    const app = createApp();
    app.post('/v1/uploads', (_request, response) => void response.json({ payload: 'wanted' }));
    app.put('/v1/payloads/:hash', (request, response) => {
      request.on('data', () => request.pause());
      response.json({ payload: 'stored' });
    });
    service = await listen(app, 0);
    await expect(send()).resolves.toBeGreaterThan(PAYLOAD_BYTES);
  });

  test.each([{}, { payload: 'later' }, { payload: true }, [], 'wanted', null])(
    'is not sent on an answer that does not say what is wanted: %j',
    async (answer) => {
      const received = await serve(() => answer);
      await expect(send()).rejects.toMatchObject({ code: 'MESSAGE_MALFORMED' });
      expect(received.payloads).toEqual([]);
    },
  );
});

describe('a refusal', () => {
  test('of the message is what it says, and no payload follows', async () => {
    const received = await serve(() => {
      throw refusal('CONFLICT');
    });
    await expect(send()).rejects.toMatchObject({
      code: 'CONFLICT',
      detail: 'as the coordinator put it',
      fields: { round: 7 },
    });
    expect(received.payloads).toEqual([]);
  });

  test('of the payload before its first byte is read is what it says', SOON, async () => {
    await serve(
      () => ({ payload: 'wanted' }),
      async () => {
        throw refusal('MESSAGE_TOO_LARGE');
      },
    );
    await expect(send()).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE', fields: { round: 7 } });
  });

  test.each([
    ['goes on reading', true],
    ['reads no further', false],
  ])('half-way through the payload is what it says, from a coordinator that %s', SOON, async (_name, goesOn) => {
    await serve(
      () => ({ payload: 'wanted' }),
      async (request) => {
        await new Promise((resolve) => request.once('data', resolve));
        if (!goesOn) request.pause();
        throw refusal('PAYLOAD_MALFORMED');
      },
    );
    await expect(send()).rejects.toMatchObject({ code: 'PAYLOAD_MALFORMED', detail: 'as the coordinator put it' });
  });

  test('a connection that is cut half-way is a time-out, to be tried again', async () => {
    await serve(
      () => ({ payload: 'wanted' }),
      async (request) => {
        request.once('data', () => request.socket.destroy());
        await new Promise(() => undefined);
      },
    );
    await expect(send()).rejects.toMatchObject({ code: 'TIMED_OUT' });
  });

  test('nobody there is a time-out', async () => {
    const received = await serve(() => ({ payload: 'wanted' }));
    const url = service?.url ?? '';
    await service?.close();
    const identity = await loadOrCreateIdentity(join(directory, 'identity'));
    const sender = createUploadSender({ coordinatorUrl: url, identity, chain: { domain } });
    await expect(sender(7, 2, update)).rejects.toMatchObject({ code: 'TIMED_OUT' });
    expect(received.messages).toEqual([]);
  });
});
