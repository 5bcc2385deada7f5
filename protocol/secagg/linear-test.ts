// Did a dealer deal shares of one secret? A masked random combination of each share: eight bytes that must fit together.
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { encodeCbor } from '../codec.ts';
import { ConcordatError } from '../errors.ts';
import { PROTOCOL_VERSION, SECAGG } from '../params.ts';
import { RING_DEGREE } from './block.ts';
import { SHARE_PRIME } from './field.ts';
import { pointsOnOnePolynomial } from './liars.ts';
import { nobleShake128, type Xof } from './public-a.ts';
import { SHARE_LENGTH, type ShareVector } from './shamir.ts';
import type { ShareContext } from './shares.ts';

/** Four residues mod 65521, uint16le: what a key-holder publishes about one share. */
export const TEST_VALUE_BYTES = 2 * SECAGG.shareMasks;

const TAG = `${PROTOCOL_VERSION}/linear-test`;
const STREAM_BYTES = 2 * RING_DEGREE + 512;

/**
 * The public combination for one upload: `shareMasks` rows of N residues. It follows from what the dealer committed to, so
 * that every upload has one combination for ever (a second one would reveal a linear relation of the secret), and so that
 * a dealer who wants a false sharing to pass has to try 2^64 of them (Fiat-Shamir; SCRAPE, Cascudo-David, ACNS 2017).
 */
export function testCombination(context: ShareContext, sharesRoot: Hex, xof: Xof = nobleShake128): Uint16Array[] {
  const { chainId, ledger, round, attempt, dealer, payloadHash } = context;
  const hex = [ledger, dealer, payloadHash, sharesRoot].map((value) => value.toLowerCase());
  const seed = sha256(encodeCbor([TAG, chainId, round, attempt, ...hex]));
  return Array.from({ length: SECAGG.shareMasks }, (_, row) => uniformRow(seed, row, xof));
}

/** 16-bit little-endian words, those from 65521 on refused: 15 in 65,536. */
function uniformRow(seed: Uint8Array, row: number, xof: Xof): Uint16Array {
  const input = new Uint8Array([...utf8ToBytes(TAG), ...seed, row]);
  const out = new Uint16Array(RING_DEGREE);
  for (let bytes = STREAM_BYTES; ; bytes *= 2) {
    const stream = xof(input, bytes);
    const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
    let taken = 0;
    for (let at = 0; at < bytes && taken < RING_DEGREE; at += 2) {
      const word = view.getUint16(at, true);
      if (word < SHARE_PRIME) out[taken++] = word;
    }
    if (taken === RING_DEGREE) return out;
  }
}

/** z_j = mask_j + Σ ρ_{j,c}·share_c: says nothing about the secret, because the masks are uniform and used once. */
export function testValue(share: ShareVector, combination: readonly Uint16Array[]): Uint8Array {
  if (share.length !== SHARE_LENGTH) throw new RangeError(`a share has ${SHARE_LENGTH} residues, not ${share.length}`);
  const out = new Uint8Array(TEST_VALUE_BYTES);
  const view = new DataView(out.buffer);
  combination.forEach((row, j) => {
    // products are below 2^32, so 2^21 of them stay exact
    let sum = share[RING_DEGREE + j] ?? 0;
    for (let c = 0; c < RING_DEGREE; c++) sum += (row[c] ?? 0) * (share[c] ?? 0);
    view.setUint16(2 * j, sum % SHARE_PRIME, true);
  });
  return out;
}

/** A key-holder's word on one upload: the value, or that the share does not open. */
export interface TestPoint {
  /** Of the key-holder, from 1. */
  readonly index: number;
  readonly value: Uint8Array | undefined;
}

/**
 * Whether all shares opened and every row of the values lies on a polynomial of degree threshold−1. False sharings pass with a
 * chance of 65521^-4 < 2^-63; with exactly `threshold` points there is nothing to compare and everything passes.
 * @throws ConcordatError MESSAGE_MALFORMED for a value that is not four residues
 */
export function sharingHolds(points: readonly TestPoint[], threshold: number): boolean {
  const values = points.map(({ index, value }) => ({ index, value: value && decodeTestValue(value) }));
  return Array.from({ length: SECAGG.shareMasks }, (_, j) => j).every((j) => {
    const row = values.flatMap(({ index, value }) => (value === undefined ? [] : [{ x: index, y: value[j] ?? 0 }]));
    return row.length === points.length && pointsOnOnePolynomial(row, threshold);
  });
}

/** @throws ConcordatError MESSAGE_MALFORMED */
export function decodeTestValue(value: Uint8Array): readonly number[] {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const residues = Array.from({ length: Math.floor(value.length / 2) }, (_, j) => view.getUint16(2 * j, true));
  if (value.length !== TEST_VALUE_BYTES || residues.some((residue) => residue >= SHARE_PRIME)) {
    throw new ConcordatError('MESSAGE_MALFORMED', `${toHex(value)} is not ${SECAGG.shareMasks} residues`);
  }
  return residues;
}

/** What the test says of a round's uploads. */
export interface SharingVerdict {
  /** Uploads whose shares are those of one secret, as far as the answers tell. */
  readonly sound: readonly Hex[];
  /** Left out of the set. */
  readonly refused: readonly Hex[];
  /** Key-holders whose word counts for nothing: more than half of the shares did not open for them, so their key is the fault. */
  readonly disregarded: readonly number[];
  /**
   * True when more than half of the uploads fail, or so many that the rest is no cohort: a key-holder is the likelier liar,
   * nobody is left out, and the opening tells.
   */
  readonly undecided: boolean;
}

/**
 * @param points per dealer, what each answering key-holder said of its upload
 * @param least the smallest set that may be fixed
 */
export function judgeSharings(
  points: ReadonlyMap<Hex, readonly TestPoint[]>,
  threshold: number,
  least: number,
): SharingVerdict {
  const dealers = [...points.keys()];
  const disregarded = unableToOpen([...points.values()]);
  const refused = dealers.filter((dealer) => {
    const heard = (points.get(dealer) ?? []).filter(({ index }) => !disregarded.includes(index));
    return !sharingHolds(heard, threshold);
  });
  const undecided = 2 * refused.length > dealers.length || dealers.length - refused.length < least;
  if (undecided) return { sound: dealers, refused: [], disregarded, undecided };
  return { sound: dealers.filter((dealer) => !refused.includes(dealer)), refused, disregarded, undecided };
}

function unableToOpen(uploads: readonly (readonly TestPoint[])[]): readonly number[] {
  const all = uploads.flat();
  const indices = [...new Set(all.map(({ index }) => index))].sort((a, b) => a - b);
  return indices.filter((index) => {
    const own = all.filter((point) => point.index === index);
    return 2 * own.filter(({ value }) => value === undefined).length > own.length;
  });
}
