// From a record to numbers, by the public constants of the data contract alone.
import type { DataContract } from './data-contract.ts';
import { type MappedField, mapField } from './feature-maps.ts';
import type { Labels } from './strategies/strategy.ts';
import { targetsOf } from './target.ts';
import type { Row } from './validate-row.ts';

const compiled = new WeakMap<DataContract, readonly MappedField[]>();

/** In the order of the contract's fields, and of the maps within a field. That order is part of the model's layout. */
function maps(contract: DataContract): readonly MappedField[] {
  const known = compiled.get(contract);
  if (known) return known;
  const made = contract.fields.flatMap(({ name, features }) => features.map((map) => mapField(name, map)));
  compiled.set(contract, made);
  return made;
}

export const featureNames = (contract: DataContract): string[] => maps(contract).flatMap((map) => map.names());

export const featureCount = (contract: DataContract): number =>
  maps(contract).reduce((sum, { width }) => sum + width, 0);

/** One row's features, `featureCount` long. The row must have passed `validateRow`. */
export const featurise = (contract: DataContract, row: Row): Float32Array => featuriseAll(contract, [row]);

/** Features of all rows, row after row: rows × featureCount. */
export function featuriseAll(contract: DataContract, rows: readonly Row[]): Float32Array {
  const all = maps(contract);
  const out = new Float32Array(rows.length * featureCount(contract));
  let at = 0;
  for (const row of rows) {
    for (const { field, width, write } of all) {
      write(row[field] ?? Number.NaN, out, at);
      at += width;
    }
  }
  return out;
}

/** Labels of all rows, as targets: 0 or 1, the place of a class in the enum, or a number scaled to [0, 1]. */
export const labelsOf = (contract: DataContract, rows: readonly Row[]): Labels =>
  targetsOf(
    contract.target,
    rows.map((row) => row[contract.label.name] ?? Number.NaN),
  );
