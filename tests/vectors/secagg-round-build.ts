// One round of the vectors, by the plain references alone: no engine and no sealing of ours has a say in what is frozen.
import { AbiCoder, keccak256 } from 'ethers';
import type { Hex } from '../../protocol/bytes.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { referenceBits, referenceMessage, referenceSeal, referenceSplit } from '../unit/secagg-reference.ts';
import { type Digest, digest, digestWide } from './digest.ts';
import { noblePublicKey, sealByNoble } from './noble-share.ts';
import {
  bytesOf,
  cborList,
  hashOf,
  hex,
  plainA,
  plainBlockWeights,
  plainCbd,
  plainChallenge,
  plainCombination,
  plainFingerprint,
  plainSecret,
  plainShares,
  plainTestValue,
  plainUniform,
  plainWeights,
} from './secagg-plain.ts';
import { type VectorRound, vectorKeySeed, vectorStream, vectorValues } from './secagg-rounds.ts';

const BLOCKS = [0, 1] as const;
const MASKS = 4;
const primeAt = (i: number): number => PRIMES[Math.floor(i / RING_DEGREE) % PRIMES.length] ?? 1;
const blockAt = (residues: Uint32Array, k: number): Uint32Array =>
  residues.subarray(k * RESIDUES_PER_BLOCK, (k + 1) * RESIDUES_PER_BLOCK);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** uint16, little-endian. */
const wordBytes = (words: Uint16Array): Uint8Array =>
  Uint8Array.from([...words].flatMap((word) => [word & 255, word >> 8]));

/** "CCP2", the block count, and the bits of every polynomial. */
function plainPayload(residues: Uint32Array): Uint8Array {
  const polynomials = Array.from({ length: residues.length / RING_DEGREE }, (_, i) =>
    referenceBits(residues.subarray(i * RING_DEGREE, (i + 1) * RING_DEGREE)),
  );
  const header = new Uint8Array(8);
  header.set(text('CCP2'));
  new DataView(header.buffer).setUint32(4, residues.length / RESIDUES_PER_BLOCK, true);
  return new Uint8Array(Buffer.concat([header, ...polynomials.map(({ buffer }) => new Uint8Array(buffer))]));
}

async function buildUpdate(round: VectorRound, dealer: Hex) {
  const { chainId, ledger, attempt, packing, holders, threshold } = round;
  const random = vectorStream(round, dealer);
  const sample = (): Int32Array => {
    const bytes = new Uint8Array(10 * RING_DEGREE);
    random(bytes);
    return plainCbd(bytes);
  };
  const values = new Uint16Array(BLOCKS.length * packing.valuesPerBlock);
  values.set(vectorValues(round, dealer));
  const secret = sample();
  const residues = new Uint32Array(BLOCKS.length * RESIDUES_PER_BLOCK);
  const blocks = BLOCKS.map((k) => {
    const error = sample();
    const ofBlock = values.subarray(k * packing.valuesPerBlock, (k + 1) * packing.valuesPerBlock);
    const sealed = referenceSeal(plainA(bytesOf(round.seed), k), secret, error, ofBlock, packing);
    residues.set(sealed, k * RESIDUES_PER_BLOCK);
    const message = Array.from({ length: RING_DEGREE }, (_, i) => referenceMessage(ofBlock, i, packing));
    return { error: digest(error), message: digestWide(message), residues: digest(sealed) };
  });
  const payload = plainPayload(residues);
  const payloadHash = hex(hashOf(payload));
  const masks = plainUniform(MASKS, random);
  const coefficients = Array.from({ length: threshold - 1 }, () => plainUniform(RING_DEGREE + MASKS, random));
  const shares = plainShares([...Array.from(secret, BigInt), ...masks], coefficients, holders);
  const sealedShares: Uint8Array[] = [];
  const associated: Uint8Array[] = [];
  for (const [i, share] of shares.entries()) {
    const encapsulationSeed = new Uint8Array(64);
    random(encapsulationSeed);
    const data = cborList(['concordat/1/share', chainId, ledger, round.round, attempt, dealer, i + 1, payloadHash]);
    associated.push(data);
    const publicKey = noblePublicKey(vectorKeySeed(i + 1));
    sealedShares.push((await sealByNoble(publicKey, encapsulationSeed, wordBytes(share), data)).sealed);
  }
  const hashes = sealedShares.map((sealed) => hashOf(sealed));
  const sharesRoot = hex(hashOf(text('concordat/1/shares'), ...hashes));
  const combination = plainCombination(
    { chainId, ledger, round: round.round, attempt, dealer, payloadHash },
    sharesRoot,
  );
  const frozen = {
    dealer,
    values: digest(values),
    secret: digest(secret),
    blocks,
    payload: { bytes: payload.length, words: digest(new Uint32Array(payload.slice(8).buffer)), sha256: payloadHash },
    masks: masks.map(Number),
    shares: shares.map((share) => digest(share)),
    associatedData: associated.map(hex),
    sealedShareHashes: hashes.map(hex),
    sharesRoot,
    combination: combination.map((row) => digest(row)),
    testValues: shares.map((share) => hex(plainTestValue(share, combination))),
  };
  return { frozen, values, residues, payload, shares, sealedShares, combination };
}

