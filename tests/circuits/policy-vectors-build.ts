// Builds protocol/vectors/policy.json. Digests come from circomlib's own Poseidon circuit, not from the code under test.
// Rebuild: npx tsx tests/circuits/policy-vectors-build.ts > protocol/vectors/policy.json (only with a new protocol version).
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileCircuit } from '../../engines/proof/compile.ts';
import { readScalar, SCALAR_BYTES } from '../../engines/proof/scalar-bytes.ts';
import { loadWitnessCalculator } from '../../engines/proof/witness.ts';
import { bytesToUint, keccak256, utf8ToBytes } from '../../protocol/bytes.ts';

/** Everything the packing needs, written out once more, by hand, from docs/spec/01-encodings.md. */
const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const TAG = bytesToUint(keccak256(utf8ToBytes('concordat/1/policy'))) % R;
const NO_CAP = 1_048_575;
const bit = (scene: number, fieldClass: number): bigint => 1n << BigInt(16 * scene + fieldClass);
const hex = (value: bigint): string => `0x${value.toString(16)}`;

interface Case {
  readonly name: string;
  readonly grants: bigint;
  readonly conditions: readonly [expiry: number, evidence: 1 | 2, accuracyFloorBps: number, privacyCapMilli: number];
  readonly required: bigint;
  readonly minEvidence: 1 | 2;
  readonly bounds: readonly [validUntil: number, accuracyFloorBps: number, privacyCapMilli: number];
  /** The condition that fails. */
  readonly denied?: 'grants' | 'evidence' | 'expiry' | 'accuracyFloor' | 'privacyCap';
}

const NEED = bit(0, 2) | bit(0, 5) | bit(1, 2) | bit(1, 5);
const FAR = bit(0, 2) | bit(11, 2);
const OPEN: Case['bounds'] = [1_900_000_000, 9_200, 3_000];

const CASES: readonly Case[] = [
  { name: 'exact', grants: NEED, conditions: [...at(OPEN)], required: NEED, minEvidence: 2, bounds: OPEN },
  {
    ...{
      name: 'everything granted, no cap, no floor',
      grants: (1n << 192n) - 1n,
      conditions: [2_000_000_000, 2, 0, NO_CAP],
    },
    ...{ required: NEED, minEvidence: 2, bounds: OPEN },
  },
  {
    name: 'bits on both sides of the word boundary',
    grants: FAR,
    conditions: [...at(OPEN)],
    required: FAR,
    minEvidence: 1,
    bounds: OPEN,
  },
  {
    ...{ name: 'boundary bits 95 and 96', grants: bit(5, 15) | bit(6, 0), conditions: [...at(OPEN)] },
    ...{ required: bit(5, 15) | bit(6, 0), minEvidence: 2, bounds: OPEN },
  },
  { name: 'nothing required', grants: 0n, conditions: [0, 1, 0, 0], required: 0n, minEvidence: 1, bounds: [0, 0, 0] },
  {
    ...{ name: 'widest conditions', grants: (1n << 192n) - 1n, conditions: [2 ** 40 - 1, 2, 16_383, NO_CAP] },
    ...{ required: (1n << 192n) - 1n, minEvidence: 2, bounds: [2 ** 40 - 1, 16_383, NO_CAP] },
  },
  {
    name: 'attested where attested will do',
    grants: NEED,
    conditions: [1_900_000_000, 1, 9_200, 3_000],
    required: NEED,
    minEvidence: 1,
    bounds: OPEN,
  },
  {
    name: 'training row missing',
    grants: NEED & ~bit(0, 5),
    conditions: [...at(OPEN)],
    required: NEED,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'grants',
  },
  {
    name: 'scene 11 missing',
    grants: bit(0, 2),
    conditions: [...at(OPEN)],
    required: FAR,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'grants',
  },
  {
    name: 'attested where a passkey is asked for',
    grants: NEED,
    conditions: [1_900_000_000, 1, 9_200, 3_000],
    required: NEED,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'evidence',
  },
  {
    name: 'one second short',
    grants: NEED,
    conditions: [1_899_999_999, 2, 9_200, 3_000],
    required: NEED,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'expiry',
  },
  {
    name: 'floor one over',
    grants: NEED,
    conditions: [1_900_000_000, 2, 9_201, 3_000],
    required: NEED,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'accuracyFloor',
  },
  {
    name: 'cap one under',
    grants: NEED,
    conditions: [1_900_000_000, 2, 9_200, 2_999],
    required: NEED,
    minEvidence: 2,
    bounds: OPEN,
    denied: 'privacyCap',
  },
];

function at([expiry, floor, cap]: Case['bounds']): Case['conditions'] {
  return [expiry, 2, floor, cap];
}

/** circomlib's Poseidon(5), compiled alone. */
async function circomlibPoseidon(): Promise<(inputs: readonly bigint[]) => bigint> {
  const dir = await mkdtemp(join(tmpdir(), 'concordat-poseidon-'));
  const main = join(dir, 'poseidon5.circom');
  await writeFile(main, 'pragma circom 2.1.9; include "poseidon.circom"; component main = Poseidon(5);\n');
  await mkdir(join(dir, 'out'));
  const { wasmFile } = await compileCircuit(main, join(dir, 'out'));
  const calculator = await loadWitnessCalculator(await readFile(wasmFile));
  return (inputs) => readScalar(new DataView(calculator.calculate({ inputs }).buffer), SCALAR_BYTES);
}

export async function buildPolicyVectors(): Promise<unknown> {
  const poseidon = await circomlibPoseidon();
  const vectors = CASES.map(({ name, grants, conditions, required, minEvidence, bounds, denied }, i) => {
    const [expiry, evidence, accuracyFloorBps, privacyCapMilli] = conditions;
    const [g0, g1] = [grants % 2n ** 96n, grants / 2n ** 96n];
    const cond =
      BigInt(expiry) * 2n ** 36n +
      BigInt(evidence) * 2n ** 34n +
      BigInt(accuracyFloorBps) * 2n ** 20n +
      BigInt(privacyCapMilli);
    const salt = bytesToUint(keccak256(utf8ToBytes(`vector salt ${i}`)).subarray(0, 31));
    return {
      ...{
        name,
        grants: hex(grants),
        conditions: { expiry, evidence, accuracyFloorBps, privacyCapMilli },
        salt: hex(salt),
      },
      ...{ g0: hex(g0), g1: hex(g1), cond: hex(cond), digest: hex(poseidon([TAG, g0, g1, cond, salt])) },
      requirement: { required: hex(required), minEvidence },
      bounds: { validUntil: bounds[0], accuracyFloorBps: bounds[1], privacyCapMilli: bounds[2] },
      outcome: denied === undefined ? 'accepted' : 'denied',
      ...(denied !== undefined && { reason: denied }),
    };
  });
  return {
    about:
      'Policies, their packing and digests, and whether one claim about each is true (docs/spec/01-encodings.md, Consent).',
    tag: hex(TAG),
    vectors,
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify(await buildPolicyVectors(), undefined, 2));
}
