// Groth16 verification keys in snarkjs' JSON: parsed strictly, hashed, and refused when they would accept forged proofs.
import { bn254 } from '@noble/curves/bn254.js';
import { z } from 'zod';
import { type Hex, sha256, toHex, utf8ToBytes } from '../bytes.ts';
import { canonicalJson } from '../consent/canonical-json.ts';
import { ConcordatError } from '../errors.ts';
import { type G1Point, type G2Point, readG1, readG2 } from './points.ts';

const decimal = z.string().regex(/^(0|[1-9][0-9]{0,77})$/);
const one = z.literal('1');
/** (x, y, 1): a finite point. */
const g1 = z.tuple([decimal, decimal, one]);
/** Coordinates in Fp² as [real, imaginary]. */
const g2 = z.tuple([z.tuple([decimal, decimal]), z.tuple([decimal, decimal]), z.tuple([one, z.literal('0')])]);

const schema = z.strictObject({
  protocol: z.literal('groth16'),
  curve: z.literal('bn128'),
  nPublic: z.int().min(1),
  vk_alpha_1: g1,
  vk_beta_2: g2,
  vk_gamma_2: g2,
  vk_delta_2: g2,
  IC: z.array(g1),
});

/** What a verifier needs, as snarkjs writes it, without the precomputed pairing (which a reader would have to trust). */
export type VerificationKey = z.output<typeof schema>;

/** The key's points, checked. */
export interface VerificationPoints {
  readonly alpha: G1Point;
  readonly beta: G2Point;
  readonly gamma: G2Point;
  readonly delta: G2Point;
  readonly ic: readonly G1Point[];
}

/** @throws ConcordatError MESSAGE_MALFORMED for another shape, VERIFICATION_KEY_UNSAFE as `checkVerificationKey` */
export function parseVerificationKey(json: unknown): VerificationKey {
  const { vk_alphabeta_12: _precomputed, ...rest } = typeof json === 'object' && json !== null ? asRecord(json) : {};
  const parsed = schema.safeParse(rest);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConcordatError('MESSAGE_MALFORMED', `verification key: ${issue?.path.join('.')} ${issue?.message}`);
  }
  checkVerificationKey(parsed.data);
  return parsed.data;
}

const asRecord = (value: object): Record<string, unknown> => ({ ...value });

/** sha256 of the key's canonical JSON (RFC 8785). On chain: `Federation.parameters().verificationKeyHash`. */
export function hashVerificationKey(key: VerificationKey): Hex {
  return toHex(sha256(utf8ToBytes(canonicalJson(key))));
}

/**
 * Refuses keys under which forging is easy, and points that are not what they should be.
 *
 * A key without a phase-2 contribution has delta = gamma: then A = alpha, B = beta, C = -(public input point) verifies for
 * any public input (this emptied FoomCash and Veil Cash in 2026). delta = the generator is the same mistake in keys whose
 * gamma is not 1.
 * @throws ConcordatError VERIFICATION_KEY_UNSAFE
 */
export function checkVerificationKey(key: VerificationKey): VerificationPoints {
  const unsafe = (detail: string): never => {
    throw new ConcordatError('VERIFICATION_KEY_UNSAFE', detail);
  };
  if (key.IC.length !== key.nPublic + 1) unsafe(`${key.IC.length} IC points for ${key.nPublic} public signals`);
  const g1At = (name: string, point: readonly string[]): G1Point =>
    readG1(point.map(BigInt)) ?? unsafe(`${name} is not a finite point of G1`);
  const g2At = (name: string, point: readonly (readonly string[])[]): G2Point =>
    readG2(point.map((coordinate) => coordinate.map(BigInt))) ?? unsafe(`${name} is not a finite point of G2`);
  const points = {
    alpha: g1At('alpha', key.vk_alpha_1),
    beta: g2At('beta', key.vk_beta_2),
    gamma: g2At('gamma', key.vk_gamma_2),
    delta: g2At('delta', key.vk_delta_2),
    ic: key.IC.map((point, i) => g1At(`IC[${i}]`, point)),
  };
  if (points.delta.equals(points.gamma)) unsafe('delta equals gamma: the key has had no contribution');
  if (points.delta.equals(bn254.G2.Point.BASE)) unsafe('delta is the generator: the key has had no contribution');
  return points;
}
