// SEAL's own Decryptor opens what the engines seal: in CKKS mode it is exactly c0 + c1·s, by a key that SEAL made itself.
import loadSeal from 'node-seal';
import { beforeAll, describe, expect, test } from 'vitest';
import { ciphertextTemplate, readCiphertext, writeCiphertext } from '../../auditor/ring/seal-layout.ts';
import { nodeShake128 } from '../../kit/shake.ts';
import { fromHex } from '../../protocol/bytes.ts';
import { SECAGG } from '../../protocol/params.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { extract } from '../../protocol/secagg/coefficients.ts';
import type { RingOpener } from '../../protocol/secagg/opener.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { ENGINES, randomWords, SEED, streamOf } from './secagg-fixtures.ts';
import { fromNtt } from './secagg-reference.ts';

const BLOCK = 3;
/** SEAL keeps a plaintext's and a secret key's words from here on, a u64 each, in NTT order. */
const PLAINTEXT_DATA = 88;

interface Decryptor {
  /** The secret polynomial, ternary. */
  readonly secret: Int32Array;
  /** Coefficients of c0 + c1·s, for c0 in coefficients and c1 in NTT order. */
  decrypt(c0: Uint32Array, c1: Uint32Array): Uint32Array;
}

function words(bytes: Uint8Array, count: number): Uint32Array {
  const wide = new BigUint64Array(bytes.slice(PLAINTEXT_DATA).buffer, 0, count);
  return Uint32Array.from(wide, Number);
}

async function createDecryptor(): Promise<Decryptor> {
  const seal = await (loadSeal as unknown as typeof loadSeal.default)();
  const parameters = seal.EncryptionParameters(seal.SchemeType.ckks);
  parameters.setPolyModulusDegree(RING_DEGREE);
  parameters.setCoeffModulus(seal.CoeffModulus.Create(RING_DEGREE, Int32Array.from([30, 30, 30, 17])));
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128);
  const parmsId = new Uint8Array(BigUint64Array.from([...context.firstParmsId.values].map(BigInt)).buffer);
  const evaluator = seal.Evaluator(context);
  const key = seal.KeyGenerator(context).secretKey();
  const decryptor = seal.Decryptor(context, key);
  const [p] = PRIMES;
  const secret = fromNtt(words(key.saveArray(seal.ComprModeType.none), RING_DEGREE), p);

  const load = (ntt: boolean, c0: Uint32Array, c1: Uint32Array) => {
    const bytes = ciphertextTemplate(parmsId, ntt);
    writeCiphertext(bytes, 0, c0);
    writeCiphertext(bytes, 1, c1);
    const cipher = seal.CipherText();
    cipher.loadArray(context, bytes);
    return cipher;
  };
  const transformed = (words: Uint32Array, direction: 'cipherTransformToNtt' | 'cipherTransformFromNtt') => {
    const result = seal.CipherText();
    evaluator[direction](load(direction === 'cipherTransformFromNtt', words, words), result);
    const out = new Uint32Array(RESIDUES_PER_BLOCK);
    readCiphertext(result.saveArray(seal.ComprModeType.none), 0, out);
    return out;
  };
  return {
    secret: Int32Array.from(secret, (x) => (x > p / 2 ? x - p : x)),
    decrypt(c0, c1) {
      const plain = seal.PlainText();
      decryptor.decrypt(load(true, transformed(c0, 'cipherTransformToNtt'), c1), plain);
      return transformed(words(plain.saveArray(seal.ComprModeType.none), RESIDUES_PER_BLOCK), 'cipherTransformFromNtt');
    },
  };
}

let decryptor: Decryptor;
beforeAll(async () => {
  decryptor = await createDecryptor();
});

test('the key is ternary, so it is one that the engines could have been given', () => {
  expect(new Set(decryptor.secret)).toEqual(new Set([-1, 0, 1]));
});

describe.each(ENGINES)('engine $name', ({ createRing, createOpener }) => {
  let ring: Ring;
  let opener: RingOpener;
  beforeAll(async () => {
    [ring, opener] = [await createRing(), await createOpener()];
  });

  test.each(SECAGG.packings)(
    'what it seals as $name, SEAL\u2019s Decryptor opens to the same slots and noise as its opener',
    (packing) => {
      const seed = fromHex(SEED);
      const values = randomWords('values', packing.slots * RING_DEGREE).map((word) => word % 2 ** packing.slotBits);
      const sealed = new Uint32Array(RESIDUES_PER_BLOCK);
      const job = { seed, secret: decryptor.secret, packing, values };
      ring.seal({ ...job, fillRandom: streamOf('e'), firstBlock: BLOCK, out: sealed });

      const a = expandA(seed, BLOCK, nodeShake128);
      const minusA = a.map((x, i) => (x === 0 ? 0 : (PRIMES[Math.floor(i / RING_DEGREE)] ?? 0) - x));
      const [slots, error] = [new Uint32Array(values.length), new Int32Array(RING_DEGREE)];
      extract(decryptor.decrypt(sealed, minusA), packing, slots, error);
      expect(slots).toEqual(Uint32Array.from(values));

      const [ownSlots, ownError] = [new Uint32Array(values.length), new Int32Array(RING_DEGREE)];
      opener.open({
        ...{ seed, secretSum: decryptor.secret, aggregate: sealed, packing, firstBlock: BLOCK, values: ownSlots },
        onNoise: (noise) => ownError.set(noise),
      });
      expect(ownSlots).toEqual(slots);
      expect(ownError).toEqual(error);
    },
  );
});
