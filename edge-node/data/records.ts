// The dealer's raw records. Only gate.ts may import this: everything else sees records through consent.
import { ConcordatError } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { LIMITS } from '../../protocol/params.ts';
import { readRows } from './rows.ts';
import type { RecordSource } from './source.ts';

declare const raw: unique symbol;

/** A record nobody has asked about consent yet. */
export interface RawRecord {
  readonly [raw]: true;
  readonly customerId: string;
  readonly row: Row;
}

/**
 * Loads the dealer's records, in the order of the source. Rows of the hold-out, if the contract marks any, are left out: they
 * are scored elsewhere and never trained on.
 * @throws ConcordatError FILE_MISSING, FILE_UNREADABLE, RECORDS_UNREADABLE, DATA_BREAKS_CONTRACT
 */
export async function loadRecords(source: RecordSource, contract: DataContract): Promise<RawRecord[]> {
  const { id, split } = contract;
  const rows = (await readRows(source, contract)).filter((row) => split === undefined || row[split.name] !== 'test');
  if (rows.length > LIMITS.maxRecordsPerDealer) {
    throw new ConcordatError('RECORDS_UNREADABLE', `${source.name}: over ${LIMITS.maxRecordsPerDealer} records`);
  }
  return rows.map((row) => ({ customerId: String(row[id.name]), row }) as RawRecord);
}
