// The example's 343 columns, against a second implementation taken from the codebook rules, row by row.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readTable } from '../../edge-node/data/csv.ts';
import { COIL2000, loadTask } from '../../examples/simulation/load.ts';
import { featureCount, featureNames, featurise, featuriseAll, labelsOf } from '../../protocol/learning/features.ts';

const CENTRES: Readonly<Record<string, number>> = {
  MAANTHUI: 1, MGEMOMV: 2.7, MGEMLEEF: 3, MRELGE: 6, MAUT1: 6, MZFONDS: 6, MOPLLAAG: 5, MHHUUR: 4, MHKOOP: 5, MFWEKIND: 4, MGODPR: 5,
}; // biome-ignore format: a table

/** The research prototype's 'wide' map, by column name. */
function wide(row: Readonly<Record<string, number>>): Map<string, number> {
  const out = new Map<string, number>();
  for (const [name, code] of Object.entries(row)) {
    if (name === 'MOSTYPE' || name === 'MOSHOOFD') {
      for (let v = 1; v <= (name === 'MOSTYPE' ? 41 : 10); v++)
        if (name !== 'MOSTYPE' || v !== 14) out.set(`${name}=${v}`, code === v ? 2 : 0);
    } else if (name.startsWith('M')) out.set(name, (code - (CENTRES[name] ?? 3)) / 2);
    else if (name.startsWith('P')) {
      out.set(name, code / 3);
      for (let v = 1; v <= 7; v++) out.set(`${name}=${v}`, code === v ? 2 : 0);
    } else if (name.startsWith('A')) {
      out.set(name, Math.min(code, 4));
      for (let v = 1; v <= 2; v++) out.set(`${name}=${v}`, code === v ? 2 : 0);
      out.set(`${name}>=3`, code >= 3 ? 2 : 0);
    }
  }
  return out;
}

test('every row of CoIL gives the 343 columns of the prototype, and its label', async () => {
  const { contract } = await loadTask(`${COIL2000}/task.yaml`);
  const rows = await readTable(`${COIL2000}/coil2000.csv.gz`, contract);
  expect(rows).toHaveLength(9_822);
  const names = featureNames(contract);
  expect(names).toHaveLength(343);
  expect(featureCount(contract)).toBe(343);

  const [header = '', ...lines] = gunzipSync(readFileSync(`${COIL2000}/coil2000.csv.gz`))
    .toString()
    .trim()
    .split('\n');
  const columns = header.split(',');
  const labels = labelsOf(contract, rows);
  let wrong = 0;
  let [trainOwners, testOwners] = [0, 0];
  lines.forEach((line, i) => {
    const cells = line.split(',');
    const expected = wide(Object.fromEntries(columns.slice(2, 87).map((name, at) => [name, Number(cells[at + 2])])));
    const row = rows[i];
    const found = row ? featurise(contract, row) : new Float32Array();
    if (expected.size !== 343) wrong++;
    names.forEach((name, at) => {
      if (found[at] !== Math.fround(expected.get(name) ?? Number.NaN)) wrong++;
    });
    if (labels[i] !== Number(cells[87])) wrong++;
    if (cells[1] === 'train') trainOwners += labels[i] ?? 0;
    else testOwners += labels[i] ?? 0;
  });
  expect(wrong).toBe(0);
  expect([trainOwners, testOwners]).toEqual([348, 238]); // the challenge's published counts
});

test('all rows at once are the rows one after the other', async () => {
  const { contract } = await loadTask(`${COIL2000}/task.yaml`);
  const rows = (await readTable(`${COIL2000}/coil2000.csv.gz`, contract)).slice(0, 3);
  const all = featuriseAll(contract, rows);
  rows.forEach((row, i) => {
    expect(all.subarray(i * 343, (i + 1) * 343)).toEqual(featurise(contract, row));
  });
});
