// The prover: cached proofs, a child that may die at any time, and agreement with snarkjs' own prover on our setup.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { groth16, wtns } from 'snarkjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { verifyProof } from '../../auditor/proof/verify.ts';
import type { PolicyArtifacts } from '../../engines/proof/artifacts.ts';
import { createProver, type PolicyProver } from '../../engines/proof/prove.ts';
import { useOneThread, verifyPolicyProof } from '../../engines/proof/verify.ts';
import { bend, policy, smallInput } from './claims.ts';
import { smallArtifacts } from './small-circuit.ts';

let artifacts: PolicyArtifacts;
let dir: string;
let prover: PolicyProver;
beforeAll(async () => {
  artifacts = await smallArtifacts();
}, 120_000);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'concordat-prover-'));
  prover = createProver({ artifacts, cacheDir: dir });
});
afterEach(async () => {
  await prover.stop();
  await rm(dir, { recursive: true, force: true });
});

const input = smallInput([policy()]);

/** Processes started by a process and still there. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

async function untilChild(before: readonly number[], parent = process.pid): Promise<number> {
  for (;;) {
    const [child] = (await childrenOf(parent)).filter((pid) => !before.includes(pid));
    if (child !== undefined) return child;
    await sleep(10);
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a proof is verified by both verifiers, and never the same twice: it is blinded', async () => {
  const first = await prover.prove(input);
  const other = createProver({ artifacts });
  const second = await other.prove(input).finally(() => other.stop());
  expect(first.publicSignals).toEqual(input.publicSignals);
  expect(second.a).not.toEqual(first.a);
  expect(second.b).not.toEqual(first.b);
  for (const proof of [first, second]) {
    expect(await verifyPolicyProof(artifacts.verificationKey, proof)).toBe(true);
    expect(verifyProof(artifacts.verificationKey, proof)).toBe(true);
  }
});

test('snarkjs’ own prover takes our key and circuit, and its proof verifies', async () => {
  await useOneThread();
  const witness = { type: 'mem' as const };
  await wtns.calculate(input.signals, artifacts.wasmFile, witness);
  const { proof, publicSignals } = await groth16.prove(artifacts.zkeyFile, witness);
  expect(publicSignals.map(BigInt)).toEqual(input.publicSignals);
  expect(await groth16.verify(artifacts.verificationKey, publicSignals, proof)).toBe(true);
});

test('a proof is kept under its statement; a file that was tampered with counts as absent', async () => {
  const proof = await prover.prove(input);
  const before = await childrenOf(process.pid);
  const reader = createProver({ artifacts, cacheDir: dir });
  expect(await reader.prove(input)).toEqual(proof);
  expect(await childrenOf(process.pid)).toEqual(before); // no child was needed

  const [name = ''] = await readdir(dir);
  const text = await readFile(join(dir, name), 'utf8');
  for (const spoiled of [text.replace(String(proof.a[0]), '1'), text.slice(1), '', 'null']) {
    await writeFile(join(dir, name), spoiled);
    expect(await verifyPolicyProof(artifacts.verificationKey, await reader.prove(input))).toBe(true);
  }
  await reader.stop();
});

test('a statement that is not true fails in words, and the child lives on', async () => {
  const untrue = { ...input, signals: bend(input.signals, { used: [0, 2n] }) };
  await expect(prover.prove(untrue)).rejects.toMatchObject({ code: 'PROOF_UNSATISFIABLE' });
  await expect(prover.prove({ ...input, publicSignals: input.publicSignals.with(0, 1n) })).rejects.toMatchObject({
    code: 'PROOF_INVALID',
  });
  expect((await prover.prove(input)).publicSignals).toEqual(input.publicSignals);
});

test('a child that is killed in the middle fails the proof with a typed error, and the next one works', async () => {
  const before = await childrenOf(process.pid);
  const first = prover.prove(input);
  const second = prover.prove(smallInput([policy(), policy({ expiry: 1_900_000_007 })]));
  process.kill(await untilChild(before), 'SIGKILL');
  await expect(first).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
  expect(await verifyPolicyProof(artifacts.verificationKey, await second)).toBe(true);
});

test('a child that is killed between two proofs is replaced', async () => {
  const before = await childrenOf(process.pid);
  const first = prover.prove(input);
  const child = await untilChild(before);
  await first;
  process.kill(child, 'SIGKILL');
  while (isAlive(child)) await sleep(10);
  await prover.prove(smallInput([]));
});

test('stop ends the child and the proof under way, for good', async () => {
  const before = await childrenOf(process.pid);
  const proof = prover.prove(input);
  const child = await untilChild(before);
  const failed = expect(proof).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
  await prover.stop();
  await failed;
  expect(isAlive(child)).toBe(false);
  await expect(prover.prove(input)).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
});

test('the child dies with a parent that is killed', async () => {
  const script = fileURLToPath(new URL('./proving-parent.ts', import.meta.url));
  const parent = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script], { stdio: 'ignore' });
  const child = await untilChild([], parent.pid);
  parent.kill('SIGKILL');
  const deadline = Date.now() + 20_000;
  while (isAlive(child) && Date.now() < deadline) await sleep(50);
  expect(isAlive(child)).toBe(false);
});
