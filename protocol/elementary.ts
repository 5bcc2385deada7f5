// exp and log from + − × ÷ alone, in a fixed order: the same bits on every processor. ECMA-262 leaves those of Math.exp to the
// engine, and Node on ARM does round them differently from Node on x86: the compiler of its C++ fuses × and + there.
//
// The reductions are fdlibm's (Sun Microsystems, 1993); errors stay within one unit in the last place, three for expm1 (tests/vectors).

const LN2_HIGH = 0.6931471803691238; // 32 bits: a multiple by an exponent is exact
const LN2_LOW = 1.9082149292705877e-10;
const OVERFLOW = 709.782712893384;
const UNDERFLOW = -745.1332191019412;
const SMALLEST_NORMAL = 2 ** -1_022;
const HALF_LN2 = 0.34657359027997264;

/** 1/n!, from 1/13! down to 1/2!: the first term left out is below 2^-57 within half of ln 2. */
const INVERSE_FACTORIALS = [
  1 / 6_227_020_800,
  1 / 479_001_600,
  1 / 39_916_800,
  1 / 3_628_800,
  1 / 362_880,
  1 / 40_320,
  1 / 5_040,
  1 / 720,
  1 / 120,
  1 / 24,
  1 / 6,
  1 / 2,
];

const view = new DataView(new ArrayBuffer(8));

/** For whole n from −1022 to 1023. */
function powerOfTwo(n: number): number {
  view.setUint32(0, (n + 1_023) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
}

/** e^(r + rest) − 1 for |r| up to half of ln 2, and a rest far below it. */
function smallExpm1(r: number, rest: number): number {
  let sum = 0;
  for (const coefficient of INVERSE_FACTORIALS) sum = sum * r + coefficient;
  return r + (r * r * sum + rest);
}

export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > OVERFLOW) return Number.POSITIVE_INFINITY;
  if (x < UNDERFLOW) return 0;
  const k = Math.round(x / (LN2_HIGH + LN2_LOW));
  const [high, low] = [x - k * LN2_HIGH, k * LN2_LOW];
  const r = high - low;
  const half = Math.trunc(k / 2); // in two steps, since 2^1024 is not a number of its own
  return (1 + smallExpm1(r, high - r - low)) * powerOfTwo(half) * powerOfTwo(k - half);
}

/** e^x − 1, also where that is tiny. */
export function expm1(x: number): number {
  if (x === 0) return x;
  return Math.abs(x) <= HALF_LN2 ? smallExpm1(x, 0) : exp(x) - 1;
}

/** 2/(2n+1) from n = 11 down to 1: log((1+s)/(1−s)) = 2s + s·(2s²/3 + 2s⁴/5 + …), s² up to 0.03. */
const INVERSE_ODDS = Array.from({ length: 11 }, (_, i) => 2 / (23 - 2 * i));

/** log(1 + f) + k·ln 2 for 1 + f from √½ to √2, as f less what is left, so that little cancels. */
function smallLog1p(f: number, k: number): number {
  const s = f / (2 + f);
  const z = s * s;
  let sum = 0;
  for (const coefficient of INVERSE_ODDS) sum = (sum + coefficient) * z;
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + sum) + k * LN2_LOW) - f);
}

export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  const subnormal = x < SMALLEST_NORMAL;
  view.setFloat64(0, subnormal ? x * 2 ** 54 : x);
  const high = view.getUint32(0);
  const k = (high >>> 20) - 1_023 - (subnormal ? 54 : 0);
  view.setUint32(0, (high & 0xf_ffff) | (1_023 << 20));
  const mantissa = view.getFloat64(0);
  return mantissa > Math.SQRT2 ? smallLog1p(mantissa / 2 - 1, k + 1) : smallLog1p(mantissa - 1, k);
}

/** log(1 + x), also where x is tiny. */
export function log1p(x: number): number {
  if (x === 0) return x;
  if (x > Math.SQRT1_2 - 1 && x < Math.SQRT2 - 1) return smallLog1p(x, 0);
  const sum = 1 + x;
  // what the sum rounded away; it is nothing beside a log of infinity
  const lost = sum > 1 ? 1 - (sum - x) : x - (sum - 1);
  return sum > 0 && sum < 2 ** 54 ? log(sum) + lost / sum : log(sum);
}
