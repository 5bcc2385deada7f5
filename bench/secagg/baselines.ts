// What a user would otherwise pick: SEAL's public-key BFV and CKKS at their best parameters, and plain float32.
import loadSeal from 'node-seal';
import { type Spread, spreadOf, timed, valuesOf } from './measure.ts';

type Seal = Awaited<ReturnType<typeof loadSeal.default>>;
type Context = ReturnType<Seal['Context']>;

export interface Baseline {
  readonly name: string;
  readonly ciphertexts: number;
  readonly seal: Spread;
  /** Adding one upload to the sum; loading its bytes is not counted. */
  readonly add: Spread;
  readonly bytesPerParam: number;
  /** One ciphertext decrypted again, against what went in. */
  readonly correct: boolean;
}

export const loadBaselineSeal = (): Promise<Seal> => (loadSeal as unknown as typeof loadSeal.default)();

const DEGREE = 8192;

function contextOf(seal: Seal, scheme: 'bfv' | 'ckks', bits: readonly number[], plainBits?: number): Context {
  const parameters = seal.EncryptionParameters(seal.SchemeType[scheme]);
  parameters.setPolyModulusDegree(DEGREE);
  parameters.setCoeffModulus(seal.CoeffModulus.Create(DEGREE, Int32Array.from(bits)));
  if (plainBits !== undefined) parameters.setPlainModulus(seal.PlainModulus.Batching(DEGREE, plainBits));
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128);
  if (!context.parametersSet()) throw new Error(`SEAL refuses ${scheme} with ${bits.join(', ')} bits`);
  return context;
}

/**
 * A plaintext of SEAL 4.1, uncompressed, in coefficients: header, no parms id, count, scale, header, words. Its BatchEncoder
 * would spend a transform and fit one value a coefficient; written directly, two 26-bit slots fit. (node-seal 6.0.3 takes primes that
 * allow batching only, so t is one of 53 bits instead of 2^52.)
 */
function coefficientPlaintext() {
  const data = 88;
  const bytes = new Uint8Array(data + 8 * DEGREE);
  const view = new DataView(bytes.buffer);
  const header = (at: number, size: number) => {
    bytes.set([0x5e, 0xa1, 16, 4, 1, 0, 0, 0], at);
    view.setBigUint64(at + 8, BigInt(size), true);
  };
  header(0, bytes.length);
  view.setBigUint64(48, BigInt(DEGREE), true);
  view.setFloat64(56, 1, true);
  header(64, bytes.length - 64);
  view.setBigUint64(80, BigInt(DEGREE), true);
  return { bytes, words: new Uint32Array(bytes.buffer, data) };
}

/** One warm-up, then `repeats` whole uploads: encrypt and serialise every ciphertext. */
function measure(
  seal: Seal,
  context: Context,
  shape: { readonly name: string; readonly params: number; readonly perCiphertext: number; readonly repeats: number },
  encode: (from: number, plain: ReturnType<Seal['PlainText']>) => void,
  decoded: (plain: ReturnType<Seal['PlainText']>) => boolean,
): Baseline {
  const keys = seal.KeyGenerator(context);
  const encryptor = seal.Encryptor(context, keys.createPublicKey());
  const [plain, cipher, sum] = [seal.PlainText(), seal.CipherText(), seal.CipherText()];
  const ciphertexts = Math.ceil(shape.params / shape.perCiphertext);
  const upload = (): number => {
    let bytes = 0;
    for (let i = 0; i < ciphertexts; i++) {
      encode(i * shape.perCiphertext, plain);
      encryptor.encrypt(plain, cipher);
      bytes += cipher.saveArray(seal.ComprModeType.none).length;
    }
    return bytes;
  };
  encode(0, plain);
  encryptor.encrypt(plain, cipher);
  const opened = seal.PlainText();
  seal.Decryptor(context, keys.secretKey()).decrypt(cipher, opened);
  const correct = decoded(opened);
  const uploads = Array.from({ length: shape.repeats }, () => timed(upload));
  const evaluator = seal.Evaluator(context);
  const adds = Array.from({ length: shape.repeats }, () =>
    timed(() => {
      for (let i = 0; i < ciphertexts; i++) evaluator.add(cipher, cipher, sum);
    }),
  );
  const bytesPerParam = (uploads[0]?.result ?? 0) / shape.params;
  const [seals, added] = [spreadOf(uploads.map(({ ms }) => ms)), spreadOf(adds.map(({ ms }) => ms))];
  return { name: shape.name, ciphertexts, seal: seals, add: added, bytesPerParam, correct };
}

export function bfv(seal: Seal, params: number): Baseline {
  const context = contextOf(seal, 'bfv', [60, 60, 17], 53);
  const values = valuesOf(0, params);
  const { bytes, words } = coefficientPlaintext();
  const name = 'BFV, public key, N = 8192, q = [60, 60, 17], t of 53 bits, two values a coefficient';
  return measure(
    seal,
    context,
    { name, params, perCiphertext: 2 * DEGREE, repeats: 5 },
    (from, plain) => {
      for (let i = 0, j = from; i < DEGREE; i++, j += 2) {
        const high = values[j + 1] ?? 0;
        words[2 * i] = ((values[j] ?? 0) + (high << 26)) >>> 0;
        words[2 * i + 1] = high >>> 6;
      }
      plain.loadArray(context, bytes);
    },
    (plain) => {
      const opened = new Uint32Array(plain.saveArray(seal.ComprModeType.none).slice(88).buffer);
      const at = (i: number) => (opened[2 * i] ?? 0) + (opened[2 * i + 1] ?? 0) * 2 ** 32;
      const expected = (i: number) => (values[2 * i] ?? 0) + (values[2 * i + 1] ?? 0) * 2 ** 26;
      return Array.from({ length: DEGREE }, (_, i) => i).every((i) => at(i) === expected(i));
    },
  );
}

export function ckks(seal: Seal, params: number): Baseline {
  const context = contextOf(seal, 'ckks', [60, 40, 60]);
  const encoder = seal.CKKSEncoder(context);
  const values = Float64Array.from(valuesOf(0, params), (value) => (value - 32_768) / 32_767);
  const slots = DEGREE / 2;
  const name = 'CKKS, public key, N = 8192, q = [60, 40, 60], scale 2^40';
  return measure(
    seal,
    context,
    { name, params, perCiphertext: slots, repeats: 3 },
    (from, plain) => encoder.encode(values.subarray(from, from + slots), 2 ** 40, plain),
    (plain) => encoder.decode(plain).every((x, i) => i >= params || Math.abs(x - (values[i] ?? 0)) < 1e-4),
  );
}

/** No protection at all: the bytes of the numbers. */
export function float32(params: number): Baseline {
  const values = Float64Array.from(valuesOf(0, params), (value) => (value - 32_768) / 32_767);
  const sum = new Float32Array(params);
  const runs = Array.from({ length: 5 }, () => timed(() => Float32Array.from(values)));
  const adds = runs.map(({ result }) =>
    timed(() => {
      for (let i = 0; i < params; i++) sum[i] = (sum[i] ?? 0) + (result[i] ?? 0);
    }),
  );
  return {
    ...{ name: 'float32, in the clear', ciphertexts: 0, bytesPerParam: 4, correct: true },
    seal: spreadOf(runs.map(({ ms }) => ms)),
    add: spreadOf(adds.map(({ ms }) => ms)),
  };
}
