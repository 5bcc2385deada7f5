// A federation on a real anvil, with a key for everybody, and the steps a dealer takes until its commit stands.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shake256 } from '@noble/hashes/sha3.js';
import { computeAddress } from 'ethers';
import { expect } from 'vitest';
import { type ChainClient, createChainClient } from '../../engines/chain/client.ts';
import { type Artifacts, compileContracts } from '../../engines/chain/compile.ts';
import {
  type AnchorState,
  type ConsentRegistry,
  createConsentRegistry,
  type PolicyProof,
  type SelectionRequest,
} from '../../engines/chain/consent-registry.ts';
import { type Deployment, deployFederation } from '../../engines/chain/deploy.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { createFederation, type Federation, type FederationParameters } from '../../engines/chain/federation.ts';
import { type Commit, createRoundLedger, type RoundLedger, type SetMember } from '../../engines/chain/round-ledger.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { type Hex, keccak256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Bucket, bucketLeaf } from '../../protocol/consent/bucket.ts';
import { MerkleTree } from '../../protocol/consent/merkle.ts';
import {
  claimContext,
  NO_PRIVACY_CAP,
  type Requirement,
  requirementOf,
  splitGrants,
} from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { SEALING_KEY_BYTES } from '../../protocol/secagg/shares.ts';

const CONTRACTS = fileURLToPath(new URL('../../contracts/', import.meta.url));
export const CACHE_DIR = fileURLToPath(new URL('../../.concordat/cache', import.meta.url));

/** 32 bytes that stand for something. */
export const hash = (label: string): Hex => toHex(keccak256(utf8ToBytes(label)));
export const keyOf = (name: string): Hex => hash(`key of ${name}`);
/** The size of a sealing key is all that a contract looks at. */
export const sealingKey = (label: string): Uint8Array => shake256(utf8ToBytes(label), { dkLen: SEALING_KEY_BYTES });
export const addressOf = (name: string): Hex => computeAddress(keyOf(name)).toLowerCase() as Hex;

/** The verifier of these tests is a double; the real one is exercised with real proofs in tests/e2e. */
export async function testArtifacts(): Promise<Artifacts> {
  const verifierSource = await readFile(join(CONTRACTS, 'src/test/BranchingVerifier.sol'), 'utf8');
  return compileContracts({ cacheDir: CACHE_DIR, verifierSource });
}

export const PARAMETERS: FederationParameters = {
  minCohort: 3,
  keyHolderThreshold: 2,
  witnessQuorum: 2,
  metricMaxAgeSeconds: 3_600,
  verificationKeyHash: hash('verification key'),
};

export interface Party {
  readonly name: string;
  readonly address: Hex;
  readonly privateKey: Hex;
  readonly client: ChainClient;
  readonly federation: Federation;
  readonly registry: ConsentRegistry;
  readonly ledger: RoundLedger;
}

const DEALERS = ['dealer-1', 'dealer-2', 'dealer-3', 'dealer-4'] as const;
const KEY_HOLDERS = ['key-holder-1', 'key-holder-2'] as const;
const WITNESSES = ['witness-1', 'witness-2', 'witness-3'] as const;

