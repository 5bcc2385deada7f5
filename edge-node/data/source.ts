// What every kind of record store looks like from the gate's side: texts by field name, all of them or none.
import type { DataContract } from '../../protocol/learning/data-contract.ts';

/** One record as a CSV file would hold it, by field name. An empty or missing cell has no text. */
export type Cells = Readonly<Record<string, string>>;

export interface RecordSource {
  /** Where the records are, for people. Holds no secret. */
  readonly name: string;
  /** Whether a fault may show the cell that it found (never that of a field that identifies): only in a file of the dealer's own. */
  readonly showsCells: boolean;
  /**
   * Every record of one moment. A source that fails half-way throws, and gives nothing.
   * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, RECORDS_UNREADABLE, DATA_BREAKS_CONTRACT
   */
  read(contract: DataContract): Promise<readonly Cells[]>;
}
