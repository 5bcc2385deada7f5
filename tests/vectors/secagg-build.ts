// Builds protocol/vectors/secagg.json with the plain reference alone: no engine has a say in what is frozen.
// Rebuild: npx tsx tests/vectors/secagg-build.ts > protocol/vectors/secagg.json (only with a new protocol version).
import { pathToFileURL } from 'node:url';
import { generateSealingKeys, sealShare } from '../../engines/keys/sealing.ts';
import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { createPackingProfile, packValues } from '../../protocol/secagg/packing.ts';
import { allocatePayload } from '../../protocol/secagg/payload.ts';
import { expandA } from '../../protocol/secagg/public-a.ts';
import { sampleCbd } from '../../protocol/secagg/sampling.ts';
import { setHash } from '../../protocol/secagg/set.ts';
import { addShares, encodeShare, reconstruct, shareSecret } from '../../protocol/secagg/shamir.ts';
import { sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';
import { addressOf, randomWords, streamOf } from '../unit/secagg-fixtures.ts';
import { referenceSeal, referenceSplit, smallestRoot } from '../unit/secagg-reference.ts';

const PREFIX = 8;

/** What the vector round is made of; everything random comes from SHAKE256 of a label. */
export const VECTOR = {
  chainId: 31337,
  ledger: addressOf('vector ledger'),
  round: 7,
  attempt: 2,
  seed: toHex(sha256(utf8ToBytes('vector seed'))),
  valueCount: 12_300,
  holders: 4,
  threshold: 3,
  dealers: ['vector dealer 0', 'vector dealer 1', 'vector dealer 2'].map(addressOf).sort(),
} as const;

export const vectorKeys = (index: number) => generateSealingKeys(streamOf(`vector key-holder ${index}`));
export const vectorValues = (dealer: Hex) => randomWords(`vector values ${dealer}`, VECTOR.valueCount);
/** In the order in which a sealer asks: secret, errors block by block, share coefficients, ephemeral keys. */
export const vectorStream = (dealer: Hex) => streamOf(`vector random ${dealer}`);

/** The first few numbers, and sha256 over all as little-endian bytes. */
function digest(numbers: Uint32Array | Int32Array | Uint16Array) {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return { prefix: [...numbers.subarray(0, PREFIX)], sha256: toHex(sha256(bytes)) };
}

function sealByReference(dealer: Hex) {
  const random = vectorStream(dealer);
  const sample = (): Int32Array => {
    const [bytes, out] = [new Uint8Array(10 * RING_DEGREE), new Int32Array(RING_DEGREE)];
    random(bytes);
    sampleCbd(bytes, out);
    return out;
  };
  const values = packValues(vectorValues(dealer), createPackingProfile());
  const payload = allocatePayload(values.length / RESIDUES_PER_BLOCK);
  const secret = sample();
  const blocks = [0, 1].map((k) => {
    const [from, to] = [k * RESIDUES_PER_BLOCK, (k + 1) * RESIDUES_PER_BLOCK];
    const error = sample();
    const block = referenceSeal(expandA(fromHex(VECTOR.seed), k), secret, error, values.subarray(from, to));
    payload.residues.set(block, from);
    return { error: digest(error), residues: digest(block) };
  });
  const payloadHash = toHex(sha256(payload.bytes));
  const shares = shareSecret(secret, VECTOR.holders, VECTOR.threshold, random);
  const context = { ...VECTOR, dealer, payloadHash };
  const sealed = shares.map((share, i) =>
    sealShare(vectorKeys(i + 1).publicKey, encodeShare(share), shareAssociatedData(context, i + 1), random),
  );
  const frozen = {
    dealer,
    values: digest(values),
    secret: digest(secret),
    blocks,
    payloadHash,
    associatedData: toHex(shareAssociatedData(context, 1)),
    shares: shares.map((share) => digest(share)),
    sealedShareHashes: sealed.map(sealedShareHash),
    sharesRoot: sharesRoot(sealed.map(sealedShareHash)),
  };
  return { frozen, payload, secret, shares, values };
}

export function buildVectors() {
  const updates = VECTOR.dealers.map(sealByReference);
  const aggregate = allocatePayload(2);
  aggregate.residues.forEach((_, i) => {
    const p = PRIMES[Math.floor(i / RING_DEGREE) % 3] ?? 1;
    aggregate.residues[i] = updates.reduce((sum, { payload }) => (sum + (payload.residues[i] ?? 0)) % p, 0);
  });
  const answers = Array.from({ length: VECTOR.holders }, (_, h) => {
    const sum = new Uint16Array(RING_DEGREE);
    for (const { shares } of updates) addShares(sum, shares[h] ?? new Uint16Array());
    return { index: h + 1, share: sum };
  });
  const secretSum = reconstruct(answers.slice(0, VECTOR.threshold));
  const sums = Uint32Array.from({ length: 2 * RESIDUES_PER_BLOCK }, (_, j) =>
    updates.reduce((sum, { values }) => sum + (values[j] ?? 0), 0),
  );
  // the residual, from the definition: C_k - a_k·S, by sealing nothing under -S and adding
  const minus = secretSum.map((x) => -x);
  const zeros = { e: new Int32Array(RING_DEGREE), m: new Uint16Array(RESIDUES_PER_BLOCK) };
  const noise = [0, 1].flatMap((k) => {
    const mask = referenceSeal(expandA(fromHex(VECTOR.seed), k), minus, zeros.e, zeros.m);
    const residual = mask.map((x, i) => {
      const p = PRIMES[Math.floor(i / RING_DEGREE)] ?? 1;
      return (x + (aggregate.residues[k * RESIDUES_PER_BLOCK + i] ?? 0)) % p;
    });
    return Array.from({ length: RING_DEGREE }, (_, i) => referenceSplit(residual, i).error);
  });
  return {
    v: 'concordat/1/vectors/secagg',
    setting: VECTOR,
    roots: PRIMES.map((p) => Number(smallestRoot(p))),
    publicA: [0, 1].map((k) => {
      const a = expandA(fromHex(VECTOR.seed), k);
      return PRIMES.map((_, j) => digest(a.subarray(j * RING_DEGREE, (j + 1) * RING_DEGREE)));
    }),
    keyHolders: answers.map(({ index }) => toHex(vectorKeys(index).publicKey)),
    updates: updates.map(({ frozen }) => frozen),
    sum: {
      setHash: setHash(VECTOR.round, VECTOR.dealers),
      aggregate: digest(aggregate.residues),
      aggregateHash: toHex(sha256(aggregate.bytes)),
      answers: answers.map(({ share }) => ({ ...digest(share), answerHash: toHex(sha256(encodeShare(share))) })),
      secretSum: digest(secretSum),
      values: digest(sums),
      noise: { ...digest(Int32Array.from(noise)), maxAbs: Math.max(...noise.map(Math.abs)) },
    },
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`${JSON.stringify(buildVectors(), undefined, 2)}\n`);
}
