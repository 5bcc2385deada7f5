// The inputs of the policy circuit determine its whole witness, locally: no constraint is missing to first order.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { loadWitnessCalculator } from '../../engines/proof/witness.ts';
import { bend, honestSignals } from './claims.ts';
import { checkLocally } from './constraint-system.ts';
import { compiledWith, type Edit, SMALL } from './small-circuit.ts';

async function look(edits: readonly Edit[], required0: bigint, required1: bigint) {
  const { r1csFile, wasmFile } = await compiledWith(SMALL, edits);
  const calculator = await loadWitnessCalculator(await readFile(wasmFile));
  const signals = bend(honestSignals(), { required0: [0, required0], required1: [0, required1] });
  return checkLocally(await readFile(r1csFile), calculator.calculate(signals));
}

test('with nothing required no wire is free', async () => {
  expect(await look([], 0n, 0n)).toEqual({ broken: 0, freeDimensions: 0 });
});

test('a required bit is a double root, d² = 0, and nothing else is free', async () => {
  // Each word's sum ties one of its double roots: 3 required bits look like 2 free ones, 2 like 1, in each of the slots.
  expect(await look([], 0b10101n, 0b11n)).toEqual({ broken: 0, freeDimensions: SMALL * (2 + 1) });
});

test('the check sees booleanity left out', async () => {
  const fault = {
    file: 'lib/grants-cover.circom',
    from: 'surplus[j] * (surplus[j] - 1 + required[j]) === 0;',
    to: '',
  };
  expect((await look([fault], 0n, 0n)).freeDimensions).toBeGreaterThan(100);
});
