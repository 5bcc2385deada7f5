// Values into slots, and sums out of them: a profile that cannot overflow, or none.
import { ConcordatError } from '../errors.ts';
import { SECAGG } from '../params.ts';
import { VALUES_PER_BLOCK } from './block.ts';

export interface PackingProfile {
  /** A dealer's value is below 2^valueBits. */
  readonly valueBits: number;
  /** Most dealers that one sum may hold. */
  readonly maxDealers: number;
}

/**
 * Proves the bound once, so that nothing has to be checked per slot: maxDealers·(2^valueBits − 1) < 2^slotBits.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when a sum could run into the next slot
 */
export function createPackingProfile(
  maxDealers: number = SECAGG.maxDealers,
  valueBits: number = SECAGG.valueBits,
): PackingProfile {
  const fits =
    Number.isInteger(maxDealers) && maxDealers >= 1 && Number.isInteger(valueBits) && valueBits >= 1 && valueBits <= 16;
  if (!fits || maxDealers * (2 ** valueBits - 1) >= 2 ** SECAGG.slotBits) {
    throw new ConcordatError(
      'VALUE_OUT_OF_RANGE',
      `${maxDealers} dealers of ${valueBits}-bit values do not fit a slot of ${SECAGG.slotBits} bits`,
      { maxDealers, valueBits },
    );
  }
  return { maxDealers, valueBits };
}

/** Blocks that `valueCount` values need; at least one. */
export function blocksFor(valueCount: number): number {
  if (!Number.isSafeInteger(valueCount) || valueCount < 1) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `${valueCount} values cannot be packed`, { valueCount });
  }
  return Math.ceil(valueCount / VALUES_PER_BLOCK);
}

/**
 * A dealer's values, padded with zeros to whole blocks (slot order is value order: coefficient floor(j/3), slot j mod 3).
 * @throws ConcordatError VALUE_OUT_OF_RANGE with the index of the first value that is not an integer in [0, 2^valueBits)
 */
export function packValues(values: ArrayLike<number>, profile: PackingProfile): Uint16Array {
  const packed = new Uint16Array(blocksFor(values.length) * VALUES_PER_BLOCK);
  const end = 2 ** profile.valueBits;
  for (let j = 0; j < values.length; j++) {
    const value = values[j] ?? Number.NaN;
    if (!(value >= 0 && value < end && Number.isInteger(value))) {
      throw new ConcordatError('VALUE_OUT_OF_RANGE', `value ${j} is ${value}, not an integer in [0, ${end})`, {
        index: j,
      });
    }
    packed[j] = value;
  }
  return packed;
}

/**
 * The sums of the values, without the padding.
 * Honest slots hold at most dealers·(2^valueBits − 1), and padding holds 0: anything else was packed beyond a slot.
 * @throws ConcordatError VALUE_OUT_OF_RANGE with the place
 */
export function unpackSums(
  slots: Uint32Array,
  valueCount: number,
  dealers: number,
  profile: PackingProfile,
): Uint32Array {
  if (dealers < 1 || dealers > profile.maxDealers) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `${dealers} dealers; the profile allows ${profile.maxDealers}`);
  }
  const most = dealers * (2 ** profile.valueBits - 1);
  for (let j = 0; j < slots.length; j++) {
    const sum = slots[j] ?? 0;
    if (sum > (j < valueCount ? most : 0)) {
      throw new ConcordatError(
        'VALUE_OUT_OF_RANGE',
        `slot ${j} of the sum is ${sum}: a dealer packed beyond its slot`,
        {
          index: j,
        },
      );
    }
  }
  return slots.subarray(0, valueCount);
}
