// A dealer that the test drives: consented on chain, linked to the coordinator, sealing with the dealer's own code, unless the
// test hands it a sealer that cheats.
import { join } from 'node:path';
import { createFingerprintSigner } from '../../../edge-node/fingerprint.ts';
import { createCoordinatorLink } from '../../../edge-node/link/link.ts';
import { createOneTimeSealer, type OneTimeSealer, type StoredUpdate } from '../../../edge-node/seal/once.ts';
import { createPayloadFiles } from '../../../edge-node/seal/payload-files.ts';
import { createSealer, type Sealer, type SealRequest } from '../../../edge-node/seal/seal.ts';
import { createUploadSender } from '../../../edge-node/upload.ts';
import type { ChainConnection } from '../../../engines/chain/connect.ts';
import { sealingKeysOf } from '../../../engines/chain/sealing-keys.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import type { Identity } from '../../../engines/keys/identity.ts';
import { createSimdRing } from '../../../engines/ring/simd.ts';
import { systemClock } from '../../../kit/clock.ts';
import { createLog } from '../../../kit/log.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { claimContext, NO_PRIVACY_CAP, splitGrants } from '../../../protocol/consent/policy.ts';
import { featureCount } from '../../../protocol/learning/features.ts';
import { layoutOf, parameterCount } from '../../../protocol/learning/model.ts';
import { packingOf, requirementOfTask } from '../../../protocol/learning/task.ts';
import { vectorOf } from '../../../protocol/learning/vector.ts';
import { BUCKETS, selectionOf, stateOf } from '../../contracts/world.ts';
import { memoryStore } from '../../unit/secagg-fixtures.ts';
import { CACHE_DIR } from '../command.ts';
import type { WireWorld } from './world.ts';

export interface WireDealer {
  readonly address: Hex;
  readonly identity: Identity;
  readonly chain: ChainConnection;
  /** What an honest node would seal, for this round and attempt. */
  request(round: number, attempt?: number): Promise<SealRequest>;
  seal(round: number, sealer?: Sealer, attempt?: number): Promise<StoredUpdate>;
  /** Both steps of the upload. */
  send(round: number, update: StoredUpdate, attempt?: number): Promise<number>;
  commit(round: number, update: StoredUpdate, attempt?: number): Promise<void>;
  /** Seals, sends and commits. */
  takePart(round: number, sealer?: Sealer): Promise<StoredUpdate>;
  /** Takes no part, and says so. */
  decline(round: number): void;
  stop(): void;
}

const FAR_SECONDS = 4_102_444_800;
const WEIGHT = 10;
const RECORDS: Hex = `0x${'0e'.repeat(32)}`;

export async function honestSealer(): Promise<Sealer> {
  return createSealer({ ring: await createSimdRing({ cacheDir: CACHE_DIR }) });
}

/** One that was there before has its consent on chain already. */
export async function startDealer(world: WireWorld, identity: Identity): Promise<WireDealer> {
  const chain = await world.connect(identity);
  const standing = await chain.registry.currentAnchor(identity.address);
  const anchoredRoot = standing?.root ?? (await consent(world, identity, chain));
  const { task, contract } = world;
  const parameters = parameterCount(layoutOf(task, featureCount(contract)));
  const valueCount = vectorOf(task, featureCount(contract)).length;
  const journal = memoryStore();
  const files = createPayloadFiles(join(world.directory, 'sealed', identity.address));
  const honest = await honestSealer();
  const once = (sealer: Sealer): OneTimeSealer => createOneTimeSealer({ sealer, journal, files });
  const toCoordinator = { coordinatorUrl: world.coordinator.url, identity, chain };
  const sendUpload = createUploadSender(toCoordinator);
  const log = createLog('dealer', 'silent');
  const sign = createFingerprintSigner({ ...toCoordinator, sealer: once(honest), task, valueCount, log });
  const link = createCoordinatorLink(world.coordinator.url, {
    log,
    clock: systemClock,
    party: identity.address,
    signHello: async (hello) => signTypedStruct(identity.privateKey, chain.domain, 'Hello', hello),
    onEvent: (event) => {
      if (event.type === 'aggregate-ready') void sign(event.round, event.aggregateHash);
    },
  });
  link.start();

  const dealer: WireDealer = {
    address: identity.address,
    identity,
    chain,
    async request(round, attempt = 1) {
      const record = await chain.ledger.roundOf(round);
      if (record === undefined) throw new Error(`no round ${round}`);
      return {
        chainId: chain.client.chainId,
        ledger: chain.ledger.address,
        round,
        attempt,
        dealer: identity.address,
        seed: record.seed,
        packing: packingOf(task),
        dealers: world.dealers.length,
        values: valuesOf(parameters, valueCount, task.update.valueBits),
        keyHolders: await sealingKeysOf(chain, round),
        threshold: (await chain.federation.parameters()).keyHolderThreshold,
      };
    },
    seal: async (round, sealer = honest, attempt = 1) => once(sealer).seal(await dealer.request(round, attempt)),
    send: (round, update, attempt = 1) => sendUpload(round, attempt, update),
    async commit(round, { payloadHash, sharesRoot }, attempt = 1) {
      const terms = { round, attempt, payloadHash, sharesRoot, recordsRoot: RECORDS, weight: WEIGHT };
      await chain.ledger.commit({ ...terms, anchoredRoot });
    },
    async takePart(round, sealer = honest) {
      const update = await dealer.seal(round, sealer);
      await dealer.send(round, update);
      await dealer.commit(round, update);
      return update;
    },
    decline: (round) => link.decline(round, 'not this time'),
    stop: link.stop,
  };
  return dealer;
}

/** No change to the model, and ten records in the first bin: what the server step then makes is known. */
function valuesOf(parameters: number, valueCount: number, valueBits: number): Uint16Array {
  const values = new Uint16Array(valueCount).fill(2 ** (valueBits - 1), 0, parameters);
  values[parameters] = WEIGHT;
  return values;
}

/** Anchored by the one witness, claimed under the double, selected: the dealer's commits stand. */
async function consent(world: WireWorld, dealer: Identity, chain: ChainConnection): Promise<Hex> {
  const { registry, domain } = chain;
  const requirement = requirementOfTask(world.task, world.contract);
  const state = stateOf(1);
  const anchor = { dealer: dealer.address, ...state };
  await registry.anchor(state, [signTypedStruct(world.witness.privateKey, domain, 'Anchor', anchor)]);
  const digests = BUCKETS.map(({ digest }) => digest);
  const publicSignals = [
    claimContext(chain.client.chainId, registry.address, dealer.address),
    ...splitGrants(requirement.required),
    BigInt(requirement.minEvidence),
    BigInt(FAR_SECONDS),
    0n,
    BigInt(NO_PRIVACY_CAP),
    ...digests,
    ...Array.from({ length: 16 - digests.length }, () => 0n),
  ];
  await registry.admitPolicies({ a: [1n, 0n], b: [[0n, 0n], [0n, 0n]], c: [0n, 0n], publicSignals }); // biome-ignore format: three points
  await registry.admitSelection(selectionOf(BUCKETS, BUCKETS, requirement));
  const anchored = await registry.currentAnchor(dealer.address);
  if (anchored === undefined) throw new Error('the anchor is not there');
  return anchored.root;
}