export interface World {
  readonly chain: EmbeddedChain;
  readonly at: Deployment;
  readonly artifacts: Artifacts;
  /** A party with a fresh client; its account is funded. */
  party(name: string): Promise<Party>;
  /** Seconds of the next block. */
  nextBlockAt(unixSeconds: number): Promise<void>;
  now(): Promise<number>;
  /** Back to the federation just deployed; parties made before are void. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Deploys, and registers the coordinator, four dealers, three witnesses (quorum two) and two key-holders with a key each. */
/** A federation that carries the world's on, with this dealer in it and one witness. */
export async function deployHeir(world: World, { dealer, witness }: Record<'dealer' | 'witness', Hex>): Promise<Hex> {
  const { client } = await world.party('operator');
  const at = await deployFederation(client, world.artifacts, {
    operator: addressOf('operator'),
    parameters: { ...PARAMETERS, witnessQuorum: 1 },
    setup: 'single-operator',
    predecessor: world.at.federation,
  });
  const federation = createFederation(client, at.federation);
  await federation.registerDealer(dealer);
  await federation.registerWitness(witness);
  return at.federation;
}

export async function openWorld(compile = testArtifacts, parameters = PARAMETERS): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'concordat-contracts-'));
  const [artifacts, chain] = await Promise.all([compile(), startEmbeddedChain({ dir })]);

  async function clientOf(name: string): Promise<ChainClient> {
    await chain.fund(addressOf(name), 10n ** 20n);
    return createChainClient({ rpcUrl: chain.rpcUrl, privateKey: keyOf(name) });
  }

  const operator = await clientOf('operator');
  const at = await deployFederation(operator, artifacts, {
    operator: addressOf('operator'),
    parameters,
    setup: 'single-operator',
  });
  const federation = createFederation(operator, at.federation);
  await federation.setCoordinator(addressOf('coordinator'));
  for (const name of DEALERS) await federation.registerDealer(addressOf(name));
  for (const name of WITNESSES) await federation.registerWitness(addressOf(name));
  for (const name of KEY_HOLDERS) {
    await federation.registerKeyHolder(addressOf(name));
    await createFederation(await clientOf(name), at.federation).rotateKey(sealingKey(`${name}, first`));
  }
  let snapshot = await operator.rpc.call('evm_snapshot', []);

  return {
    chain,
    at,
    artifacts,
    async party(name) {
      const client = await clientOf(name);
      return {
        name,
        address: addressOf(name),
        privateKey: keyOf(name),
        client,
        federation: createFederation(client, at.federation),
        registry: createConsentRegistry(client, at.registry),
        ledger: createRoundLedger(client, at.ledger),
      };
    },
    async nextBlockAt(unixSeconds) {
      await operator.rpc.call('evm_setNextBlockTimestamp', [unixSeconds]);
    },
    now: () => operator.blockTimestamp(),
    async reset() {
      await operator.rpc.call('evm_revert', [snapshot]);
      snapshot = await operator.rpc.call('evm_snapshot', []);
    },
    async stop() {
      await chain.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export const REQUIREMENT: Requirement = requirementOf('lead-scoring', ['demographics', 'insurance'], 1);

/** Two buckets, ten customers. */
export const BUCKETS: readonly Bucket[] = [
  { digest: 1001n, membersRoot: hash('members of 1001'), memberCount: 7 },
  { digest: 1002n, membersRoot: hash('members of 1002'), memberCount: 3 },
];

const bucketTree = (buckets: readonly Bucket[]): MerkleTree => MerkleTree.of(buckets.map(bucketLeaf));

export function stateOf(epoch: number, buckets: readonly Bucket[] = BUCKETS): AnchorState {
  return {
    epoch,
    bucketsRoot: bucketTree(buckets).root,
    subjectsRoot: hash(`subjects ${epoch}`),
    logHead: hash(`log ${epoch}`),
    operationCount: 10 * epoch,
  };
}

/** Signatures of named witnesses over a dealer's state. */
export function witnessed(world: World, dealer: Hex, state: AnchorState, names: readonly string[]): Hex[] {
  const domain = { chainId: world.chain.chainId, federation: world.at.federation };
  return names.map((name) => signTypedStruct(keyOf(name), domain, 'Anchor', { dealer, ...state }));
}

export interface ClaimShape {
  readonly requirement?: Requirement;
  readonly validUntil?: number;
  readonly accuracyFloorBps?: number;
  readonly privacyCapMilli?: number;
  readonly digests?: readonly bigint[];
}

/** Far enough for every test (year 2100). */
const FAR = 4_102_444_800;

/** A "proof" the double accepts, over honest public signals. */
export function claimOf(world: World, dealer: Hex, shape: ClaimShape = {}): PolicyProof {
  const requirement = shape.requirement ?? REQUIREMENT;
  const digests = [...(shape.digests ?? BUCKETS.map(({ digest }) => digest))];
  const publicSignals = [
    claimContext(world.chain.chainId, world.at.registry, dealer),
    ...splitGrants(requirement.required),
    BigInt(requirement.minEvidence),
    BigInt(shape.validUntil ?? FAR),
    BigInt(shape.accuracyFloorBps ?? 0),
    BigInt(shape.privacyCapMilli ?? NO_PRIVACY_CAP),
    ...digests,
    ...Array.from({ length: 16 - digests.length }, () => 0n),
  ];
  return { a: [1n, 0n], b: [[0n, 0n], [0n, 0n]], c: [0n, 0n], publicSignals }; // biome-ignore format: three points
}

export function selectionOf(
  buckets: readonly Bucket[] = BUCKETS,
  chosen: readonly Bucket[] = buckets,
  requirement: Requirement = REQUIREMENT,
): SelectionRequest {
  const { leaves, proof, proofFlags } = bucketTree(buckets).multiProofOf(chosen.map(bucketLeaf));
  const byLeaf = new Map(chosen.map((bucket) => [toHex(bucketLeaf(bucket)), bucket]));
  const ordered = leaves.map((leaf) => byLeaf.get(leaf)).filter((bucket) => bucket !== undefined);
  return { requirement, buckets: ordered, proof, proofFlags };
}

/** Anchor, claim, selection: from here on the dealer's commits stand. Returns its anchored root. */
export async function consent(world: World, dealer: Party, epoch = 1, shape: ClaimShape = {}): Promise<Hex> {
  const state = stateOf(epoch);
  await dealer.registry.anchor(state, witnessed(world, dealer.address, state, ['witness-1', 'witness-2']));
  await dealer.registry.admitPolicies(claimOf(world, dealer.address, shape));
  await dealer.registry.admitSelection(selectionOf());
  const anchored = await dealer.registry.currentAnchor(dealer.address);
  if (anchored === undefined) throw new Error('the anchor is not there');
  return anchored.root;
}

export const TASK = hash('task');
export const BASE = hash('model 0');

export async function openRound(
  world: World,
  coordinator: Party,
  change: Partial<Parameters<RoundLedger['openRound']>[0]> = {},
): Promise<number> {
  const opening = {
    taskHash: TASK,
    requirement: REQUIREMENT,
    baseModelHash: BASE,
    epsilonAfterMilli: 500,
    deadline: (await world.now()) + 600,
    ...change,
  };
  return (await coordinator.ledger.openRound(opening)).round;
}

export function commitOf(round: number, anchoredRoot: Hex, change: Partial<Commit> = {}): Commit {
  return {
    round,
    attempt: 1,
    anchoredRoot,
    payloadHash: hash('payload'),
    sharesRoot: hash('shares'),
    recordsRoot: hash('records'),
    weight: 10,
    ...change,
  };
}

/** Round 1, all of these dealers in, finalised and published with this accuracy of the base model. */
export async function publishedRound(
  world: World,
  coordinator: Party,
  dealers: readonly (readonly [Party, Hex])[],
  accuracyBps: number,
  modelHash = hash('model 1'),
): Promise<number> {
  const round = await openRound(world, coordinator);
  for (const [dealer, root] of dealers) await dealer.ledger.commit(commitOf(round, root));
  await coordinator.ledger.finaliseSet(round, firstAttempts(dealers.map(([dealer]) => dealer.address)));
  await coordinator.ledger.publish({ ...PUBLICATION, round, modelHash, accuracyBps });
  return round;
}

/** As members of a set: everybody's first attempt. */
export const firstAttempts = (dealers: readonly Hex[]): SetMember[] =>
  dealers.map((dealer) => ({ dealer, attempt: 1 }));

export const PUBLICATION = {
  round: 1,
  modelHash: hash('model 1'),
  aggregateHash: hash('aggregate'),
  accuracyBps: 9_400,
  aucBps: 7_500,
  transcriptHead: hash('transcript'),
};

/** Expects a refusal by this custom error, and these arguments of it. */
export async function expectRefusal(
  sending: Promise<unknown>,
  reason: string,
  args: Readonly<Record<string, string>> = {},
): Promise<void> {
  const error = await sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConcordatError);
  if (!(error instanceof ConcordatError)) return;
  expect(error.fields).toMatchObject({ reason, ...args });
  expect(error.code).toBe('CHAIN_REVERTED');
}
