// Reading a bundle: nothing is stepped over, nothing is believed for its name.
import { describe, expect, test } from 'vitest';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { blobPathOf, blobsOf, readBundle } from '../../protocol/transcript/bundle.ts';
import { encodeEntry, GENESIS_PREV } from '../../protocol/transcript/entry.ts';
import { memoryFiles } from '../helpers/audit/raw-evidence.ts';

const hash = (text: string) => toHex(sha256(utf8ToBytes(text)));
const failed = (round: number) => ({ type: 'failed', round, reason: 'too few' }) as const;

function twoEntries() {
  const first = encodeEntry(0, GENESIS_PREV, failed(1));
  const second = encodeEntry(1, first.hash, failed(2));
  return { first, second };
}

describe('a bundle', () => {
  test('has its entries in order of name, with the hash of their bytes', async () => {
    const { first, second } = twoEntries();
    const files = new Map([
      ['entries/000001.cbor', second.bytes],
      ['entries/000000.cbor', first.bytes],
    ]);
    const { entries } = await readBundle(memoryFiles(files));
    expect(entries.map(({ name, hash }) => [name, hash])).toEqual([
      ['000000.cbor', first.hash],
      ['000001.cbor', second.hash],
    ]);
    expect(entries.map(({ entry }) => entry?.body)).toEqual([failed(1), failed(2)]);
  });

  test('keeps an entry that does not decode in its place, and says why', async () => {
    const { first } = twoEntries();
    const files = new Map([
      ['entries/000000.cbor', first.bytes],
      ['entries/000001.cbor', Uint8Array.of(0xff)],
    ]);
    const { entries } = await readBundle(memoryFiles(files));
    expect(entries[1]?.entry).toBeUndefined();
    expect(entries[1]?.fault).toContain('MESSAGE_MALFORMED');
  });

  test('passes over what a killed writer left half-done', async () => {
    const { first } = twoEntries();
    const files = new Map([
      ['entries/000000.cbor', first.bytes],
      ['entries/000001.cbor.0badcafe.tmp', Uint8Array.of(1)],
    ]);
    expect((await readBundle(memoryFiles(files))).entries).toHaveLength(1);
  });

  test('hands out a blob only when its bytes have the hash asked for', async () => {
    const files = new Map([
      [blobPathOf(hash('right')), utf8ToBytes('right')],
      [blobPathOf(hash('wrong')), utf8ToBytes('another')],
    ]);
    const bundle = await readBundle(memoryFiles(files));
    expect(await bundle.blob(hash('right'))).toEqual(utf8ToBytes('right'));
    await expect(bundle.blob(hash('wrong'))).rejects.toThrow('ARTIFACT_CORRUPT');
    await expect(bundle.blob(hash('absent'))).rejects.toThrow(ConcordatError);
    await expect(bundle.blob(hash('absent'))).rejects.toThrow('NOT_FOUND');
  });

  test('without any file is empty, not an error', async () => {
    expect(await readBundle(memoryFiles(new Map()))).toMatchObject({ entries: [], blobNames: [] });
  });
});

test('[TRA-2] every hash that a body of each kind carries, but for a repeated aggregate, is named as a blob', () => {
  const h = hash('x');
  const a = `0x${'11'.repeat(20)}` as const;
  const signature = `0x${'22'.repeat(65)}` as const;
  const counts = [
    blobsOf({
      type: 'genesis',
      chainId: 1,
      federation: a,
      task: h,
      dataContract: h,
      verificationKey: h,
      initialModel: h,
      relyingParty: { rpId: 'example', origins: ['https://example'] },
    }),
    blobsOf({ type: 'consent', dealer: a, epoch: 1, operations: h }),
    blobsOf({ type: 'upload', round: 1, dealer: a, attempt: 1, payload: h, sealedShares: [h, h, h], signature }),
    blobsOf({ type: 'aggregate', round: 1, dealers: [a], aggregate: h }),
    blobsOf({ type: 'vouch', round: 1, keyHolder: a, vouches: h, signature }),
    blobsOf({ type: 'fingerprint', round: 1, dealer: a, aggregate: h, fingerprint: new Uint8Array(48), signature }),
    blobsOf({ type: 'answer', round: 1, keyHolder: a, aggregate: h, answer: h, signature }),
    blobsOf({ type: 'opened', round: 1, keySum: h, values: h, maxNoise: 1 }),
    blobsOf({ type: 'model', round: 1, baseModel: h, model: h, accuracyBps: 1, aucBps: 1 }),
    blobsOf({ type: 'failed', round: 1, reason: '' }),
  ].map((blobs) => blobs.length);
  expect(counts).toEqual([4, 1, 4, 1, 1, 0, 1, 2, 2, 0]);
});
