// A whole ceremony with contributors as processes of their own, what its verifier refuses, and the key that comes out.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zKey } from 'snarkjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyProof } from '../../auditor/proof/verify.ts';
import type { ChainClient } from '../../engines/chain/client.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { beginCeremony, contribute, verifyCeremony } from '../../engines/proof/ceremony.ts';
import { finaliseCeremony } from '../../engines/proof/ceremony-finalise.ts';
import {
  appendStep,
  type Ceremony,
  contributorName,
  contributors,
  readCeremony,
  recover,
  transcriptHashes,
} from '../../engines/proof/ceremony-log.ts';
import { createProver } from '../../engines/proof/prove.ts';
import { readSections } from '../../engines/proof/sections.ts';
import { verifyPolicyProof } from '../../engines/proof/verify.ts';
import { FIELD_ORDER } from '../../protocol/consent/policy.ts';
import { parseVerificationKey } from '../../protocol/proof/verification-key.ts';
import {
  ceremonyCommand,
  chainCircuit,
  copyOf,
  editManifest,
  flipByte,
  makePtau,
  type PtauFiles,
  replaceKey,
  SILENT,
} from './ceremony-world.ts';
import { smallArtifacts } from './small-circuit.ts';

const POWER = 6;
const CONSTRAINTS = 60;
const BEACON = '5f'.repeat(32);

let scratch: string;
let circuitsDir: string;
let ptau: PtauFiles;
let dir: string;
/** The folder before anyone contributed. */
let untouched: string;
const published: { readonly hash: string; readonly transcript: string }[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'concordat-ceremony-test-'));
  circuitsDir = await chainCircuit(join(scratch, 'circuits'), CONSTRAINTS);
  ptau = await makePtau(scratch, POWER);
  dir = join(scratch, 'ceremony');
  await beginCeremony({
    dir,
    ptauFile: ptau.prepared,
    circuitsDir,
    progress: SILENT,
    beaconSource: 'block 25,000,000',
  });
  untouched = await copyOf(dir, scratch);
  await contributeAs('Alice');
  await contributeAs('Bob & Co.');
  await contributeAs('Zoë');
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const options = (folder: string) => ({ dir: folder, circuitsDir, progress: SILENT });
const contributeArgs = (name: string) => ['contribute', '--dir', dir, '--circuits-dir', circuitsDir, '--name', name];

async function contributeAs(name: string): Promise<void> {
  if (name.startsWith('Bob')) await dieHalfway(name);
  const entropyFile = join(scratch, 'dice');
  await writeFile(entropyFile, '4 2 6 6 1');
  const json = join(scratch, 'contributed.json');
  const ended = await ceremonyCommand([...contributeArgs(name), '--entropy-file', entropyFile, '--json', json]);
  expect(ended, ended.output).toMatchObject({ code: 0 });
  const said = JSON.parse(await readFile(json, 'utf8')) as (typeof published)[number];
  expect(ended.output).toContain(said.hash);
  published.push(said);
}

/** SIGKILL while the new key is being written. */
async function dieHalfway(name: string): Promise<void> {
  const before = await readFile(join(dir, 'manifest.json'));
  const ended = await ceremonyCommand(contributeArgs(name), { dir: join(dir, 'files'), name: /\.tmp$/ });
  expect(ended.code, ended.output).toBeNull();
  expect(await readFile(join(dir, 'manifest.json'))).toEqual(before);
}

test('three contributors, one of them killed halfway and back again, and anyone can verify it', async () => {
  const json = join(scratch, 'verified.json');
  const ended = await ceremonyCommand(['verify', '--dir', dir, '--circuits-dir', circuitsDir, '--json', json]);
  expect(ended, ended.output).toMatchObject({ code: 0 });
  const { ok, ceremony } = JSON.parse(await readFile(json, 'utf8')) as { ok: boolean; ceremony: Ceremony };
  expect(ok).toBe(true);
  expect(contributors(ceremony)).toEqual(['Alice', 'Bob & Co.', 'Zoë']);
  // the hashes that we read from the key are the ones that snarkjs gave the contributors
  expect(ceremony.steps.slice(1).map((step) => 'hash' in step && step.hash)).toEqual(published.map(({ hash }) => hash));
  // and everyone finds the transcript that they published
  const shown = published.flatMap(({ hash, transcript }) => [hash.slice(0, 32), transcript]);
  for (const text of ['Alice', 'Bob & Co.', 'Zoë', 'contribution 3', ...shown]) {
    expect(ended.output).toContain(text);
  }
});

