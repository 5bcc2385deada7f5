// Verification keys that would accept forged proofs are refused; and the forgery they would accept, carried out.
import { bn254 } from '@noble/curves/bn254.js';
import { groth16 } from 'snarkjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { verifyProof } from '../../auditor/proof/verify.ts';
import { BASE_FIELD_ORDER } from '../../engines/proof/base-field.ts';
import { useOneThread } from '../../engines/proof/verify.ts';
import {
  checkVerificationKey,
  hashVerificationKey,
  parseVerificationKey,
  type VerificationKey,
} from '../../protocol/proof/verification-key.ts';
import { OUTSIDE_SUBGROUP } from './proofs.ts';
import { smallArtifacts } from './small-circuit.ts';

let key: VerificationKey;
beforeAll(async () => {
  key = (await smallArtifacts()).verificationKey;
  await useOneThread();
}, 120_000);

const UNSAFE = expect.objectContaining({ code: 'VERIFICATION_KEY_UNSAFE' });
/** Of a phase 2 that nobody contributed to: delta is still gamma, which is the generator. */
const uncontributed = (): VerificationKey => ({ ...key, vk_delta_2: key.vk_gamma_2 });

test('a sound key passes, with or without snarkjs’ precomputed pairing, under one hash', () => {
  const parsed = parseVerificationKey({ ...structuredClone(key), vk_alphabeta_12: [[['1']]] });
  expect(parsed).toEqual(key);
  expect(hashVerificationKey(parsed)).toBe(hashVerificationKey(key));
  expect(checkVerificationKey(key).ic).toHaveLength(key.nPublic + 1);
});

describe('a key whose setup had no contribution', () => {
  test('plain snarkjs accepts A = alpha, B = beta, C = -(public input point) for a statement made up', async () => {
    const statement = Array.from({ length: key.nPublic }, (_, i) => BigInt(1_000 + i));
    const point = ([x = '0', y = '0']: readonly string[]) => bn254.G1.Point.fromAffine({ x: BigInt(x), y: BigInt(y) });
    const inputs = statement.reduce(
      (sum, signal, i) => sum.add(point(key.IC[i + 1] ?? []).multiply(signal)),
      point(key.IC[0] ?? []),
    );
    const { x, y } = inputs.negate().toAffine();
    const forged = {
      ...{ pi_a: key.vk_alpha_1, pi_b: key.vk_beta_2, pi_c: [String(x), String(y), '1'] },
      ...{ protocol: 'groth16', curve: 'bn128' },
    };
    expect(await groth16.verify(uncontributed(), statement.map(String), forged)).toBe(true);
    expect(await groth16.verify(key, statement.map(String), forged)).toBe(false);
  });

  test('is refused, by the check, the parser and the auditor’s verifier', () => {
    expect(() => checkVerificationKey(uncontributed())).toThrow(UNSAFE);
    expect(() => parseVerificationKey(uncontributed())).toThrow(UNSAFE);
    const proof = { a: [1n, 2n], b: OUTSIDE_SUBGROUP, c: [1n, 2n], publicSignals: [] } as const;
    expect(() => verifyProof(uncontributed(), proof)).toThrow(UNSAFE);
  });
});

describe('refused as unsafe', () => {
  const [[x1, x0], [y1, y0]] = OUTSIDE_SUBGROUP;
  const outside: VerificationKey['vk_beta_2'] = [
    [String(x0), String(x1)],
    [String(y0), String(y1)],
    ['1', '0'],
  ];
  const infinity1: VerificationKey['vk_alpha_1'] = ['0', '0', '1'];
  const g1: VerificationKey['vk_alpha_1'] = ['1', '2', '1'];

  test.each<[string, () => VerificationKey]>([
    [
      'delta is the generator though gamma is not',
      () => ({ ...key, vk_gamma_2: key.vk_beta_2, vk_delta_2: key.vk_gamma_2 }),
    ],
    ['beta outside the subgroup', () => ({ ...key, vk_beta_2: outside })],
    ['gamma outside the subgroup', () => ({ ...key, vk_gamma_2: outside })],
    ['delta outside the subgroup', () => ({ ...key, vk_delta_2: outside })],
    ['alpha at infinity', () => ({ ...key, vk_alpha_1: infinity1 })],
    ['alpha off the curve', () => ({ ...key, vk_alpha_1: ['1', '3', '1'] })],
    ['alpha with a coordinate of p + 1', () => ({ ...key, vk_alpha_1: [String(BASE_FIELD_ORDER + 1n), '2', '1'] })],
    ['an IC point at infinity', () => ({ ...key, IC: key.IC.with(1, infinity1) })],
    ['an IC point too few', () => ({ ...key, IC: key.IC.slice(1) })],
    ['an IC point too many', () => ({ ...key, IC: [...key.IC, g1] })],
  ])('%s', (_, spoil) => {
    expect(() => checkVerificationKey(spoil())).toThrow(UNSAFE);
  });
});

test.each<[string, (sound: VerificationKey) => unknown]>([
  ['another protocol', (sound) => ({ ...sound, protocol: 'plonk' })],
  ['a number that is not decimal', (sound) => ({ ...sound, vk_alpha_1: ['0x1', '2', '1'] })],
  ['a field more', (sound) => ({ ...sound, comment: '' })],
  ['a field less', ({ IC: _, ...rest }) => rest],
  ['nothing', () => undefined],
])('malformed: %s', (_, spoil) => {
  expect(() => parseVerificationKey(spoil(key))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }));
});
