// What each feature map of a data contract makes of a cell. Column order within a map is part of the model's layout.
import { concatBytes, sha256, utf8ToBytes } from '../bytes.ts';
import type { FeatureMap } from './contract-schema.ts';

export type Cell = string | number;

/** One map of one field, ready to run. */
export interface MappedField {
  readonly field: string;
  /** Columns it fills. */
  readonly width: number;
  readonly names: () => string[];
  /** Writes a cell's columns from `at` on; they hold 0 before. */
  readonly write: (cell: Cell, out: Float32Array, at: number) => void;
}

/** Columns of a map, without making them. */
export function mapWidth(map: FeatureMap): number {
  switch (map.map) {
    case 'one-hot':
      return map.values.length;
    case 'bands':
      return map.edges.length + 1;
    case 'hashed':
      return map.buckets;
    default:
      return 1;
  }
}

export function fitsType(map: FeatureMap, type: 'string' | 'integer' | 'number'): boolean {
  switch (map.map) {
    case 'one-hot':
      return map.values.some((value) => typeof value === 'string') === (type === 'string');
    case 'hashed':
      return type !== 'number'; // codes: a measured number has no two rows alike
    default:
      return type !== 'string';
  }
}

export function mapField(field: string, map: FeatureMap): MappedField {
  const width = mapWidth(map);
  const single = (name: string, of: (value: number) => number): MappedField => ({
    field,
    width,
    names: () => [name],
    write: (cell, out, at) => {
      out[at] = of(Number(cell));
    },
  });
  switch (map.map) {
    case 'scaled': {
      const { minimum, maximum, centre, scale } = map;
      return single(field, (value) => (clamp(value, minimum, maximum) - centre) / scale);
    }
    case 'capped-scaled':
      return single(field, (value) => Math.min(value, map.cap) / map.scale);
    case 'at-least':
      return single(`${field}>=${map.threshold}`, (value) => (value >= map.threshold ? map.weight : 0));
    case 'one-hot':
      return {
        field,
        width,
        names: () => map.values.map((value) => `${field}=${value}`),
        write: (cell, out, at) =>
          map.values.forEach((value, i) => {
            if (cell === value) out[at + i] = map.weight;
          }),
      };
    case 'bands':
      return {
        field,
        width,
        names: () => bandNames(field, map.edges),
        write: (cell, out, at) => {
          if (!Number.isNaN(Number(cell))) out[at + bandOf(Number(cell), map.edges)] = map.weight;
        },
      };
    case 'hashed':
      return {
        field,
        width,
        names: () => Array.from({ length: width }, (_, i) => `${field}#${i}`),
        write: (cell, out, at) => {
          const { bucket, sign } = hashCode(map.salt, field, cell, map.buckets);
          out[at + bucket] = map.signed ? sign * map.weight : map.weight;
        },
      };
  }
}

const clamp = (value: number, minimum = -Infinity, maximum = Infinity): number =>
  Math.min(Math.max(value, minimum), maximum);

/** How many edges the value has reached: an edge belongs to the band above it. */
const bandOf = (value: number, edges: readonly number[]): number => edges.filter((edge) => value >= edge).length;

function bandNames(field: string, edges: readonly number[]): string[] {
  return [...edges, undefined].map((end, i) => {
    const start = edges[i - 1];
    if (start === undefined) return `${field}<${end}`;
    return end === undefined ? `${field}>=${start}` : `${start}<=${field}<${end}`;
  });
}

const HASHED_TAG = 'concordat/1/hashed';

/** docs/spec/01-encodings.md, "Hashed features": neither salt nor field name holds a zero byte, so the parts cannot run together. */
export function hashCode(salt: string, field: string, cell: Cell, buckets: number): { bucket: number; sign: 1 | -1 } {
  const text = [HASHED_TAG, salt, field, String(cell)].map(utf8ToBytes);
  const zero = new Uint8Array(1);
  const digest = sha256(concatBytes(...text.flatMap((part, i) => (i === 0 ? [part] : [zero, part]))));
  const word = new DataView(digest.buffer, digest.byteOffset).getUint32(0);
  return { bucket: word % buckets, sign: ((digest[4] ?? 0) & 1) === 1 ? -1 : 1 };
}
