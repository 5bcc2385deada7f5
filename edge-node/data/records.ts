// The dealer's raw records. Only gate.ts may import this: everything else sees records through consent.
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { LIMITS } from '../../protocol/params.ts';
import { readTable } from './csv.ts';

declare const raw: unique symbol;

/** A record nobody has asked about consent yet. */
export interface RawRecord {
  readonly [raw]: true;
  readonly customerId: string;
  readonly row: Row;
}

/**
 * Loads the dealer's records, in the order of the file. Rows of the hold-out, if the contract marks any, are left out: they
 * are scored elsewhere and never trained on.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, DATA_BREAKS_CONTRACT
 */
export async function loadRecords(file: string, contract: DataContract): Promise<RawRecord[]> {
  const { id, split } = contract;
  const rows = (await readTable(file, contract)).filter((row) => split === undefined || row[split.name] !== 'test');
  if (rows.length > LIMITS.maxRecordsPerDealer) {
    const detail = `${file}: ${rows.length} records, at most ${LIMITS.maxRecordsPerDealer}`;
    throw new ConcordatError('FILE_UNREADABLE', detail, { file });
  }
  return rows.map((row) => ({ customerId: String(row[id.name]), row }) as RawRecord);
}
