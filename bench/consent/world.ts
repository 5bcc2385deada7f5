// A federation on a real anvil with the generated Groth16 verifier: operator, coordinator, key-holders and one witness.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shake256 } from '@noble/hashes/sha3.js';
import { pino } from 'pino';
import { createChainClient } from '../../engines/chain/client.ts';
import { compileContracts } from '../../engines/chain/compile.ts';
import { type ChainConnection, connectFederation } from '../../engines/chain/connect.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { createFederation, type Federation } from '../../engines/chain/federation.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { type Identity, loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import type { PolicyArtifacts } from '../../engines/proof/artifacts.ts';
import type { PolicyProver } from '../../engines/proof/prove.ts';
import { createProverPool } from '../../engines/proof/prover-pool.ts';
import { openStore } from '../../engines/store/store.ts';
import { utf8ToBytes } from '../../protocol/bytes.ts';
import { SEALING_KEY_BYTES } from '../../protocol/secagg/shares.ts';
import { createWitnessStore } from '../../witness/level-store.ts';
import { createWitness, type Witness } from '../../witness/witness.ts';

export const RELYING_PARTY = { rpId: 'localhost', origins: ['https://localhost'] };
export const SILENT = pino({ level: 'silent' });

export interface Party {
  readonly identity: Identity;
  readonly directory: string;
  readonly chain: ChainConnection;
}

export interface World {
  readonly federation: Federation;
  readonly coordinator: Party;
  /** Verifies every signature and keeps its log on disk, as a coordinator's does. */
  readonly witness: Witness;
  /** A funded account with a folder of its own. */
  party(name: string): Promise<Party>;
  /** Two proofs at a time, in child processes that start with the first. */
  readonly prover: PolicyProver;
  stop(): Promise<void>;
}

export async function openWorld(artifacts: PolicyArtifacts, cacheDir: string, processes: number): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'concordat-bench-consent-'));
  const contracts = await compileContracts({ cacheDir, verifierSource: artifacts.verifierSource });
  const embedded = await startEmbeddedChain({ dir: root });

  const newIdentity = async (name: string) => {
    const identity = await loadOrCreateIdentity(join(root, name));
    await embedded.fund(identity.address, 10n ** 22n);
    return identity;
  };
  const operator = await newIdentity('operator');
  const client = await createChainClient({ rpcUrl: embedded.rpcUrl, privateKey: operator.privateKey });
  const deployment = await deployFederation(client, contracts, {
    operator: operator.address,
    parameters: {
      minCohort: 3,
      keyHolderThreshold: 2,
      witnessQuorum: 1,
      metricMaxAgeSeconds: 3_600,
      verificationKeyHash: artifacts.verificationKeyHash,
    },
    setup: 'single-operator',
  });
  const federation = createFederation(client, deployment.federation);
  const party = async (name: string): Promise<Party> => {
    const identity = await newIdentity(name);
    const chain = await connectFederation(embedded.rpcUrl, deployment.federation, identity.privateKey);
    return { identity, directory: join(root, name), chain };
  };

  const coordinator = await party('coordinator');
  await federation.setCoordinator(coordinator.identity.address);
  await federation.registerWitness(coordinator.identity.address);
  for (const name of ['key-holder-1', 'key-holder-2']) {
    const holder = await party(name);
    await federation.registerKeyHolder(holder.identity.address);
    // a contract looks at a sealing key's size alone
    await holder.chain.federation.rotateKey(shake256(utf8ToBytes(name), { dkLen: SEALING_KEY_BYTES }));
  }
  const witnessStore = await openStore(join(coordinator.directory, 'store'));
  const witness = createWitness({
    store: createWitnessStore(witnessStore),
    verifySignature: verifyPasskeySignature,
    sign: async (anchor) =>
      signTypedStruct(coordinator.identity.privateKey, coordinator.chain.domain, 'Anchor', anchor),
    relyingPartyOf: () => RELYING_PARTY,
    anchorOnChain: coordinator.chain.registry.currentAnchor,
  });
  const prover = createProverPool({ artifacts }, processes);
  return {
    federation,
    coordinator,
    witness,
    party,
    prover,
    async stop() {
      await prover.stop();
      await witnessStore.close();
      await embedded.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