/** C_k − a_k·S, from the definition: nothing is sealed under −S, and added. */
export function plainResidual({ seed, packing }: VectorRound, aggregate: Uint32Array, secretSum: Int32Array) {
  const minus = secretSum.map((x) => -x);
  const [error, values] = [new Int32Array(RING_DEGREE), new Uint16Array(packing.valuesPerBlock)];
  return BLOCKS.map((k) => {
    const mask = referenceSeal(plainA(bytesOf(seed), k), minus, error, values, packing);
    return mask.map((x, i) => (x + (blockAt(aggregate, k)[i] ?? 0)) % primeAt(i));
  });
}

/** What is left of each coefficient, and how it is spread. */
export function plainNoise({ packing }: VectorRound, residual: readonly Uint32Array[]) {
  const noise = residual.flatMap((block) =>
    Array.from({ length: RING_DEGREE }, (_, i) => referenceSplit(block, i, packing).error),
  );
  return {
    ...digest(Int32Array.from(noise)),
    maxAbs: Math.max(...noise.map(Math.abs)),
    sumSquares: noise.reduce((sum, x) => sum + x * x, 0),
  };
}

export const plainSum = (parts: readonly Uint32Array[]): Uint32Array =>
  new Uint32Array(parts[0]?.length ?? 0).map((_, i) =>
    parts.reduce((sum, part) => (sum + (part[i] ?? 0)) % primeAt(i), 0),
  );

const fieldSum = (shares: readonly Uint16Array[]): Uint16Array =>
  new Uint16Array(RING_DEGREE).map((_, c) => shares.reduce((sum, share) => (sum + (share[c] ?? 0)) % 65_521, 0));

export type BuiltRound = Awaited<ReturnType<typeof buildRound>>;

export async function buildRound(round: VectorRound) {
  const { chainId, ledger, dealers, packing, holders, threshold } = round;
  const updates = await Promise.all(dealers.map((dealer) => buildUpdate(round, dealer)));
  const aggregate = plainSum(updates.map(({ residues }) => residues));
  const payload = plainPayload(aggregate);
  const aggregateHash = hex(hashOf(payload));
  const setHash = keccak256(AbiCoder.defaultAbiCoder().encode(['uint64', 'address[]'], [round.round, dealers])) as Hex;
  const payloadHashes = updates.map(({ frozen }) => frozen.payload.sha256);
  const sum = { setHash, payloadHashes, aggregateHash, blocks: BLOCKS.length };
  const challenge = plainChallenge({ chainId, ledger, round: round.round, ...sum });
  const weights = plainWeights(challenge);
  const answers = Array.from({ length: holders }, (_, h) =>
    fieldSum(updates.map(({ shares }) => shares[h] ?? new Uint16Array())),
  );
  const secretSum = plainSecret(answers.slice(0, threshold).map((answer, h) => [h + 1, answer]));
  const residual = plainResidual(round, aggregate, secretSum);
  const opened = residual.flatMap((block) =>
    Array.from({ length: RING_DEGREE }, (_, i) => referenceSplit(block, i, packing).slots).flat(),
  );
  const frozen = {
    v: 'concordat/1/vectors/secagg-round',
    source: {
      'seed to a_k, error, secret': 'tests/vectors/secagg-plain.ts: SHAKE128 of @noble/hashes, one number at a time',
      'message, residues, opened values, noise':
        'tests/unit/secagg-reference.ts: BigInt transforms by definition, BigInt CRT',
      'payload words': 'tests/unit/secagg-reference.ts: the bits of one BigInt a polynomial',
      'shares, answers, secretSum, combination, testValues, fingerprints': 'tests/vectors/secagg-plain.ts: BigInt',
      'sealed shares': '@noble/post-quantum X-Wing, @noble/hashes HKDF, WebCrypto AES-GCM',
      setHash: 'ethers',
    },
    setting: round,
    keyHolders: answers.map((_, h) => hex(hashOf(noblePublicKey(vectorKeySeed(h + 1))))),
    updates: updates.map((update) => ({
      ...update.frozen,
      fingerprint: hex(plainFingerprint(challenge, update.residues, weights)),
    })),
    sum: {
      setHash,
      residues: digest(aggregate),
      words: digest(new Uint32Array(payload.slice(8).buffer)),
      aggregateHash,
      fingerprint: {
        challenge: hex(challenge),
        w: weights.map((row) => digest(row)),
        u: BLOCKS.map((k) => plainBlockWeights(challenge, k)),
        ofAggregate: hex(plainFingerprint(challenge, aggregate, weights)),
      },
      answers: answers.map((answer): Digest & { answerHash: Hex } => ({
        ...digest(answer),
        answerHash: hex(hashOf(wordBytes(answer))),
      })),
      secretSum: digest(secretSum),
      values: digest(Uint32Array.from(opened)),
      noise: {
        ...plainNoise(round, residual),
        samples: BLOCKS.length * RING_DEGREE,
        expectedVariance: 20 * dealers.length,
      },
    },
  };
  return { round, frozen, updates, aggregate, payload, challenge, weights, answers, secretSum, residual };
}
