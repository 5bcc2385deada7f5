// Uploads in two steps: what is announced, what comes, what is refused, and that nothing half-way stays.
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemberRouter } from '../../coordinator/api/members.ts';
import { createIntake, type Intake } from '../../coordinator/intake/intake.ts';
import { type AdmittedUpload, createUploads } from '../../coordinator/intake/uploads.ts';
import type { Transcript } from '../../coordinator/transcript/transcript.ts';
import { recoverTypedStruct } from '../../engines/chain/typed-data.ts';
import { createApp, type HttpService, listen, problemHandler, request } from '../../kit/http.ts';
import { putFile } from '../../kit/put-file.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { payloadBytes } from '../../protocol/secagg/payload.ts';
import {
  DOMAIN,
  dealersOf,
  entriesOf,
  partyOf,
  payloadOf,
  type SentUpload,
  SILENT,
  sha256Of,
  type TranscriptInFolder,
  temporaryTranscript,
  uploadOf,
} from './coordinator-world.ts';
import { codeOf } from './secagg-fixtures.ts';

const BLOCKS = 2;
const [ALICE, BOB] = dealersOf(2) as [ReturnType<typeof partyOf>, ReturnType<typeof partyOf>];

let store: TranscriptInFolder;
let intake: Intake;
let http: HttpService;
let admitted: AdmittedUpload[];

function start(transcript: Transcript): Intake {
  return createIntake({
    transcript,
    uploads: createUploads(transcript.entries()),
    blocks: BLOCKS,
    isDealer: async (address) => [ALICE.address, BOB.address].includes(address),
    recoverUpload: (upload, signature) => recoverTypedStruct(DOMAIN, 'Upload', upload, signature),
    onAdmitted: (upload) => admitted.push(upload),
  });
}

beforeEach(async () => {
  admitted = [];
  store = await temporaryTranscript();
  intake = start(store.transcript);
  intake.open({ round: 3, keyHolders: 2 });
  const app = createApp();
  const doors = {
    announce: (body: Uint8Array) => intake.announce(body),
    receive: (...args: Parameters<Intake['receive']>) => intake.receive(...args),
  };
  app.use(createMemberRouter({ intake: doors, takeFingerprint: () => undefined }));
  app.use(problemHandler(SILENT));
  http = await listen(app, 0);
});
afterEach(() => http.close());

