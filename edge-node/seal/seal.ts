// Sealing one update: a one-time secret is made, used for one payload, shared out to the key-holders, and gone.
import { createHash } from 'node:crypto';
import { sealShare, systemRandom } from '../../engines/keys/sealing.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { SealContext } from '../../protocol/secagg/attempt.ts';
import { type FillRandom, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { blocksFor, checkValues, type PackingProfile, requireFits } from '../../protocol/secagg/packing.ts';
import { payloadHeader } from '../../protocol/secagg/payload.ts';
import { PACKED_WORDS_PER_BLOCK, packResidues } from '../../protocol/secagg/residue-bits.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { CBD_POLYNOMIAL_BYTES, sampleCbd } from '../../protocol/secagg/sampling.ts';
import { checkThreshold, encodeShare, shareSecret } from '../../protocol/secagg/shamir.ts';
import { SEALED_SHARE_BYTES, sealedShareHash, shareAssociatedData, sharesRoot } from '../../protocol/secagg/shares.ts';

/** A key-holder as registered on chain. */
export interface Recipient {
  /** From 1, in the order of registration. */
  readonly index: number;
  /** X-Wing, 1,216 bytes. */
  readonly publicKey: Uint8Array;
}

/** What a payload's bytes depend on beside its values: s, and e_k block after block. */
export interface PayloadRandom {
  readonly secret: FillRandom;
  readonly errors: FillRandom;
}

export interface SealRequest extends SealContext {
  /** As the task names it. */
  readonly packing: PackingProfile;
  /** Dealers that the sum may come to hold: those registered. */
  readonly dealers: number;
  /** Integers in [0, 2^valueBits): quantised, noised, offset-binary. */
  readonly values: ArrayLike<number>;
  /** All registered key-holders, in order, with the keys that stood when the round opened. */
  readonly keyHolders: readonly Recipient[];
  readonly threshold: number;
  /** Of the attempt's seed, so that the payload can be replayed; drawn from the CSPRNG and forgotten without. */
  readonly payloadRandom?: PayloadRandom;
}

/** What of a request the payload is made of. */
export type PayloadRequest = Pick<SealRequest, 'seed' | 'packing' | 'values'>;

/** What is left to send once the payload's bytes are written. */
export interface SealedUpdate {
  readonly payloadHash: Hex;
  /** One per key-holder, in order. */
  readonly sealedShares: readonly Uint8Array[];
  readonly sharesRoot: Hex;
}

export interface Sealer {
  /**
   * Hands the payload to `write` part by part, in order. Synchronous: the one-time secret never outlives a turn of the
   * event loop. The array given to `write` is used again.
   * @throws ConcordatError VALUE_OUT_OF_RANGE, KEY_WEAK
   */
  seal(request: SealRequest, write: (part: Uint8Array) => void): SealedUpdate;
}

/** Blocks sealed per engine call: bounds what a payload takes in memory, whatever its size. */
const BLOCKS_PER_CALL = 16;

/** Bare sealing. Callers go through once.ts, which is what keeps an attempt from having two payloads. */
export function createSealer(parts: { readonly ring: Ring; readonly random?: FillRandom }): Sealer {
  const { ring, random = systemRandom } = parts;
  return {
    seal(request, write) {
      checkRecipients(request.keyHolders, request.threshold);
      requireFits(request.dealers, request.packing);
      checkValues(request.values, request.packing);
      const { payloadRandom = { secret: random, errors: random } } = request;
      const secret = new Int32Array(RING_DEGREE);
      try {
        drawSecret(secret, payloadRandom.secret);
        const hash = sealPayload(ring, request, secret, payloadRandom.errors, write);
        const sealedShares = sealShares(request, hash, secret, random);
        return { payloadHash: hash, sealedShares, sharesRoot: sharesRoot(sealedShares.map(sealedShareHash)) };
      } finally {
        secret.fill(0);
      }
    },
  };
}

/**
 * The payload again, without shares. Only for the very values that were sealed before: other ones under the same randomness
 * would give both away.
 * @returns its hash
 * @throws ConcordatError VALUE_OUT_OF_RANGE
 */
export function resealPayload(
  ring: Ring,
  request: PayloadRequest,
  random: PayloadRandom,
  write: (part: Uint8Array) => void,
): Hex {
  checkValues(request.values, request.packing);
  const secret = new Int32Array(RING_DEGREE);
  try {
    drawSecret(secret, random.secret);
    return sealPayload(ring, request, secret, random.errors, write);
  } finally {
    secret.fill(0);
  }
}

function checkRecipients(keyHolders: readonly Recipient[], threshold: number): void {
  checkThreshold(keyHolders.length, threshold);
  const misplaced = keyHolders.findIndex(({ index }, i) => index !== i + 1);
  if (misplaced >= 0) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `key-holder ${misplaced + 1} is missing or out of order`);
  }
}

