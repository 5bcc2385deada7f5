// Values into slots, and sums out of them: a profile that cannot overflow, or none.
import { ConcordatError } from '../errors.ts';
import { SECAGG } from '../params.ts';
import { RING_DEGREE } from './block.ts';

/** How a coefficient's 78 bits are cut: `slots` of `slotBits` each, the last one taking what is left over. */
export interface Packing {
  readonly slots: number;
  readonly slotBits: number;
}

/** slots × slotBits. */
export const PACKING_NAMES = ['3x26', '4x19', '5x15'] as const;
export type PackingName = (typeof PACKING_NAMES)[number];

/** Value j of a block is coefficient floor(j/slots), slot j mod slots: m = Σ v_i · 2^(slotBits·i). */
export interface PackingProfile extends Packing {
  readonly name: PackingName;
  /** A dealer's value is below 2^valueBits. */
  readonly valueBits: number;
  /** Most dealers that one sum may hold. */
  readonly maxDealers: number;
  readonly valuesPerBlock: number;
}

/** Below this a sum could not hold the smallest cohort, above it a value does not fit its 16-bit array. */
function isValueBits(valueBits: number): boolean {
  return Number.isInteger(valueBits) && valueBits >= 1 && valueBits <= SECAGG.maxValueBits;
}

/**
 * Proves the bound once, so that nothing has to be checked per slot: maxDealers·(2^valueBits − 1) < 2^slotBits.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when a sum of even the smallest cohort could run into the next slot
 */
export function packingProfile(name: PackingName, valueBits: number): PackingProfile {
  const packing = SECAGG.packings.find((candidate) => candidate.name === name);
  if (packing === undefined || !isValueBits(valueBits)) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `no packing ${name} of ${valueBits}-bit values`, { valueBits });
  }
  const { slots, slotBits } = packing;
  const maxDealers = Math.min(SECAGG.maxDealers, Math.floor((2 ** slotBits - 1) / (2 ** valueBits - 1)));
  if (maxDealers < SECAGG.minCohort) {
    throw new ConcordatError(
      'VALUE_OUT_OF_RANGE',
      `a slot of ${slotBits} bits holds the sum of ${maxDealers} ${valueBits}-bit values, a cohort has ${SECAGG.minCohort}`,
      { maxDealers, valueBits },
    );
  }
  return { name, slots, slotBits, valueBits, maxDealers, valuesPerBlock: slots * RING_DEGREE };
}

/**
 * The densest packing that the sum of so many dealers fits.
 * @throws ConcordatError VALUE_OUT_OF_RANGE when none does
 */
export function choosePacking(dealers: number, valueBits: number): PackingName {
  const fits = [...PACKING_NAMES]
    .reverse()
    .find((name) => isValueBits(valueBits) && holds(name, valueBits) >= Math.max(dealers, SECAGG.minCohort));
  if (fits !== undefined && dealers >= 1) return fits;
  throw new ConcordatError('VALUE_OUT_OF_RANGE', `no packing holds the sum of ${dealers} ${valueBits}-bit values`, {
    dealers,
    valueBits,
  });
}

function holds(name: PackingName, valueBits: number): number {
  try {
    return packingProfile(name, valueBits).maxDealers;
  } catch {
    return 0;
  }
}

/** @throws ConcordatError VALUE_OUT_OF_RANGE, naming the packing that would do */
export function requireFits(dealers: number, { name, maxDealers, valueBits }: PackingProfile): void {
  if (Number.isInteger(dealers) && dealers >= 1 && dealers <= maxDealers) return;
  throw new ConcordatError(
    'VALUE_OUT_OF_RANGE',
    `packing ${name} holds the sum of ${maxDealers} ${valueBits}-bit values, not of ${dealers}`,
    { dealers, maxDealers, valueBits },
  );
}

/** Blocks that `valueCount` values need; at least one. */
export function blocksFor(valueCount: number, { valuesPerBlock }: PackingProfile): number {
  if (!Number.isSafeInteger(valueCount) || valueCount < 1) {
    throw new ConcordatError('VALUE_OUT_OF_RANGE', `${valueCount} values cannot be packed`, { valueCount });
  }
  return Math.ceil(valueCount / valuesPerBlock);
}

/** @throws ConcordatError VALUE_OUT_OF_RANGE with the index of the first value that is not an integer in [0, 2^valueBits) */
export function checkValues(values: ArrayLike<number>, { valueBits }: PackingProfile): void {
  const end = 2 ** valueBits;
  for (let j = 0; j < values.length; j++) {
    const value = values[j] ?? Number.NaN;
    if (!(value >= 0 && value < end && Number.isInteger(value))) {
      throw new ConcordatError('VALUE_OUT_OF_RANGE', `value ${j} is ${value}, not an integer in [0, ${end})`, {
        index: j,
      });
    }
  }
}

/**
 * Checks a dealer's values and pads them with zeros to whole blocks.
 * @throws ConcordatError VALUE_OUT_OF_RANGE as checkValues
 */
export function packValues(values: ArrayLike<number>, profile: PackingProfile): Uint16Array {
  checkValues(values, profile);
  const packed = new Uint16Array(blocksFor(values.length, profile) * profile.valuesPerBlock);
  packed.set(values as Uint16Array);
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
  requireFits(dealers, profile);
  const most = dealers * (2 ** profile.valueBits - 1);
  for (let j = 0; j < slots.length; j++) {
    const sum = slots[j] ?? 0;
    if (sum > (j < valueCount ? most : 0)) {
      throw new ConcordatError(
        'VALUE_OUT_OF_RANGE',
        `slot ${j} of the sum is ${sum}: a dealer packed beyond its slot`,
        { index: j },
      );
    }
  }
  return slots.subarray(0, valueCount);
}
