// The records of any source as checked rows of their data contract: one reading of a cell, wherever it comes from.
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { type Row, rowFromText, uniqueCheck } from '../../protocol/learning/validate-row.ts';
import type { RecordSource } from './source.ts';

/**
 * Reads a source and checks each record, and what must be unique over all of them.
 * @throws ConcordatError as the source does, and DATA_BREAKS_CONTRACT naming row and field
 */
export async function readRows(source: RecordSource, contract: DataContract): Promise<Row[]> {
  const unique = uniqueCheck(contract);
  const records = await source.read(contract);
  try {
    return records.map((cells, i) => {
      const row = rowFromText(contract, cells, i + 1);
      unique(row, i + 1);
      return row;
    });
  } catch (error) {
    if (source.showsCells || !(error instanceof ConcordatError)) throw error;
    throw withoutCell(error, source.name);
  }
}

/** The same fault without what was found. The first error is left behind, also as a cause: its text holds the cell. */
function withoutCell({ code, fields }: ConcordatError, name: string): ConcordatError {
  const { row, field, expected } = fields;
  return new ConcordatError(code, `${name}: row ${row}, field ${field}: expected ${expected}`, fields);
}
