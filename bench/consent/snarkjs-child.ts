// The child process of naive.ts that proves with snarkjs, witness and proof, on as many threads as it likes.
import { groth16, type MemoryFile, wtns } from 'snarkjs';
import { serveParent } from '../../engines/proof/child.ts';
import type { PolicyClaimSignals } from '../../engines/proof/claim.ts';

export interface SnarkjsRequest {
  readonly wasmFile: string;
  readonly zkeyFile: string;
  readonly signals: PolicyClaimSignals;
  readonly proofs: number;
}

export interface SnarkjsResult {
  readonly timesMs: readonly number[];
}

serveParent(async ({ wasmFile, zkeyFile, signals, proofs }: SnarkjsRequest): Promise<SnarkjsResult> => {
  const timesMs: number[] = [];
  for (let i = 0; i <= proofs; i++) {
    const started = performance.now();
    const witness: MemoryFile = { type: 'mem' };
    await wtns.calculate(signals, wasmFile, witness);
    await groth16.prove(zkeyFile, witness);
    if (i > 0) timesMs.push(performance.now() - started); // the first starts the threads
  }
  return { timesMs };
});
