// The inputs of the policy circuit determine its whole witness, locally: no constraint is missing to first order.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { Optimisation } from '../../engines/proof/compile.ts';
import { loadWitnessCalculator } from '../../engines/proof/witness.ts';
import { bend, honestSignals } from './claims.ts';
import { checkLocally } from './constraint-system.ts';
import { compiledWith, type Edit, SMALL } from './small-circuit.ts';

async function look(optimisation: Optimisation, edits: readonly Edit[], required0: bigint, required1: bigint) {
  const { r1csFile, wasmFile } = await compiledWith(SMALL, edits, optimisation);
  const calculator = await loadWitnessCalculator(await readFile(wasmFile));
  const signals = bend(honestSignals(), { required0: [0, required0], required1: [0, required1] });
  return checkLocally(await readFile(r1csFile), calculator.calculate(signals));
}

// --O2 is what is proven; --O1 still has the signals that --O2 substitutes away.
describe.each<Optimisation>(['--O1', '--O2'])('%s', (optimisation) => {
  test('with nothing required no wire is free', async () => {
    expect(await look(optimisation, [], 0n, 0n)).toEqual({ broken: 0, freeDimensions: 0 });
  });

  test('a required bit is a double root, d² = 0, and nothing else is free', async () => {
    // Each word's sum ties one of its double roots: 3 required bits look like 2 free ones, 2 like 1, in each slot.
    expect(await look(optimisation, [], 0b10101n, 0b11n)).toEqual({ broken: 0, freeDimensions: SMALL * (2 + 1) });
  });
});

test('the check sees a constraint left out', async () => {
  const booleanity = 'surplus[j] * (surplus[j] - 1 + required[j]) === 0;';
  const fault = { file: 'lib/grants-cover.circom', from: booleanity, to: '' };
  const { freeDimensions } = await look('--O1', [fault], 0n, 0n);
  // 96 bits with one sum, two words, each slot.
  expect(freeDimensions).toBe(95 * 2 * SMALL);
});