function drawSecret(secret: Int32Array, random: FillRandom): void {
  const randomBytes = new Uint8Array(CBD_POLYNOMIAL_BYTES);
  random(randomBytes);
  sampleCbd(randomBytes, secret);
  randomBytes.fill(0);
}

/** @returns the payload's hash */
function sealPayload(
  ring: Ring,
  request: PayloadRequest,
  secret: Int32Array,
  errors: FillRandom,
  write: (part: Uint8Array) => void,
): Hex {
  const { packing } = request;
  const seed = fromHex(request.seed);
  const blocks = blocksFor(request.values.length, packing);
  const hash = createHash('sha256');
  const emit = (part: Uint8Array): void => {
    hash.update(part);
    write(part);
  };
  emit(payloadHeader(blocks));
  const most = Math.min(blocks, BLOCKS_PER_CALL);
  const values = new Uint16Array(most * packing.valuesPerBlock);
  const residues = new Uint32Array(most * RESIDUES_PER_BLOCK);
  const words = new Uint32Array(most * PACKED_WORDS_PER_BLOCK);
  try {
    for (let firstBlock = 0; firstBlock < blocks; firstBlock += BLOCKS_PER_CALL) {
      const count = Math.min(BLOCKS_PER_CALL, blocks - firstBlock);
      const part = values.subarray(0, count * packing.valuesPerBlock);
      copyValues(request.values, firstBlock * packing.valuesPerBlock, part);
      const out = residues.subarray(0, count * RESIDUES_PER_BLOCK);
      ring.seal({ seed, secret, packing, values: part, fillRandom: errors, firstBlock, out });
      const packed = words.subarray(0, count * PACKED_WORDS_PER_BLOCK);
      packResidues(out, packed);
      emit(new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength));
    }
  } finally {
    values.fill(0);
  }
  return toHex(hash.digest());
}

/** From value `from` on; zeros after the last one. */
function copyValues(values: ArrayLike<number>, from: number, out: Uint16Array): void {
  for (let i = 0; i < out.length; i++) out[i] = values[from + i] ?? 0;
}

/**
 * A key that cannot be sealed to is its key-holder's own fault: it gets random bytes instead, and cannot answer. It must not
 * keep everybody from sealing.
 * @throws ConcordatError KEY_WEAK when fewer usable keys than the threshold are left
 */
function sealShares(request: SealRequest, hash: Hex, secret: Int32Array, random: FillRandom): Uint8Array[] {
  const { keyHolders, threshold } = request;
  const shares = shareSecret(secret, keyHolders.length, threshold, random);
  try {
    const sealed = keyHolders.map((recipient, i) => sealOne(request, hash, recipient, shares[i], random));
    const unusable = keyHolders.filter((_, i) => sealed[i] === undefined).map(({ index }) => index);
    if (keyHolders.length - unusable.length < threshold) {
      throw new ConcordatError('KEY_WEAK', `the keys of key-holders ${unusable.join(', ')} cannot be sealed to`);
    }
    return sealed.map((share) => share ?? noise(random));
  } finally {
    for (const share of shares) share.fill(0);
  }
}

/** undefined when the recipient's key is none. */
function sealOne(
  request: SealRequest,
  payloadHash: Hex,
  { index, publicKey }: Recipient,
  share: Uint16Array | undefined,
  random: FillRandom,
): Uint8Array | undefined {
  const plaintext = encodeShare(share ?? new Uint16Array());
  try {
    return sealShare(publicKey, plaintext, shareAssociatedData({ ...request, payloadHash }, index), random);
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'KEY_WEAK') return undefined;
    throw error;
  } finally {
    plaintext.fill(0);
  }
}

function noise(random: FillRandom): Uint8Array {
  const bytes = new Uint8Array(SEALED_SHARE_BYTES);
  random(bytes);
  return bytes;
}
