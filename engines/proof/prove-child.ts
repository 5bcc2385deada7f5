// The child process of prove.ts: keeps the proving key and the witness calculator in memory between proofs.
import { readFile } from 'node:fs/promises';
import { groth16, wtns } from 'snarkjs';
import { serveParent } from './child.ts';
import type { PolicyClaimSignals } from './claim.ts';
import type { PolicyProof } from './policy-proof.ts';
import { useOneThread } from './verify.ts';

export interface ProveRequest {
  readonly wasmFile: string;
  readonly zkeyFile: string;
  readonly kernelFile: string;
  readonly signals: PolicyClaimSignals;
}
let wasm: Buffer | undefined;
serveParent(async ({ wasmFile, zkeyFile, signals }: ProveRequest): Promise<PolicyProof> => {
  await useOneThread();
  wasm ??= await readFile(wasmFile);
  const witness = { type: 'mem' as const };
  await wtns.calculate(signals, wasm, witness);
  const { proof, publicSignals } = await groth16.prove(zkeyFile, witness);
  const n = (value: string | undefined): bigint => BigInt(value ?? 0);
  const pair = (values: readonly string[] | undefined): [bigint, bigint] => [n(values?.[0]), n(values?.[1])];
  const swap = ([a, b]: [bigint, bigint]): [bigint, bigint] => [b, a];
  return {
    a: pair(proof.pi_a),
    b: [swap(pair(proof.pi_b[0])), swap(pair(proof.pi_b[1]))],
    c: pair(proof.pi_c),
    publicSignals: publicSignals.map(BigInt),
  };
});
