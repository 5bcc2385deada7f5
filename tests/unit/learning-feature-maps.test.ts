// Feature maps by hand-made contracts: bands, hashed codes and bounded scaling, at their edges; and what is refused.
import { describe, expect, test } from 'vitest';
import { ConcordatError } from '../../protocol/errors.ts';
import { type DataContract, parseDataContract } from '../../protocol/learning/data-contract.ts';
import { hashCode } from '../../protocol/learning/feature-maps.ts';
import { featureCount, featureNames, featurise } from '../../protocol/learning/features.ts';

type Type = 'string' | 'integer' | 'number';

const property = (name: string, logicalType: Type, role: string, features?: readonly unknown[]) => ({
  name,
  logicalType,
  required: true,
  ...(role === 'id' && { unique: true }),
  ...(role === 'label' && { logicalTypeOptions: { minimum: 0, maximum: 1 } }),
  customProperties: [
    { property: 'fieldClass', value: role === 'id' ? 'identity' : 'vehicle' },
    { property: 'role', value: role },
    ...(features ? [{ property: 'features', value: features }] : []),
  ],
});

/** A contract with one feature field `x`. */
const contractOf = (logicalType: Type, ...maps: readonly unknown[]): DataContract =>
  parseDataContract(documentOf([property('x', logicalType, 'feature', maps)]));

const documentOf = (features: readonly unknown[]): string =>
  JSON.stringify({
    apiVersion: 'v3.1.0',
    kind: 'DataContract',
    id: 'urn:test',
    version: '1.0.0',
    status: 'draft',
    schema: [
      {
        name: 'rows',
        logicalType: 'object',
        properties: [property('id', 'string', 'id'), ...features, property('y', 'integer', 'label')],
      },
    ],
  });

const columns = (contract: DataContract, x: string | number): number[] => [
  ...featurise(contract, { id: 'a', x, y: 0 }),
];

const refusal = (logicalType: Type, ...maps: readonly unknown[]): string =>
  refusalOf(() => contractOf(logicalType, ...maps));

function refusalOf(parse: () => DataContract): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'CONTRACT_INVALID') return error.detail;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('bands', () => {
  const bands = contractOf('number', { map: 'bands', edges: [-1, 0, 12.5], weight: 2 });

  test('one column per band, open at both ends, an edge in the band above it', () => {
    expect(featureNames(bands)).toEqual(['x<-1', '-1<=x<0', '0<=x<12.5', 'x>=12.5']);
    const at = (x: number) => columns(bands, x).indexOf(2);
    expect([-1e300, -1.0000001, -1, -0.1, 0, -0, 12.499, 12.5, 1e300].map(at)).toEqual([0, 0, 1, 1, 2, 2, 2, 3, 3]);
    expect(columns(bands, 0)).toEqual([0, 0, 2, 0]);
  });

  test.each([
    ['edges that fall', [1, 0]],
    ['an edge named twice', [0, 0]],
    ['no edge', []],
    ['too many edges', Array.from({ length: 201 }, (_, i) => i)],
  ])('refuses %s', (_, edges) => {
    expect(refusal('number', { map: 'bands', edges, weight: 1 })).toContain('edges');
  });

  test('refuses text', () => {
    expect(refusal('string', { map: 'bands', edges: [1], weight: 1 })).toContain('bands does not fit type string');
  });
});

describe('hashed', () => {
  const hashed = { map: 'hashed', buckets: 16, salt: 's1', weight: 0.5 };

  test('takes any code, listed nowhere, to one column; two spellings are two codes', () => {
    const contract = contractOf('string', hashed);
    expect(featureCount(contract)).toBe(16);
    expect(featureNames(contract)[15]).toBe('x#15');
    for (const code of ['Opel', 'opel', 'Škoda', '', 'a,b']) {
      const found = columns(contract, code);
      expect(found.filter((value) => value !== 0)).toEqual([0.5]);
      expect(found[hashCode('s1', 'x', code, 16).bucket]).toBe(0.5);
    }
  });

  test('signed: about half of the codes get minus the weight, in the same bucket', () => {
    const [plain, signed] = [contractOf('integer', hashed), contractOf('integer', { ...hashed, signed: true })];
    let negative = 0;
    for (let code = 0; code < 1_000; code++) {
      const found = columns(signed, code);
      expect(found.map(Math.abs)).toEqual(columns(plain, code));
      if (found.includes(-0.5)) negative++;
    }
    expect(Math.abs(negative - 500)).toBeLessThan(80); // five standard deviations
  });

  test('fills its buckets evenly: chi-squared over 64 buckets of 6,400 codes', () => {
    const counts = new Array<number>(64).fill(0);
    for (let code = 0; code < 6_400; code++) {
      const { bucket } = hashCode('even', 'x', code, 64);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    const chi = counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
    expect(chi).toBeLessThan(120); // 63 degrees of freedom: beyond this once in 50,000 salts
  });

  test('several maps of a field lie side by side, in the order of the contract', () => {
    const contract = contractOf('integer', { map: 'scaled', centre: 0, scale: 2 }, hashed, {
      map: 'bands',
      edges: [5],
      weight: 1,
    });
    const found = columns(contract, 7);
    expect(found).toHaveLength(1 + 16 + 2);
    expect([found[0], found.slice(17)]).toEqual([3.5, [0, 1]]);
  });

  test.each([
    ['one bucket', { buckets: 1 }, 'buckets'],
    ['too many buckets', { buckets: 4_097 }, 'buckets'],
    ['a salt that could run into the field name', { salt: 'a\u0000b' }, 'salt'],
    ['no salt', { salt: '' }, 'salt'],
    ['a measured number', {}, 'hashed does not fit type number'],
  ])('refuses %s', (name, change, place) => {
    expect(refusal(name === 'a measured number' ? 'number' : 'string', { ...hashed, ...change })).toContain(place);
  });

  test('counts columns before it makes them, and refuses over a million', () => {
    const wide = new Array(20).fill({ ...hashed, buckets: 4_096 });
    expect(featureCount(contractOf('string', ...wide))).toBe(81_920);
    const fields = Array.from({ length: 13 }, (_, i) => property(`x${i}`, 'string', 'feature', wide));
    expect(refusalOf(() => parseDataContract(documentOf(fields)))).toContain('1064960 columns');
  });
});

describe('scaled within bounds', () => {
  const scaled = { map: 'scaled', centre: 10, scale: 5 };

  test('cuts to its bounds before it scales; without bounds nothing changes', () => {
    const contract = contractOf('number', { ...scaled, minimum: 0, maximum: 20 });
    expect([-1e9, -0.001, 0, 10, 20, 20.001, 1e9].map((x) => columns(contract, x)[0])).toEqual([
      -2, -2, -2, 0, 2, 2, 2,
    ]);
    expect(columns(contractOf('number', scaled), 1_000)).toEqual([198]);
    expect(columns(contractOf('number', { ...scaled, maximum: 20 }), -1_000)).toEqual([-202]);
  });

  test('refuses bounds the wrong way round, and bounds that leave one value', () => {
    for (const maximum of [0, -1]) {
      expect(refusal('number', { ...scaled, minimum: 0, maximum })).toContain('must be over minimum');
    }
  });
});
