// The rounds that the vectors of secure aggregation are made of: one for each packing. All randomness is SHAKE256 of a label.
import { type Hex, sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';
import { type PackingProfile, packingProfile } from '../../protocol/secagg/packing.ts';
import { addressOf, randomWords, streamOf } from '../unit/secagg-fixtures.ts';

const COMMON = {
  chainId: 31337,
  ledger: addressOf('vector ledger'),
  round: 7,
  attempt: 2,
  seed: toHex(sha256(utf8ToBytes('vector seed'))),
  holders: 4,
  threshold: 3,
  dealers: ['vector dealer 0', 'vector dealer 1', 'vector dealer 2'].map(addressOf).sort(),
};

export interface VectorRound extends Readonly<typeof COMMON> {
  readonly packing: PackingProfile;
  readonly valueCount: number;
}

/** Two blocks each, the second nearly empty. */
export const VECTOR_ROUNDS: readonly VectorRound[] = [
  { ...COMMON, packing: packingProfile('3x26', 16), valueCount: 12_300 },
  { ...COMMON, packing: packingProfile('4x19', 16), valueCount: 16_390 },
  { ...COMMON, packing: packingProfile('5x15', 12), valueCount: 20_501 },
];

/** The 32-byte seed of a key-holder's X-Wing key. */
export function vectorKeySeed(index: number): Uint8Array {
  const seed = new Uint8Array(32);
  streamOf(`vector key-holder ${index}`)(seed);
  return seed;
}

/** Every dealer's first coefficient is as full as it gets, its second empty; the rest is random. */
export function vectorValues({ packing, valueCount }: VectorRound, dealer: Hex): Uint16Array {
  const most = 2 ** packing.valueBits - 1;
  const values = randomWords(`vector values ${packing.name} ${dealer}`, valueCount).map((word) => word & most);
  return values.fill(most, 0, packing.slots).fill(0, packing.slots, 2 * packing.slots);
}

/**
 * In the order in which a sealer asks: secret, errors block by block, masks of the share, coefficients of the shares'
 * polynomials, an encapsulation seed for each key-holder.
 */
export const vectorStream = ({ packing }: VectorRound, dealer: Hex): FillRandom =>
  streamOf(`vector random ${packing.name} ${dealer}`);
