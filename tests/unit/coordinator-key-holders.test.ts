// Asking the key-holders: who counts, who is left out, and that one that hangs holds nobody up.
import type { RequestHandler } from 'express';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AnswerQuestion, checkAnswer } from '../../coordinator/key-holders/answers.ts';
import { askEach, type ReachParts, sharesFor } from '../../coordinator/key-holders/reach.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { createApp, type HttpService, listen, request } from '../../kit/http.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import type { AnswerMessage } from '../../protocol/messages/answer.ts';
import {
  DOMAIN,
  dealersOf,
  partyOf,
  payloadOf,
  SILENT,
  sha256Of,
  temporaryTranscript,
  uploadOf,
} from './coordinator-world.ts';
import { codeOf } from './secagg-fixtures.ts';

const HOLDERS = Array.from({ length: 4 }, (_, i) => partyOf(`key-holder ${i + 1}`));
const REGISTERED = HOLDERS.map(({ address }, i) => ({ address, index: i + 1, keyEpoch: 1, keyHash: undefined }));
const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;

let services: HttpService[];
beforeEach(() => {
  services = [];
});
afterEach(async () => {
  for (const service of services) await service.close();
});

async function serve(handle: RequestHandler): Promise<string> {
  const app = createApp();
  app.get('/v1/identity', handle);
  const service = await listen(app, 0);
  services.push(service);
  return service.url;
}
const serveAs = (address: Hex) => serve((_request, response) => void response.json({ address }));
const serveNothing = () => serve(() => undefined);

const transcript = {} as ReachParts['transcript'];
const partsOf = (urls: readonly string[]): ReachParts => ({
  transcript,
  keyHolders: REGISTERED,
  urls,
  domain: DOMAIN,
  log: SILENT,
});
const what = (enough: number, skip: readonly number[] = []) => ({ round: 3, asking: 'x', enough, skip: new Set(skip) });

test('each registered key-holder counts once, whatever endpoints there are, and nobody else', async () => {
  const [one, two, three] = HOLDERS.map(({ address }) => address) as [Hex, Hex, Hex];
  const urls = await Promise.all([three, one, one, two].map(serveAs));
  urls.push(await serveAs(partyOf('stranger').address), 'http://127.0.0.1:1');
  const refusing = 2;
  const answers = await askEach(what(3), partsOf(urls), async ({ keyHolder }) => {
    if (keyHolder.index === refusing) throw new Error('no');
    return { index: keyHolder.index };
  });
  expect(answers).toEqual([{ index: 1 }, { index: 3 }]);
});

test('who answered before is not asked again', async () => {
  const urls = await Promise.all(HOLDERS.map(({ address }) => serveAs(address)));
  const asked: number[] = [];
  await askEach(what(3, [1, 4]), partsOf(urls), async ({ keyHolder }) => {
    asked.push(keyHolder.index);
    return { index: keyHolder.index };
  });
  expect(asked.sort()).toEqual([2, 3]);
});

test('one that hangs holds up nobody when the others are enough', async () => {
  const urls = await Promise.all(HOLDERS.slice(1).map(({ address }) => serveAs(address)));
  urls.push(await serveNothing());
  const startedMs = performance.now();
  const answers = await askEach(what(3), partsOf(urls), async ({ keyHolder }) => ({ index: keyHolder.index }));
  expect(answers).toHaveLength(3);
  expect(performance.now() - startedMs).toBeLessThan(5_000); // the endpoint itself is given ten seconds
});

test('with too few answers none is waited for longer than there is time', async () => {
  const urls = [await serveAs(HOLDERS[0]?.address ?? '0x'), await serveNothing()];
  const startedMs = performance.now();
  const ask = async ({ keyHolder }: { keyHolder: { index: number } }) => ({ index: keyHolder.index });
  expect(await askEach({ ...what(2), withinMs: 300 }, partsOf(urls), ask)).toEqual([{ index: 1 }]);
  expect(performance.now() - startedMs).toBeLessThan(3_000); // the endpoint itself is given ten seconds
});

test('an answer longer than any may be is not read to its end', async () => {
  const url = await serve((_request, response) => {
    response.write(Buffer.alloc(200_000));
    // and never ends
  });
  expect(await codeOf(() => request(`${url}/v1/identity`, { maxBytes: 1_000 }))).toBe('MESSAGE_TOO_LARGE');
});

test('an answer counts for this round, set and sum only, signed by the key-holder that was asked', async () => {
  const [{ address, privateKey }] = HOLDERS as [(typeof HOLDERS)[number]];
  const question = { round: 3, setHash: hash('aa'), aggregateHash: hash('bb') };
  const answerTo = (about: typeof question, signed = about): AnswerMessage => {
    const answer = new Uint8Array(8_192);
    const statement = { keyHolder: address, ...signed, answerHash: toHex(sha256(answer)) };
    const signature = signTypedStruct(privateKey, DOMAIN, 'Answer', statement);
    return { v: 'concordat/1/answer', keyHolder: address, index: 1, ...about, answer, signature };
  };
  const check = (
    message: AnswerMessage,
    asked: Pick<AnswerQuestion, 'round' | 'setHash' | 'aggregateHash'> = question,
  ) =>
    codeOf(() => {
      const [keyHolder] = REGISTERED as [(typeof REGISTERED)[number]];
      checkAnswer(message, { keyHolder }, asked, { domain: DOMAIN });
    });
  const good = answerTo(question);
  expect(await check(good)).toBe('nothing thrown');
  for (const other of [{ round: 4 }, { setHash: hash('ab') }, { aggregateHash: hash('bc') }]) {
    expect(await check(answerTo({ ...question, ...other }))).toBe('MESSAGE_MALFORMED');
    expect(await check(answerTo(question, { ...question, ...other }))).toBe('SIGNATURE_INVALID');
  }
  expect(await check({ ...good, index: 2 })).toBe('MESSAGE_MALFORMED');
  expect(await check({ ...good, answer: new Uint8Array(8_192).fill(1) })).toBe('SIGNATURE_INVALID');
});

test('a key-holder gets its own sealed share of every upload, and one that registered later gets none', async () => {
  const { transcript: blobs } = await temporaryTranscript();
  const sent = dealersOf(2).map((dealer) => uploadOf(dealer, { payload: payloadOf(dealer.address, 1) }));
  const uploads = await Promise.all(
    sent.map(async ({ upload, signature, sealedShares }) => ({
      ...upload,
      signature,
      shareHashes: await Promise.all(sealedShares.map(blobs.putBlob)),
    })),
  );
  const [, second, third] = REGISTERED as typeof REGISTERED &
    [(typeof REGISTERED)[0], (typeof REGISTERED)[0], (typeof REGISTERED)[0]];
  const shares = await sharesFor(second, uploads, { transcript: blobs });
  expect(shares.map(({ dealer }) => dealer)).toEqual(uploads.map(({ dealer }) => dealer));
  expect(shares.map(({ sealedShare }) => sha256Of(sealedShare))).toEqual(
    uploads.map(({ shareHashes }) => shareHashes[1]),
  );
  expect(shares.map(({ signature }) => signature)).toEqual(sent.map(({ signature }) => signature));
  expect(await codeOf(() => sharesFor(third, uploads, { transcript: blobs }))).toBe('NOT_FOUND');
});
