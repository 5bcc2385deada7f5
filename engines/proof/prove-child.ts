// The child process of prove.ts: keeps the proving key and the witness calculator in memory between proofs.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { loadBn254 } from './bn254.ts';
import { serveParent } from './child.ts';
import type { PolicyClaimSignals } from './claim.ts';
import { createGroth16Prover, type Groth16Prover } from './groth16.ts';
import type { PolicyProof } from './policy-proof.ts';
import { loadWitnessCalculator, type WitnessCalculator } from './witness.ts';
import { decodeZkey } from './zkey.ts';

// A witness takes 20 ms in V8's baseline code, and its 2 MB of functions seconds to optimise; the kernel's few functions are
// hot at once. A higher threshold leaves the one alone and not the other: 2.2 s of CPU in place of 2.9 s for three proofs.
setFlagsFromString('--wasm-tiering-budget=20000000');

export interface ProveRequest {
  readonly wasmFile: string;
  readonly zkeyFile: string;
  readonly kernelFile: string;
  readonly signals: PolicyClaimSignals;
}

interface Tools {
  readonly calculator: WitnessCalculator;
  readonly prover: Groth16Prover;
  readonly order: bigint;
}

let tools: Promise<Tools> | undefined;

async function loadTools({ wasmFile, zkeyFile, kernelFile }: ProveRequest): Promise<Tools> {
  const key = decodeZkey(await readFile(zkeyFile));
  const bn254 = await loadBn254(await readFile(kernelFile));
  return {
    calculator: await loadWitnessCalculator(await readFile(wasmFile)),
    prover: await createGroth16Prover(bn254, key),
    order: key.order,
  };
}

serveParent(async (request: ProveRequest): Promise<PolicyProof> => {
  tools ??= loadTools(request);
  const { calculator, prover, order } = await tools;
  // 384 bits modulo a 254-bit order: the bias is below 2^-128.
  const blinding = (): bigint => BigInt(`0x${randomBytes(48).toString('hex')}`) % order;
  return prover.prove(calculator.calculate(request.signals), blinding(), blinding());
});