const announce = async ({ body }: Pick<SentUpload, 'body'>): Promise<unknown> => {
  const headers = { 'content-type': 'application/cbor' };
  const answer = await request(`${http.url}/v1/uploads`, { method: 'POST', headers, body });
  return JSON.parse(new TextDecoder().decode(answer));
};
const put = (hash: Hex, body: Uint8Array, headers: Record<string, string> = {}) =>
  request(`${http.url}/v1/payloads/${hash}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', ...headers },
    body,
  });
const blobOf = (hash: Hex) => codeOf(() => store.transcript.getBlob(hash));

/** PUT without a Content-Length. */
function putChunked(hash: Hex, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' };
    const outgoing = httpRequest(`${http.url}/v1/payloads/${hash}`, { method: 'PUT', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('an upload is in when message and payload are; sent again, nothing happens', async () => {
  const sent = uploadOf(ALICE, { payload: payloadOf('a', BLOCKS) });
  const { payloadHash, sharesRoot } = sent.upload;
  expect(await announce(sent)).toEqual({ payload: 'wanted' });
  expect(await announce(sent)).toEqual({ payload: 'wanted' });
  expect(admitted).toEqual([]);
  await put(payloadHash, sent.payload);
  const { signature } = sent;
  expect(admitted).toMatchObject([{ dealer: ALICE.address, round: 3, attempt: 1, payloadHash, sharesRoot, signature }]);
  expect(entriesOf(store.transcript, 'upload')).toMatchObject([{ dealer: ALICE.address, payload: payloadHash }]);
  expect(await store.transcript.getBlob(payloadHash)).toEqual(sent.payload);
  for (const share of sent.sealedShares) expect(await store.transcript.getBlob(sha256Of(share))).toEqual(share);

  expect(await announce(sent)).toEqual({ payload: 'stored' });
  await put(payloadHash, new Uint8Array(5)); // not looked at
  expect(await store.transcript.getBlob(payloadHash)).toEqual(sent.payload);
  expect(admitted).toHaveLength(1);
});

describe('a payload that is not what was announced is refused, and nothing of it stays', () => {
  const good = payloadOf('good', BLOCKS);
  const inRange = good.slice();
  inRange[20_000] = (inRange[20_000] ?? 0) ^ 1; // the lowest bits of some residue: most likely still one
  const outOfRange = good.slice();
  outOfRange.fill(0xff, 8, 16);
  const threeBlocks = payloadOf('good', BLOCKS + 1);
  const rows: [string, Uint8Array, Record<string, string>, string][] = [
    ['truncated', good.subarray(0, good.length - 1), {}, 'PAYLOAD_MALFORMED'],
    ['empty', new Uint8Array(), {}, 'PAYLOAD_MALFORMED'],
    ['one byte more', new Uint8Array([...good, 0]), {}, 'PAYLOAD_MALFORMED'],
    ['a block more', threeBlocks, {}, 'PAYLOAD_MALFORMED'],
    ['a header for another size', new Uint8Array([...threeBlocks.subarray(0, good.length)]), {}, 'PAYLOAD_MALFORMED'],
    ['other bytes than its hash says', inRange, {}, 'PAYLOAD_MALFORMED'],
    ['a residue beyond its prime', outOfRange, {}, 'PAYLOAD_MALFORMED'],
    ['another type', good, { 'content-type': 'application/cbor' }, 'MESSAGE_MALFORMED'],
    ['compressed', good, { 'content-encoding': 'gzip' }, 'MESSAGE_MALFORMED'],
  ];
  test.each(rows)('%s', async (_, bytes, headers, code) => {
    const sent = uploadOf(ALICE, { payload: good });
    await announce(sent);
    const { payloadHash } = sent.upload;
    expect(await codeOf(() => put(payloadHash, bytes, headers))).toBe(code);
    expect([await blobOf(payloadHash), await store.temporaries(), admitted]).toEqual(['NOT_FOUND', [], []]);
    await put(payloadHash, good); // the dealer may try again
    expect(admitted).toHaveLength(1);
  });

  test('bytes without an announced length', async () => {
    const sent = uploadOf(ALICE, { payload: good });
    await announce(sent);
    expect(await putChunked(sent.upload.payloadHash, new Uint8Array([...good, ...good]))).toBe(400);
    expect([await blobOf(sent.upload.payloadHash), await store.temporaries()]).toEqual(['NOT_FOUND', []]);
  });
});

test('the reason arrives though the refusal came at the first block of many', async () => {
  const good = payloadOf('good', BLOCKS);
  const sent = uploadOf(ALICE, { payload: good });
  await announce(sent);
  const bad = good.slice();
  bad[0] = 0;
  const { path, bytes } = await store.transcript.blobFile(await store.transcript.putBlob(bad));
  const url = `${http.url}/v1/payloads/${sent.upload.payloadHash}`;
  await expect(putFile(url, { path, bytes })).rejects.toMatchObject({
    code: 'PAYLOAD_MALFORMED',
    detail: 'the first four bytes are not "CCP2"',
  });
});

test('a payload that nobody announced is not taken, nor one under a name that is no hash', async () => {
  const payload = payloadOf('a', BLOCKS);
  expect(await codeOf(() => put(sha256Of(payload), payload))).toBe('NOT_FOUND');
  expect(await codeOf(() => put('0x12', payload))).toBe('MESSAGE_MALFORMED');
  expect(await store.temporaries()).toEqual([]);
});

test('a connection that is cut half-way leaves nothing; the next one is taken', async () => {
  const sent = uploadOf(ALICE, { payload: payloadOf('a', BLOCKS) });
  const { payloadHash } = sent.upload;
  await announce(sent);
  const socket = connect(http.port, '127.0.0.1');
  socket.write(
    `PUT /v1/payloads/${payloadHash} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n` +
      `Content-Length: ${payloadBytes(BLOCKS)}\r\n\r\n`,
  );
  socket.write(sent.payload.subarray(0, 60_000));
  await expect.poll(store.temporaries).toHaveLength(1);
  socket.destroy();
  await expect.poll(store.temporaries).toEqual([]);
  expect(await blobOf(payloadHash)).toBe('NOT_FOUND');
  await put(payloadHash, sent.payload);
  expect(admitted).toHaveLength(1);
});

test('the same payload over several connections at once is one upload', async () => {
  const sent = uploadOf(ALICE, { payload: payloadOf('a', BLOCKS) });
  await announce(sent);
  await Promise.all([1, 2, 3, 4].map(() => put(sent.upload.payloadHash, sent.payload)));
  expect([admitted.length, entriesOf(store.transcript, 'upload').length]).toEqual([1, 1]);
  expect(await store.temporaries()).toEqual([]);
});

describe('copies', () => {
  const payload = payloadOf('a', BLOCKS);

  test.each(['announced', 'stored'])('a payload that another dealer has %s is refused', async (state) => {
    const sent = uploadOf(ALICE, { payload });
    await announce(sent);
    if (state === 'stored') await put(sent.upload.payloadHash, payload);
    expect(await codeOf(() => announce(uploadOf(BOB, { payload })))).toBe('CONFLICT');
  });

  test('nor may the dealer itself use it for a second attempt, or in a later round', async () => {
    const sent = uploadOf(ALICE, { payload });
    await announce(sent);
    expect(await codeOf(() => announce(uploadOf(ALICE, { payload, attempt: 2 })))).toBe('CONFLICT');
    await put(sent.upload.payloadHash, payload);
    intake.close();
    intake = start(await store.reopen());
    intake.open({ round: 4, keyHolders: 2 });
    expect(await codeOf(() => announce(uploadOf(ALICE, { payload, round: 4 })))).toBe('CONFLICT');
  });

  test('nor in a round after others have come in, when of the old one only the hash is kept', async () => {
    await announce(uploadOf(ALICE, { payload }));
    await put(sha256Of(payload), payload);
    intake.open({ round: 4, keyHolders: 2 });
    const other = uploadOf(BOB, { payload: payloadOf('b', BLOCKS), round: 4 });
    await announce(other);
    await put(other.upload.payloadHash, other.payload);
    for (const dealer of [ALICE, BOB]) {
      expect(await codeOf(() => announce(uploadOf(dealer, { payload, round: 4, attempt: 2 })))).toBe('CONFLICT');
    }
  });

  test('one attempt has one payload and one sharing', async () => {
    await announce(uploadOf(ALICE, { payload }));
    expect(await codeOf(() => announce(uploadOf(ALICE, { payload: payloadOf('b', BLOCKS) })))).toBe('CONFLICT');
    expect(await codeOf(() => announce(uploadOf(ALICE, { payload })))).toBe('CONFLICT'); // sealed afresh
  });

  test('of two dealers that announce one payload at the same time, one gets it', async () => {
    const results = await Promise.all(
      [ALICE, BOB].map((dealer) => codeOf(() => announce(uploadOf(dealer, { payload })))),
    );
    expect(results.sort()).toEqual(['CONFLICT', 'nothing thrown']);
  });
});

test('messages that may not come in', async () => {
  const payload = payloadOf('a', BLOCKS);
  const refusals: [SentUpload, string][] = [
    [uploadOf(partyOf('stranger'), { payload }), 'NOT_A_MEMBER'],
    [uploadOf(ALICE, { payload }, { dealer: BOB.address }), 'SIGNATURE_INVALID'],
    [uploadOf(ALICE, { payload }, { payloadHash: sha256Of(new Uint8Array()) }), 'SIGNATURE_INVALID'],
    [uploadOf(ALICE, { payload, holders: 3 }), 'MESSAGE_MALFORMED'],
    [uploadOf(ALICE, { payload, holders: 1 }), 'MESSAGE_MALFORMED'],
    [uploadOf(ALICE, { payload }, { payload }), 'MESSAGE_MALFORMED'],
    [uploadOf(ALICE, { payload, round: 2 }), 'CONFLICT'],
    [uploadOf(ALICE, { payload, attempt: 17 }), 'CONFLICT'],
  ];
  for (const [sent, code] of refusals) expect(await codeOf(() => announce(sent))).toBe(code);
  expect(await codeOf(() => announce({ body: new Uint8Array(400_000) }))).toBe('MESSAGE_TOO_LARGE');
  intake.close();
  expect(await codeOf(() => announce(uploadOf(ALICE, { payload })))).toBe('CONFLICT');
});

test('P7: a restart forgets announcements without payload, and finds what is in', async () => {
  const [first, second] = [
    uploadOf(ALICE, { payload: payloadOf('a', BLOCKS) }),
    uploadOf(BOB, { payload: payloadOf('b', BLOCKS) }),
  ];
  for (const sent of [first, second]) await announce(sent);
  await put(first.upload.payloadHash, first.payload);
  const transcript = await store.reopen();
  intake = start(transcript);
  intake.open({ round: 3, keyHolders: 2 });
  expect(await codeOf(() => put(second.upload.payloadHash, second.payload))).toBe('NOT_FOUND');
  expect([await announce(first), await announce(second)]).toEqual([{ payload: 'stored' }, { payload: 'wanted' }]);
  await put(second.upload.payloadHash, second.payload);
  expect(entriesOf(transcript, 'upload').map(({ dealer }) => dealer)).toEqual([ALICE.address, BOB.address]);
});

test('a payload that ends after the round stopped taking any is not in', async () => {
  const sent = uploadOf(ALICE, { payload: payloadOf('a', BLOCKS) });
  await announce(sent);
  const { write, ...writer } = await store.transcript.blobWriter();
  const slow = {
    ...store.transcript,
    blobWriter: async () => ({
      ...writer,
      write: async (part: Uint8Array) => {
        intake.close();
        await write(part);
      },
    }),
  };
  intake = start(slow);
  intake.open({ round: 3, keyHolders: 2 });
  await announce(sent);
  expect(await codeOf(() => put(sent.upload.payloadHash, sent.payload))).toBe('NOT_FOUND');
  expect([admitted, entriesOf(store.transcript, 'upload')]).toEqual([[], []]);
});
