// From a record to numbers, by the public constants of the data contract alone.
import type { FeatureMap } from './contract-schema.ts';
import type { DataContract } from './data-contract.ts';
import type { Row } from './validate-row.ts';

type Cell = string | number;

interface Column {
  readonly name: string;
  readonly field: string;
  readonly of: (cell: Cell) => number;
}

function columnsOf(field: string, feature: FeatureMap): Column[] {
  switch (feature.map) {
    case 'scaled':
      return [{ name: field, field, of: (cell) => (Number(cell) - feature.centre) / feature.scale }];
    case 'capped-scaled':
      return [{ name: field, field, of: (cell) => Math.min(Number(cell), feature.cap) / feature.scale }];
    case 'one-hot':
      return feature.values.map((value) => ({
        name: `${field}=${value}`,
        field,
        of: (cell) => (cell === value ? feature.weight : 0),
      }));
    case 'at-least':
      return [
        {
          name: `${field}>=${feature.threshold}`,
          field,
          of: (cell) => (Number(cell) >= feature.threshold ? feature.weight : 0),
        },
      ];
  }
}

const compiled = new WeakMap<DataContract, readonly Column[]>();

/** In the order of the contract's fields, and of the maps within a field. That order is part of the model's layout. */
function columns(contract: DataContract): readonly Column[] {
  const known = compiled.get(contract);
  if (known) return known;
  const made = contract.fields.flatMap((field) => field.features.flatMap((feature) => columnsOf(field.name, feature)));
  compiled.set(contract, made);
  return made;
}

export const featureNames = (contract: DataContract): string[] => columns(contract).map((column) => column.name);

export const featureCount = (contract: DataContract): number => columns(contract).length;

/** One row's features, `featureCount` long. The row must have passed `validateRow`. */
export const featurise = (contract: DataContract, row: Row): Float32Array => featuriseAll(contract, [row]);

/** Features of all rows, row after row: rows × featureCount. */
export function featuriseAll(contract: DataContract, rows: readonly Row[]): Float32Array {
  const all = columns(contract);
  const out = new Float32Array(rows.length * all.length);
  let at = 0;
  for (const row of rows) {
    for (const column of all) out[at++] = column.of(row[column.field] ?? Number.NaN);
  }
  return out;
}

/** Labels of all rows, 0 or 1. */
export const labelsOf = (contract: DataContract, rows: readonly Row[]): Uint8Array =>
  Uint8Array.from(rows, (row) => Number(row[contract.label.name]));
