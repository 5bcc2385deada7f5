// The frozen vectors of sealed shares: the independent build still gives them. Our own sealing meets them in tests/unit.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildSealedShareVectors } from './sealed-share-build.ts';

test('noble and WebCrypto still give the frozen vectors', async () => {
  const file = new URL('../../protocol/vectors/sealed-share.json', import.meta.url);
  expect(await buildSealedShareVectors()).toEqual(JSON.parse(readFileSync(file, 'utf8')));
});

test('the secrets are those that the draft prints', async () => {
  const { xwing } = await buildSealedShareVectors();
  // draft-connolly-cfrg-xwing-kem-08, appendix C
  expect(xwing[0]?.seed).toBe('0x7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26');
  expect(xwing[0]?.secret).toBe('0xd2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384');
});
