// Proves policy claims in a child process, one at a time, and keeps what it proved.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import { siblingScript } from '../../kit/sources.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { PolicyArtifacts } from './artifacts.ts';
import { type Child, forkChild } from './child.ts';
import type { PolicyClaimInput } from './claim.ts';
import { decodePolicyProof, encodePolicyProof, type PolicyProof } from './policy-proof.ts';
import type { ProveRequest } from './prove-child.ts';
import { verifyPolicyProof } from './verify.ts';

export interface PolicyProver {
  /**
   * The proof of a claim: from the cache, or made now and checked. Calls queue.
   * @throws ConcordatError PROCESS_FAILED when the child ends early (the next call starts another), PROOF_INVALID,
   * PROOF_UNSATISFIABLE
   */
  prove(input: PolicyClaimInput): Promise<PolicyProof>;
  /** Ends the child; a proof under way fails. */
  stop(): Promise<void>;
}

export interface ProverOptions {
  readonly artifacts: PolicyArtifacts;
  /** Proofs are kept here by content; without it, not at all. */
  readonly cacheDir?: string;
}

export function createProver({ artifacts, cacheDir }: ProverOptions): PolicyProver {
  const { wasmFile, zkeyFile, kernelFile, verificationKey, verificationKeyHash } = artifacts;
  let child: Child<ProveRequest, PolicyProof> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let stopped = false;

  const fileOf = (publicSignals: readonly bigint[]): string | undefined => {
    if (cacheDir === undefined) return undefined;
    const name = createHash('sha256')
      .update(`${verificationKeyHash} ${publicSignals.join(' ')}`)
      .digest('hex');
    return join(cacheDir, `${name}.json`);
  };

  const proveNow = async ({ signals, publicSignals }: PolicyClaimInput): Promise<PolicyProof> => {
    const file = fileOf(publicSignals);
    const cached = file && (await readCached(file, publicSignals, artifacts));
    if (cached) return cached;
    if (stopped) throw new ConcordatError('PROCESS_FAILED', 'the prover has been stopped');
    if (!child?.alive) child = forkChild(siblingScript(import.meta.url, 'prove-child'));
    const proof = await child.ask({ wasmFile, zkeyFile, kernelFile, signals });
    const agrees = equalSignals(proof.publicSignals, publicSignals);
    if (!agrees || !(await verifyPolicyProof(verificationKey, proof))) {
      throw new ConcordatError('PROOF_INVALID', agrees ? 'own proof does not verify' : 'proof of another statement');
    }
    if (file) await writeFileAtomic(file, encodePolicyProof(proof));
    return proof;
  };

  return {
    prove(input) {
      const proof = queue.then(() => proveNow(input));
      queue = proof.catch(() => undefined);
      return proof;
    },
    async stop() {
      stopped = true;
      await child?.kill();
    },
  };
}

/** A proof is public, so its file needs no secrecy, only a check: anything else under this name counts as absent. */
async function readCached(
  file: string,
  publicSignals: readonly bigint[],
  { verificationKey }: PolicyArtifacts,
): Promise<PolicyProof | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const proof = text === undefined ? undefined : decodePolicyProof(text);
  if (proof === undefined || !equalSignals(proof.publicSignals, publicSignals)) return undefined;
  return (await verifyPolicyProof(verificationKey, proof)) ? proof : undefined;
}

function equalSignals(a: readonly bigint[], b: readonly bigint[]): boolean {
  return a.length === b.length && a.every((signal, i) => signal === b[i]);
}
