// A constraint system against one witness: which rows fail, and which wires the constraints leave free around it.

import { modInverse } from '../../engines/proof/modular.ts';
import { readR1cs } from '../../engines/proof/r1cs.ts';
import { readScalar, SCALAR_BYTES } from '../../engines/proof/scalar-bytes.ts';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';

/** Wire to coefficient. */
type Row = Map<number, bigint>;

const reduce = (value: bigint): bigint => ((value % FIELD_ORDER) + FIELD_ORDER) % FIELD_ORDER;

function addTo(row: Row, wire: number, value: bigint): void {
  const sum = reduce((row.get(wire) ?? 0n) + value);
  if (sum === 0n) row.delete(wire);
  else row.set(wire, sum);
}

/** The linear combinations a, b, c of every constraint a·b = c. */
function readRows(r1csFile: Uint8Array): [Row, Row, Row][] {
  const rows: [Row, Row, Row][] = [];
  readR1cs(r1csFile).forEach((constraint, side, wire, coefficient) => {
    rows[constraint] ??= [new Map(), new Map(), new Map()];
    addTo(rows[constraint][side], wire, coefficient);
  });
  return rows;
}

interface LocalReport {
  /** Constraints the witness breaks. */
  readonly broken: number;
  /** Dimensions in which it can move, to first order, with all inputs held and no constraint noticing. */
  readonly freeDimensions: number;
}

/**
 * Linearises every constraint at the witness, holds constant and inputs, and counts the unknowns beyond the rank. 0 means that
 * the inputs determine the witness locally. A double root (d² = 0) shows as free although it is not; a discrete freedom
 * (a missing range check) does not show: hence the hint mutants beside it.
 */
export function checkLocally(r1csFile: Uint8Array, witness: Uint8Array): LocalReport {
  const r1cs = readR1cs(r1csFile);
  const view = new DataView(witness.buffer, witness.byteOffset, witness.byteLength);
  const values = Array.from({ length: r1cs.wires }, (_, wire) => readScalar(view, wire * SCALAR_BYTES));
  const evaluate = (row: Row): bigint =>
    [...row].reduce((sum, [wire, coefficient]) => reduce(sum + coefficient * (values[wire] ?? 0n)), 0n);

  const held = 1 + r1cs.publicSignals + r1cs.privateInputs;
  let broken = 0;
  const gradients: Row[] = [];
  for (const [a, b, c] of readRows(r1csFile)) {
    const [valueA, valueB] = [evaluate(a), evaluate(b)];
    if (reduce(valueA * valueB - evaluate(c)) !== 0n) broken++;
    const gradient: Row = new Map();
    const add = (row: Row, factor: bigint): void => {
      for (const [wire, coefficient] of row) if (wire >= held) addTo(gradient, wire, coefficient * factor);
    };
    add(a, valueB);
    add(b, valueA);
    add(c, FIELD_ORDER - 1n);
    gradients.push(gradient);
  }
  return { broken, freeDimensions: r1cs.wires - held - rankOf(gradients) };
}

/** Gaussian elimination, short rows first: most fix one wire by themselves. */
function rankOf(rows: readonly Row[]): number {
  const pivots = new Map<number, Row>();
  for (const row of [...rows].sort((a, b) => a.size - b.size)) {
    const rest = new Map(row);
    for (let wire = leastOf(rest); wire !== undefined; wire = leastOf(rest)) {
      const value = rest.get(wire) ?? 0n;
      const pivot = pivots.get(wire);
      if (pivot === undefined) {
        const scale = modInverse(value, FIELD_ORDER) ?? 0n;
        pivots.set(wire, new Map([...rest].map(([other, coefficient]) => [other, reduce(coefficient * scale)])));
        break;
      }
      for (const [other, coefficient] of pivot) addTo(rest, other, -value * coefficient);
    }
  }
  return pivots.size;
}

function leastOf(row: Row): number | undefined {
  let least: number | undefined;
  for (const wire of row.keys()) if (least === undefined || wire < least) least = wire;
  return least;
}
