// The baseline: what a proof per customer costs, with our prover and with snarkjs. A few are made, the rest is extrapolated.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { poseidon2 } from 'poseidon-lite/poseidon2';
import { FILES } from '../../engines/proof/artifact-files.ts';
import type { PolicyArtifacts } from '../../engines/proof/artifacts.ts';
import type { SetupRequest, SetupResult } from '../../engines/proof/artifacts-child.ts';
import { forkChild } from '../../engines/proof/child.ts';
import { type PolicyClaimInput, policyClaimInput } from '../../engines/proof/claim.ts';
import { compileCircuit } from '../../engines/proof/compile.ts';
import { createProverPool } from '../../engines/proof/prover-pool.ts';
import { siblingScript } from '../../kit/sources.ts';
import type { Access } from '../../protocol/consent/evaluate.ts';
import { type Policy, packConditions, policyDigest, splitGrants } from '../../protocol/consent/policy.ts';
import { hashVerificationKey, parseVerificationKey } from '../../protocol/proof/verification-key.ts';
import type { SnarkjsRequest, SnarkjsResult } from './snarkjs-child.ts';

const DEPTH = 20;
const CONTEXT = 7n;

export interface NaiveResult {
  readonly constraints: number;
  readonly treeDepth: number;
  /** Proofs made; everything said of more customers is extrapolated from them. */
  readonly sample: number;
  /** Our prover, as many processes as in the cold run, all of them warm: the time of a proof while they share the cores. */
  readonly msPerProof: number;
  /** snarkjs on all cores: this circuit, and ours of 16 policies. */
  readonly snarkjs: { readonly msPerProof: number; readonly msPerPolicyClaim: number; readonly sample: number };
}

interface NaiveOptions {
  /** Of the policy claim, for snarkjs to prove as well. */
  readonly artifacts: PolicyArtifacts;
  readonly policies: readonly Policy[];
  readonly access: Access;
  readonly processes: number;
  readonly sample: number;
  readonly progress: (line: string) => void;
}

export async function runNaive(options: NaiveOptions): Promise<NaiveResult> {
  const { artifacts, policies, access, processes, sample, progress } = options;
  const directory = await mkdtemp(join(tmpdir(), 'concordat-bench-naive-'));
  try {
    const naive = await prepare(directory);
    progress(`baseline circuit compiled and set up: ${naive.constraints} constraints`);
    const inputs = Array.from({ length: sample }, (_, i) => naiveInput(i, policies, access));
    const prover = createProverPool({ artifacts: naive }, processes);
    const proveAll = (some: readonly PolicyClaimInput[]) => Promise.all(some.map((input) => prover.prove(input)));
    let msPerProof: number;
    try {
      await proveAll(inputs.slice(0, processes)); // warm: a run of ten thousand starts its processes once
      const started = performance.now();
      await proveAll(inputs);
      msPerProof = (performance.now() - started) / sample;
    } finally {
      await prover.stop();
    }
    progress(`${sample} baseline proofs with our prover: ${msPerProof.toFixed(0)} ms each`);
    const salted = policies.slice(0, 16).map((policy, i) => ({ policy, salt: BigInt(i + 1) }));
    const bounds = boundsOf(access);
    const claim = policyClaimInput({ context: CONTEXT, requirement: access.requirement, bounds, policies: salted });
    const snarkjs = await runSnarkjs([naive, naiveInput(0, policies, access)], [artifacts, claim]);
    return { constraints: naive.constraints, treeDepth: DEPTH, sample, msPerProof, snarkjs };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Compiled with circomlib, set up by one operator, as the policy claim is. */
async function prepare(directory: string): Promise<PolicyArtifacts> {
  const compiled = await compileCircuit(join(import.meta.dirname, 'naive/one-customer.circom'), directory);
  const setup = forkChild<SetupRequest, SetupResult>(
    new URL('../../engines/proof/artifacts-child.ts', import.meta.url),
  );
  try {
    const { constraints } = await setup.ask({ r1csFile: compiled.r1csFile, outDir: directory });
    const key = parseVerificationKey(JSON.parse(await readFile(join(directory, FILES.verificationKey), 'utf8')));
    return {
      dir: directory,
      wasmFile: compiled.wasmFile,
      zkeyFile: join(directory, FILES.zkey),
      kernelFile: join(directory, FILES.kernel),
      r1csFile: compiled.r1csFile,
      symbolsFile: compiled.symbolsFile,
      verificationKey: key,
      verificationKeyHash: hashVerificationKey(key),
      verifierSource: '',
      constraints,
      setup: 'single-operator',
    };
  } finally {
    await setup.kill();
  }
}

const boundsOf = ({ nowSeconds, epsilonAfterMilli }: Access) => ({
  validUntil: nowSeconds,
  accuracyFloorBps: 0,
  privacyCapMilli: epsilonAfterMilli,
});

/** Customer `index` in a tree of which only its own path is looked at: making the tree is not counted. */
function naiveInput(index: number, policies: readonly Policy[], access: Access): PolicyClaimInput {
  const policy = policies[index % policies.length];
  if (policy === undefined) throw new Error('no policies');
  const salt = BigInt(index + 1);
  const subject = BigInt(1_000_003 * (index + 1));
  const siblings = Array.from({ length: DEPTH }, (_, level) => BigInt(level + 1) ** 40n);
  const isRight = siblings.map((_, level) => BigInt((index >> level) & 1));
  const root = siblings.reduce(
    (node, sibling, level) => (isRight[level] === 1n ? poseidon2([sibling, node]) : poseidon2([node, sibling])),
    poseidon2([subject, policyDigest(policy, salt)]),
  );
  const [required0, required1] = splitGrants(access.requirement.required);
  const [g0, g1] = splitGrants(policy.grants);
  const bounds = boundsOf(access);
  const shared = {
    ctx: [CONTEXT],
    root: [root],
    required0: [required0],
    required1: [required1],
    minEvidence: [BigInt(access.requirement.minEvidence)],
    validUntil: [BigInt(bounds.validUntil)],
    accuracyFloor: [BigInt(bounds.accuracyFloorBps)],
    privacyCap: [BigInt(bounds.privacyCapMilli)],
  };
  const cond = packConditions(policy.conditions);
  const own = { subject: [subject], g0: [g0], g1: [g1], cond: [cond], salt: [salt], sibling: siblings, isRight };
  return { publicSignals: Object.values(shared).flat(), signals: { ...shared, ...own } };
}

type Work = readonly [PolicyArtifacts, PolicyClaimInput];
const SNARKJS_SAMPLE = 3;

/** In a process of its own, with snarkjs' own threads on all cores. */
async function runSnarkjs(naive: Work, claim: Work): Promise<NaiveResult['snarkjs']> {
  const child = forkChild<SnarkjsRequest, SnarkjsResult>(siblingScript(import.meta.url, 'snarkjs-child'));
  try {
    const median = async ([{ wasmFile, zkeyFile }, { signals }]: Work): Promise<number> => {
      const { timesMs } = await child.ask({ wasmFile, zkeyFile, signals, proofs: SNARKJS_SAMPLE });
      return timesMs.toSorted((a, b) => a - b)[Math.floor(timesMs.length / 2)] ?? Number.NaN;
    };
    return { msPerProof: await median(naive), msPerPolicyClaim: await median(claim), sample: SNARKJS_SAMPLE };
  } finally {
    await child.kill();
  }
}
