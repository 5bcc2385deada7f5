// Makes telco.csv.gz from the table of R's modeldata package; run by hand, kept so that anyone can check where it comes from:
//   Rscript -e 'write.csv(modeldata::wa_churn, "wa_churn.csv", row.names = FALSE)'
//   npx tsx examples/telco/convert.ts wa_churn.csv examples/telco/telco.csv.gz
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { ConcordatError } from '../../protocol/errors.ts';
import { numpyPermutation } from './permutation.ts';

const SOURCE_COLUMNS = [
  ...['churn', 'female', 'senior_citizen', 'partner', 'dependents', 'tenure', 'phone_service', 'multiple_lines'],
  ...['internet_service', 'online_security', 'online_backup', 'device_protection', 'tech_support', 'streaming_tv'],
  ...['streaming_movies', 'contract', 'paperless_billing', 'payment_method', 'monthly_charges', 'total_charges'],
];

/** Held out are the last 1,409 of numpy.random.RandomState(7).permutation(7043), rows counted from 0. */
const SPLIT_SEED = 7;
const TRAIN_SHARE = 0.8;

const heldOut = (rows: number): ReadonlySet<number> =>
  new Set(numpyPermutation(SPLIT_SEED, rows).subarray(Math.floor(TRAIN_SHARE * rows)));

/** The table as CSV with a header: an id, the split and the segment in front, the label last. */
export function convert(source: string): string {
  const [header = [], ...records]: string[][] = parse(source);
  if (header.join() !== SOURCE_COLUMNS.join()) {
    throw new ConcordatError('FILE_UNREADABLE', 'these are not the columns of modeldata::wa_churn');
  }
  const names = SOURCE_COLUMNS.slice(1);
  const test = heldOut(records.length);
  const lines = records.map((cells, i) => {
    const row = Object.fromEntries(header.map((name, at) => [name, cells[at] ?? '']));
    const id = `T${String(i + 1).padStart(4, '0')}`;
    const split = test.has(i) ? 'test' : 'train';
    const segment = `${row.contract}/${row.internet_service}`;
    const values = names.map((name) => (name === 'total_charges' ? billed(row, i + 1) : row[name]));
    return [id, split, segment, ...values, row.churn === 'Yes' ? 1 : 0].join(',');
  });
  return `${[['customer_id', 'split', 'segment', ...names, 'churn'].join(','), ...lines].join('\n')}\n`;
}

/** 11 customers have no total yet: they joined in this very month (tenure 0), so nothing was billed. */
function billed(row: Readonly<Record<string, string>>, rowNumber: number): string {
  if (row.total_charges !== 'NA') return row.total_charges ?? '';
  if (row.tenure === '0') return '0';
  throw new ConcordatError('FILE_UNREADABLE', `row ${rowNumber}: no total_charges after ${row.tenure} months`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [source = '', target = ''] = process.argv.slice(2);
  writeFileSync(target, gzipSync(convert(readFileSync(source, 'utf8')), { level: 9 }));
}
