// From a place to the source that reads it. Database drivers are loaded only by a dealer that has a database.
import { createCsvSource } from './csv.ts';
import { parsePlace, type RecordsPlace } from './place.ts';
import type { RecordSource } from './source.ts';

/** @throws ConcordatError RECORDS_UNREADABLE */
export async function openSource(written: RecordsPlace): Promise<RecordSource> {
  const place = parsePlace(written);
  switch (place.kind) {
    case 'csv':
      return createCsvSource(place.file);
    case 'parquet':
      return (await import('./duckdb.ts')).createParquetSource(place.file);
    case 'duckdb':
      return (await import('./duckdb.ts')).createDuckDbSource(place.file, place.table);
    case 'postgres':
      return (await import('./postgres.ts')).createPostgresSource(place.server, place.table, written.passwords);
  }
}