describe('init refuses powers of tau', () => {
  const begin = (ptauFile: string, circuits = circuitsDir) => {
    const to = join(scratch, 'refused');
    return expect(beginCeremony({ dir: to, ptauFile, circuitsDir: circuits, progress: SILENT })).rejects;
  };
  const damaged = async (damage: (file: string) => Promise<void>): Promise<string> => {
    const file = join(scratch, 'damaged.ptau');
    await writeFile(file, await readFile(ptau.prepared));
    await damage(file);
    return file;
  };
  const unusable = (detail: string) => ({ code: 'PTAU_UNUSABLE', detail: expect.stringContaining(detail) });

  test('with one wrong bit in them', async () => {
    const { length } = await readFile(ptau.prepared);
    await begin(await damaged((file) => flipByte(file, length - 2_000))).toMatchObject(unusable('does not match'));
    expect(await readdir(scratch)).not.toContain('refused');
  });

  test('cut off, not prepared, of another curve, or something else', async () => {
    const { length } = await readFile(ptau.prepared);
    const headerAt = 24;
    await begin(await damaged((file) => truncate(file, length - 1))).toMatchObject(unusable('ends inside section 15'));
    await begin(await damaged((file) => truncate(file, 20))).toMatchObject(unusable('ends too early'));
    await begin(await damaged((file) => flipByte(file, headerAt + 4))).toMatchObject(unusable('not of BN254'));
    await begin(await damaged((file) => flipByte(file, headerAt + 36))).toMatchObject(unusable('section 2 has'));
    await begin(ptau.unprepared).toMatchObject(unusable('not prepared'));
    await begin(join(circuitsDir, 'main', 'policy-claim.circom')).toMatchObject(unusable('not a powers-of-tau file'));
    await begin(join(scratch, 'none.ptau')).toMatchObject({ code: 'FILE_MISSING' });
  });

  test('too small by one constraint', async () => {
    const most = 2 ** POWER - 3; // less a row for the constant and one each for out and y
    const tooMany = await chainCircuit(join(scratch, 'large'), most + 1);
    await begin(ptau.prepared, tooMany).toMatchObject({
      code: 'PTAU_UNUSABLE',
      fields: { power: POWER, needed: POWER + 1 },
    });
  });

  test('and a folder that exists stays as it is', async () => {
    const again = beginCeremony({ dir, ptauFile: ptau.prepared, circuitsDir, progress: SILENT });
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('verify names the step', () => {
  const keyOf = async (folder: string, index: number): Promise<string> =>
    join(folder, 'files', `${(await readCeremony(folder)).steps[index]?.file}.zkey`);
  const withStep = (index: number, change: object) => (ceremony: Ceremony) => ({
    ...ceremony,
    steps: ceremony.steps.map((step, i) => (i === index ? { ...step, ...change } : step)),
  });

  test.each<[string, string, (folder: string) => Promise<void>]>([
    [
      'a byte of a contribution flipped',
      'contribution 2 (Bob & Co.)',
      async (folder) => flipByte(await keyOf(folder, 2), 5_000),
    ],
    ['a key gone', 'contribution 1 (Alice)', async (folder) => rm(await keyOf(folder, 1))],
    [
      'the powers of tau changed',
      'powers of tau',
      async (folder) => flipByte(join(folder, 'files', `${(await readCeremony(folder)).ptau}.ptau`), 9_999),
    ],
    [
      'a contribution dropped from the middle',
      'contribution 2 (Zoë)',
      (folder) => editManifest(folder, (ceremony) => ({ ...ceremony, steps: ceremony.steps.toSpliced(2, 1) })),
    ],
    ['a contributor renamed', 'contribution 1 (Mallory)', (f) => editManifest(f, withStep(1, { name: 'Mallory' }))],
    [
      'another’s hash',
      'contribution 3 (Zoë)',
      (folder) => editManifest(folder, withStep(3, { hash: 'ab'.repeat(64) })),
    ],
    [
      'another name written into the key as well',
      'contribution 2 (Bob & Co.)',
      async (folder) => {
        // its own list agrees with the manifest, the next key's does not
        await replaceKey(folder, 1, (bytes) => bytes.write('Malic', bytes.lastIndexOf('Alice')));
        await editManifest(folder, withStep(1, { name: 'Malic' }));
      },
    ],
    ['the same name twice', 'manifest', (folder) => editManifest(folder, withStep(3, { name: 'Alice' }))],
    [
      'a terminal’s escape in a name',
      'manifest',
      (folder) => editManifest(folder, withStep(3, { name: '\u001b[2JZoë' })),
    ],
    ['a field more', 'manifest', (folder) => editManifest(folder, (ceremony) => ({ ...ceremony, note: '' }))],
    [
      'not canonical',
      'manifest',
      async (folder) => {
        const file = join(folder, 'manifest.json');
        await writeFile(file, (await readFile(file, 'utf8')).replace('{', '{ '));
      },
    ],
    [
      'another circuit',
      'circuit',
      (folder) => editManifest(folder, (ceremony) => ({ ...ceremony, circuit: '0'.repeat(64) })),
    ],
    [
      'other constraints',
      'circuit',
      (folder) => editManifest(folder, (ceremony) => ({ ...ceremony, r1cs: '0'.repeat(64) })),
    ],
    [
      'a key whose points no secret explains, listed under its own hash',
      'contribution 3 (Zoë)',
      (folder) =>
        replaceKey(folder, 3, (bytes) => {
          const at = readSections(bytes, 'zkey').get(8)?.offset ?? 0;
          // one point of C takes the place of another
          bytes.copyWithin(at, at + 64, at + 128);
        }),
    ],
  ])('%s: %s', async (_, step, damage) => {
    const folder = await copyOf(dir, scratch);
    await damage(folder);
    await expect(verifyCeremony(options(folder))).rejects.toMatchObject({
      code: 'CEREMONY_INVALID',
      fields: { step },
    });
  });

  test('on the command line too, with exit code 1', async () => {
    const folder = await copyOf(dir, scratch);
    await flipByte(await keyOf(folder, 3), 4_000);
    const json = join(scratch, 'fault.json');
    const ended = await ceremonyCommand(['verify', '--dir', folder, '--circuits-dir', circuitsDir, '--json', json]);
    expect(ended.code).toBe(1);
    expect(ended.output).toMatch(/CEREMONY_INVALID: contribution 3 \(Zoë\)/);
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ ok: false, step: 'contribution 3 (Zoë)' });
  });
});

test('what no key binds, the source of the beacon, every published transcript binds', async () => {
  const folder = await copyOf(dir, scratch);
  await editManifest(folder, (ceremony) => ({ ...ceremony, beaconSource: 'whatever suits me' }));
  const edited = transcriptHashes(await readCeremony(folder));
  for (const { transcript } of published) expect(edited).not.toContain(transcript);
  expect(transcriptHashes(await readCeremony(dir)).slice(1)).toEqual(published.map(({ transcript }) => transcript));
});

describe('the manifest only grows', () => {
  const step = { kind: 'contribution', name: 'Dora', hash: '1'.repeat(128), file: '2'.repeat(64) } as const;
  const manifestOf = (folder: string) => readFile(join(folder, 'manifest.json'));

  test('of two who worked from the same one, the second must start again', async () => {
    const folder = await copyOf(untouched, scratch);
    const base = await readCeremony(folder);
    await appendStep(folder, base, step);
    const after = await manifestOf(folder);
    const late = appendStep(folder, base, { ...step, name: 'Late' });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await manifestOf(folder)).toEqual(after);
    expect(await readdir(folder)).not.toContain('manifest.next.json');
  });

  test('a finished step that was not put in place before the kill is put in place after it', async () => {
    const folder = await copyOf(untouched, scratch);
    const base = await readCeremony(folder);
    const next = await appendStep(folder, base, step);
    const done = await manifestOf(folder);
    const pending = join(folder, 'manifest.next.json');
    await writeFile(pending, done);
    await editManifest(folder, () => base);
    // somebody else's attempt meets the finished one, and leaves it alone
    const late = appendStep(folder, base, { ...step, name: 'Late' });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT' });
    await recover(folder);
    expect(await readCeremony(folder)).toEqual(next);
    await recover(folder);
    expect(await readdir(folder)).not.toContain('manifest.next.json');
    // one that no longer fits goes, and one that was cut off
    for (const useless of [done, done.subarray(0, -1), '']) {
      await writeFile(pending, useless);
      await recover(folder);
      expect(await readCeremony(folder)).toEqual(next);
      expect(await readdir(folder)).not.toContain('manifest.next.json');
    }
  });

  test('nobody contributes twice under one name', async () => {
    const again = contribute({ ...options(dir), name: 'Zoë' });
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT', fields: { name: 'Zoë' } });
  });

  test.each(['', ' a', 'a ', 'a\nb', '\u202eecilA', 'a'.repeat(49), '-n'])('%j is no name', (name) => {
    expect(contributorName.safeParse(name).success).toBe(false);
  });
});

describe('finalise', () => {
  const artifactsDir = () => join(dir, 'artifacts');
  const finalise = (change: object = {}) =>
    finaliseCeremony({
      ...options(dir),
      ...{ artifactsDir: artifactsDir(), beacon: BEACON, iterationsExp: 10, minContributions: 2 },
      ...change,
    });

  test('refuses without contributions, whatever the minimum, and with fewer than the minimum', async () => {
    const few = expect.objectContaining({ code: 'CEREMONY_INVALID', fields: { step: 'beacon' } });
    await expect(finalise({ dir: untouched, minContributions: 0 })).rejects.toEqual(few);
    await expect(finalise({ minContributions: 4 })).rejects.toEqual(few);
    expect(await readdir(dir)).not.toContain('artifacts');
  });

  test('the key without a contribution is refused by the check of verification keys', async () => {
    const { steps } = await readCeremony(untouched);
    const key = await zKey.exportVerificationKey(join(untouched, 'files', `${steps[0].file}.zkey`));
    expect(() => parseVerificationKey(key)).toThrow(expect.objectContaining({ code: 'VERIFICATION_KEY_UNSAFE' }));
  });

  test('the final key proves, and both verifiers take the proof of the truth only', async () => {
    const { ceremony, artifacts } = await finalise();
    expect(ceremony.steps.at(-1)).toMatchObject({ kind: 'beacon', beacon: BEACON });
    const prepared = await preparePolicyCircuit({ cacheDir: scratch, artifactsDir: artifactsDir(), circuitsDir });
    expect(prepared).toEqual(artifacts);
    expect(prepared).toMatchObject({ setup: 'ceremony', constraints: CONSTRAINTS });
    expect(prepared.verifierSource).toContain('contract Groth16Verifier');

    let out = 3n;
    for (let i = 0; i < CONSTRAINTS; i++) out = (out * out + 5n) % FIELD_ORDER;
    const prover = createProver({ artifacts: prepared });
    const claim = { signals: { x: [3n], y: [5n] }, publicSignals: [out, 5n] };
    const proof = await prover.prove(claim as unknown as Parameters<typeof prover.prove>[0]);
    await prover.stop();
    expect(verifyProof(prepared.verificationKey, proof)).toBe(true);
    const lie = { ...proof, publicSignals: [out, 6n] };
    expect(await verifyPolicyProof(prepared.verificationKey, lie)).toBe(false);
    expect(verifyProof(prepared.verificationKey, lie)).toBe(false);
  });

  test('again, as after a kill before the artefacts were out: the same; with another beacon: refused', async () => {
    const before = await readFile(join(artifactsDir(), 'manifest.json'));
    await rm(artifactsDir(), { recursive: true });
    await finalise();
    expect(await readFile(join(artifactsDir(), 'manifest.json'))).toEqual(before);
    await expect(finalise({ beacon: '60'.repeat(32) })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(contribute({ ...options(dir), name: 'Late' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('artefacts for another circuit, with a wrong byte or by a single operator are refused, and never rebuilt', async () => {
    const load = (from: string, circuits = circuitsDir) =>
      preparePolicyCircuit({ cacheDir: scratch, artifactsDir: from, circuitsDir: circuits });
    const other = await chainCircuit(join(scratch, 'other'), CONSTRAINTS + 1);
    await expect(load(artifactsDir(), other)).rejects.toMatchObject({ code: 'CONFLICT' });
    const damaged = await copyOf(artifactsDir(), scratch);
    await flipByte(join(damaged, 'policy-claim.zkey'), 3_000);
    await expect(load(damaged)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    await expect(load(damaged)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    await expect(load(join(scratch, 'none'))).rejects.toMatchObject({ code: 'FILE_MISSING' });
    const { dir: single } = await smallArtifacts();
    await expect(load(single)).rejects.toMatchObject({ code: 'VERIFICATION_KEY_UNSAFE' });
  });
});

test.each([
  ['ceremony', 31_337, 'deploys'],
  ['ceremony', 1, 'deploys'],
  ['single-operator', 31_337, 'deploys'],
  ['single-operator', 1, 'refuses'],
] as const)('a key of a %s setup on chain %i: %s', async (setup, chainId, outcome) => {
  const deploys = new Error('deploys');
  const address = '0x00000000000000000000000000000000000000aa';
  const client = { chainId, address, deploy: () => Promise.reject(deploys) } as unknown as ChainClient;
  const parameters = {} as Parameters<typeof deployFederation>[2]['parameters'];
  const artifacts = {} as Parameters<typeof deployFederation>[1];
  const deployed = deployFederation(client, artifacts, { operator: address, parameters, setup });
  await expect(deployed).rejects.toEqual(
    outcome === 'deploys' ? deploys : expect.objectContaining({ code: 'VERIFICATION_KEY_UNSAFE' }),
  );
});
