// Puts a federation on a chain: verifier, Federation, ConsentRegistry and RoundLedger, bound to each other for good.
import { ZeroAddress } from 'ethers';
import type { Hex } from '../../protocol/bytes.ts';
import { EMBEDDED_CHAIN_ID } from '../../protocol/embedded-chain.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainClient } from './client.ts';
import type { Artifacts } from './compile.ts';
import { createFederation, type FederationParameters } from './federation.ts';

interface DeployOptions {
  /** Must be the client's own account: binding the contracts is the operator's first act. */
  readonly operator: Hex;
  readonly parameters: FederationParameters;
  /**
   * How the verifier's key was made. Whoever ran a single-operator setup can forge proofs, so it is good for the embedded
   * chain only.
   */
  readonly setup: 'single-operator' | 'ceremony';
  /** The federation on the same chain that this one carries on; in force once that one's operator has named it. */
  readonly predecessor?: Hex;
}

export interface Deployment {
  readonly federation: Hex;
  readonly registry: Hex;
  readonly ledger: Hex;
  readonly verifier: Hex;
  /** Of the first transaction: where a reader of this federation starts. */
  readonly blockNumber: number;
  /** Of all transactions together. */
  readonly gasUsed: number;
}

/**
 * @throws ConcordatError VERIFICATION_KEY_UNSAFE, CONFLICT (another operator, or a predecessor that has a successor), CHAIN_REVERTED
 * (InvalidParameters), CHAIN_WRONG for a predecessor that is no federation, CHAIN_UNREACHABLE
 */
export async function deployFederation(
  client: ChainClient,
  artifacts: Artifacts,
  options: DeployOptions,
): Promise<Deployment> {
  const { operator, parameters, setup } = options;
  if (setup === 'single-operator' && client.chainId !== EMBEDDED_CHAIN_ID) {
    throw new ConcordatError(
      'VERIFICATION_KEY_UNSAFE',
      `made by a single operator, refused on chain ${client.chainId}: run concordat ceremony`,
      { chainId: client.chainId, setup },
    );
  }
  if (client.address !== operator) {
    throw new ConcordatError('CONFLICT', `the client signs as ${client.address}, the operator is ${operator}`);
  }
  const { predecessor } = options;
  if (predecessor !== undefined) await requireLastOfItsLine(client, predecessor);
  const verifier = await client.deploy(artifacts.Groth16Verifier, [], 'Groth16Verifier');
  const { minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds, verificationKeyHash } = parameters;
  const federation = await client.deploy(
    artifacts.Federation,
    [
      operator,
      [minCohort, keyHolderThreshold, witnessQuorum, metricMaxAgeSeconds, verificationKeyHash],
      predecessor ?? ZeroAddress,
    ],
    'Federation',
  );
  const registry = await client.deploy(
    artifacts.ConsentRegistry,
    [federation.address, verifier.address],
    'ConsentRegistry',
  );
  const ledger = await client.deploy(artifacts.RoundLedger, [federation.address, registry.address], 'RoundLedger');
  const bound = await createFederation(client, federation.address).setContracts(registry.address, ledger.address);
  return {
    federation: federation.address,
    registry: registry.address,
    ledger: ledger.address,
    verifier: verifier.address,
    blockNumber: verifier.blockNumber,
    gasUsed: [verifier, federation, registry, ledger, bound].reduce((sum, { gasUsed }) => sum + gasUsed, 0),
  };
}

/** The contracts refuse it too; here nothing has been paid for yet. */
async function requireLastOfItsLine(client: ChainClient, predecessor: Hex): Promise<void> {
  const successor = await createFederation(client, predecessor).successor();
  if (successor !== undefined) {
    throw new ConcordatError('CONFLICT', `${predecessor} has a successor already: ${successor}`, { successor });
  }
}
