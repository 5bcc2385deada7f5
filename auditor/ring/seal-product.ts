// Ring products by SEAL: a BFV context over our three primes, where multiplyPlain in NTT form *is* the product.
import loadSeal from 'node-seal';
import { ConcordatError } from '../../protocol/errors.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { toResidues } from '../../protocol/secagg/coefficients.ts';
import {
  ciphertextTemplate,
  plaintextTemplate,
  readCiphertext,
  wipeScratch,
  writeCiphertext,
  writePlaintext,
} from './seal-layout.ts';

// node-seal 6's types describe an ES module; what Node loads is CommonJS, whose default import is the function itself
type Seal = Awaited<ReturnType<typeof loadSeal.default>>;
const instantiate = loadSeal as unknown as typeof loadSeal.default;

export interface SealProduct {
  /** Loads a small integer polynomial as the common factor. Must not be zero: SEAL refuses transparent results. */
  load(factor: Int32Array): void;
  /** Two public polynomials, NTT order, each times the factor; out in coefficient order. */
  multiply(a: readonly [Uint32Array, Uint32Array], out: readonly [Uint32Array, Uint32Array]): void;
  /** Overwrites the factor in our buffers and in SEAL's. */
  unload(): void;
}

let shared: Promise<SealProduct> | undefined;

/** One WASM instance per process: 50 ms and 12 MB. Calls are synchronous, so sealers and openers share it. */
export function sealProduct(): Promise<SealProduct> {
  shared ??= instantiate().then(createSealProduct);
  return shared;
}

/** The objects below live as long as the process; nothing is allocated in WASM per block, so nothing can leak. */
function createSealProduct(seal: Seal): SealProduct {
  const parmsId = new Uint8Array(32);
  const context = createContext(seal, parmsId);
  const evaluator = seal.Evaluator(context);
  const [pair, product, factor] = [seal.CipherText(), seal.CipherText(), seal.PlainText()];
  const coefficientBytes = ciphertextTemplate(parmsId, false);
  const nttBytes = ciphertextTemplate(parmsId, true);
  const factorBytes = plaintextTemplate(parmsId);
  const words = new Uint32Array(RESIDUES_PER_BLOCK);

  function loadWords(): void {
    // SEAL transforms ciphertexts only: the factor goes in as one, comes out in NTT order, goes back as a plaintext
    writeCiphertext(coefficientBytes, 0, words);
    writeCiphertext(coefficientBytes, 1, words);
    pair.loadArray(context, coefficientBytes);
    evaluator.cipherTransformToNtt(pair, product);
    const transformed = product.saveArray(seal.ComprModeType.none);
    readCiphertext(transformed, 0, words);
    transformed.fill(0);
    writePlaintext(factorBytes, words);
    factor.loadArray(context, factorBytes);
  }

  return {
    load(small) {
      PRIMES.forEach((p, j) => {
        toResidues(small, p, words.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE));
      });
      loadWords();
    },
    multiply(a, out) {
      writeCiphertext(nttBytes, 0, a[0]);
      writeCiphertext(nttBytes, 1, a[1]);
      pair.loadArray(context, nttBytes);
      evaluator.multiplyPlain(pair, factor, product);
      evaluator.cipherTransformFromNtt(product, pair);
      const bytes = pair.saveArray(seal.ComprModeType.none);
      readCiphertext(bytes, 0, out[0]);
      readCiphertext(bytes, 1, out[1]);
    },
    unload() {
      // the constant 1 takes the factor's place: loading it runs over every buffer the factor was in
      words.fill(1);
      loadWords();
      wipeScratch();
      nttBytes.set(ciphertextTemplate(parmsId, true));
    },
  };
}

/** q of our three primes plus SEAL's special prime 114689, which no ciphertext carries: 107 of the 109 bits allowed. */
function createContext(seal: Seal, parmsId: Uint8Array) {
  const parameters = seal.EncryptionParameters(seal.SchemeType.bfv);
  const moduli = seal.CoeffModulus.Create(RING_DEGREE, Int32Array.from([30, 30, 30, 17]));
  const plainModulus = seal.PlainModulus.Batching(RING_DEGREE, 20);
  parameters.setPolyModulusDegree(RING_DEGREE);
  parameters.setCoeffModulus(moduli);
  parameters.setPlainModulus(plainModulus);
  const primes = [...parameters.coeffModulus].slice(0, PRIMES.length).map(Number);
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128);
  if (!context.parametersSet() || primes.some((prime, j) => prime !== PRIMES[j])) {
    throw new ConcordatError('PROCESS_FAILED', `SEAL chose other primes: ${primes.join(', ')}`);
  }
  const id = context.firstParmsId;
  parmsId.set(new Uint8Array(BigUint64Array.from([...id.values].map(BigInt)).buffer));
  for (const done of [id, moduli, plainModulus, parameters]) done.delete();
  return context;
}
