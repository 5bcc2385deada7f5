// A small part of the example's customers: fewer policies and so fewer proofs, which are most of the time that a start takes.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { COIL2000 } from '../../examples/simulation/load.ts';

/** @returns the file, in `dir`, that `--data` takes */
export async function fewCustomers(dir: string, count: { readonly train: number; readonly test: number }) {
  const [head = '', ...rows] = gunzipSync(await readFile(join(COIL2000, 'coil2000.csv.gz')))
    .toString('utf8')
    .split('\n');
  const of = (split: 'train' | 'test') => rows.filter((row) => row.split(',')[1] === split).slice(0, count[split]);
  const file = join(dir, 'few.csv');
  await writeFile(file, [head, ...of('train'), ...of('test')].join('\n'));
  return file;
}
