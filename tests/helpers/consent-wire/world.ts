// A federation whose verifier on chain is the generated one: a policy claim is proven here, or refused.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RefusedTransaction } from '../../../engines/chain/client.ts';
import { compileContracts } from '../../../engines/chain/compile.ts';
import type { PolicyProof, SelectionRequest } from '../../../engines/chain/consent-registry.ts';
import { consentRegistryAt } from '../../../engines/chain/contracts.ts';
import { preparePolicyCircuit } from '../../../engines/proof/artifacts.ts';
import { createProver, type PolicyProver } from '../../../engines/proof/prove.ts';
import { splitGrants } from '../../../protocol/consent/policy.ts';
import { CACHE_DIR, openWorld, PARAMETERS, type Party, type World } from '../../contracts/world.ts';

export interface ProvingWorld extends World {
  readonly prover: PolicyProver;
  /** For files of a test; gone with the world. */
  readonly directory: string;
}

export async function openProvingWorld(): Promise<ProvingWorld> {
  const artifacts = await preparePolicyCircuit({ cacheDir: CACHE_DIR });
  const { verifierSource, verificationKeyHash } = artifacts;
  const compile = () => compileContracts({ cacheDir: CACHE_DIR, verifierSource });
  const world = await openWorld(compile, { ...PARAMETERS, verificationKeyHash });
  const directory = await mkdtemp(join(tmpdir(), 'concordat-consent-wire-'));
  const prover = createProver({ artifacts });
  return {
    ...world,
    prover,
    directory,
    async stop() {
      await prover.stop();
      await world.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The claim as a transaction that is mined and refused. @throws ConcordatError CHAIN_ACCEPTED when it is taken */
export function refusedClaim({ client, registry }: Party, proof: PolicyProof): Promise<RefusedTransaction> {
  const { a, b, c, publicSignals } = proof;
  return client.sendExpectingRevert(consentRegistryAt(registry.address), 'admitPolicies', [a, b, c, publicSignals]);
}

/** Likewise, the selection. */
export function refusedSelection(
  { client, registry }: Party,
  { requirement, buckets, proof, proofFlags }: SelectionRequest,
): Promise<RefusedTransaction> {
  return client.sendExpectingRevert(consentRegistryAt(registry.address), 'admitSelection', [
    ...splitGrants(requirement.required),
    requirement.minEvidence,
    buckets.map(({ digest, membersRoot, memberCount }) => [digest, membersRoot, memberCount]),
    proof,
    proofFlags,
  ]);
}
