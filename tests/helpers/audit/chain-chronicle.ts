// The same synthetic history as transactions to the real contracts on a real anvil.
import { fileURLToPath } from 'node:url';
import type { Deployment, EventName } from '../../../auditor/history.ts';
import { verifierSource } from '../../../auditor/proof/verifier-source.ts';
import { type ChainClient, createChainClient } from '../../../engines/chain/client.ts';
import { compileContracts } from '../../../engines/chain/compile.ts';
import { createConsentRegistry } from '../../../engines/chain/consent-registry.ts';
import { deployFederation } from '../../../engines/chain/deploy.ts';
import type { EmbeddedChain } from '../../../engines/chain/embedded.ts';
import { createFederation } from '../../../engines/chain/federation.ts';
import { createRoundLedger } from '../../../engines/chain/round-ledger.ts';
import { fromHex, type Hex } from '../../../protocol/bytes.ts';
import type { EvidenceLevel } from '../../../protocol/consent/policy.ts';
import { CONSENT } from '../../../protocol/params.ts';
import { type Chronicle, type FieldsOf, type Party, startTranscript } from './chronicle.ts';
import { OPERATOR, PARAMETERS, TRAPDOOR } from './synthetic-federation.ts';

const path = (relative: string): string => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));

/** Deploys with the verifier of the synthetic key, whose proofs are real. */
export async function chainChronicle(chain: EmbeddedChain, predecessor?: Hex): Promise<Chronicle> {
  const clients = new Map<string, Promise<ChainClient>>();
  function clientOf(party: Party): Promise<ChainClient> {
    const made =
      clients.get(party.name) ??
      chain
        .fund(party.address, 10n ** 20n)
        .then(() => createChainClient({ rpcUrl: chain.rpcUrl, privateKey: party.privateKey }));
    clients.set(party.name, made);
    return made;
  }

  const source = await verifierSource(TRAPDOOR.verificationKey);
  const artifacts = await compileContracts({ cacheDir: path('.concordat/cache'), verifierSource: source });
  const operator = await clientOf(OPERATOR);
  const at = await deployFederation(operator, artifacts, {
    operator: OPERATOR.address,
    parameters: PARAMETERS,
    setup: 'single-operator',
    ...(predecessor !== undefined && { predecessor }),
  });
  const { federation, registry, ledger } = at;
  const deployment: Deployment = {
    chainId: chain.chainId,
    federation,
    registry,
    ledger,
    parameters: PARAMETERS,
    registryFederation: federation,
    ledgerFederation: federation,
    ledgerRegistry: registry,
    // an audit reads it from the chain
    code: { federation: '0x', registry: '0x', ledger: '0x', verifier: '0x', verifierAddress: at.verifier },
  };

  return {
    ...startTranscript(),
    deployment,
    async act(name, sender, fields) {
      const client = await clientOf(sender);
      await ACTIONS[name]?.(client, deployment, fields as never);
    },
    async openRound(sender, { required, minEvidence, taskHash, baseModelHash, epsilonAfterMilli, deadline }) {
      const contract = createRoundLedger(await clientOf(sender), ledger);
      const requirement = { required, minEvidence };
      const opening = { taskHash, requirement, baseModelHash, epsilonAfterMilli, deadline };
      const { round } = await contract.openRound(opening);
      const record = await contract.roundOf(round);
      if (record === undefined) throw new Error(`round ${round} is not on chain`);
      return record.seed;
    },
    nowSeconds: async () => operator.blockTimestamp(),
  };
}

type Action = (client: ChainClient, at: Deployment, fields: never) => Promise<unknown>;

const action = <N extends EventName>(
  run: (client: ChainClient, at: Deployment, fields: FieldsOf<N>) => Promise<unknown>,
): Action => run as Action;

const ACTIONS: Partial<Record<EventName, Action>> = {
  SuccessorNamed: action<'SuccessorNamed'>((client, at, { successor }) =>
    createFederation(client, at.federation).nameSuccessor(successor),
  ),
  CoordinatorSet: action<'CoordinatorSet'>((client, at, { coordinator }) =>
    createFederation(client, at.federation).setCoordinator(coordinator),
  ),
  DealerRegistered: action<'DealerRegistered'>((client, at, { dealer }) =>
    createFederation(client, at.federation).registerDealer(dealer),
  ),
  WitnessRegistered: action<'WitnessRegistered'>((client, at, { witness }) =>
    createFederation(client, at.federation).registerWitness(witness),
  ),
  KeyHolderRegistered: action<'KeyHolderRegistered'>((client, at, { keyHolder }) =>
    createFederation(client, at.federation).registerKeyHolder(keyHolder),
  ),
  KeyRotated: action<'KeyRotated'>((client, at, { publicKey }) =>
    createFederation(client, at.federation).rotateKey(fromHex(publicKey)),
  ),
  Anchored: action<'Anchored'>((client, at, { call, ...state }) =>
    createConsentRegistry(client, at.registry).anchor(state, call?.witnessSignatures ?? []),
  ),
  PoliciesAdmitted: action<'PoliciesAdmitted'>(async (client, at, { call }) => {
    if (call !== undefined) await createConsentRegistry(client, at.registry).admitPolicies(call);
  }),
  SelectionAdmitted: action<'SelectionAdmitted'>(async (client, at, { call }) => {
    if (call === undefined) return;
    const { required0, required1, minEvidence, ...rest } = call;
    const required = required0 | (required1 << BigInt(CONSENT.grantBitsPerWord));
    const requirement = { required, minEvidence: minEvidence as EvidenceLevel };
    await createConsentRegistry(client, at.registry).admitSelection({ requirement, ...rest });
  }),
  Committed: action<'Committed'>((client, at, commit) => createRoundLedger(client, at.ledger).commit(commit)),
  SetFinalised: action<'SetFinalised'>((client, at, { round, dealers }) =>
    createRoundLedger(client, at.ledger).finaliseSet(
      round,
      dealers.map((dealer) => ({ dealer, attempt: 1 })),
    ),
  ),
  Published: action<'Published'>((client, at, publication) =>
    createRoundLedger(client, at.ledger).publish(publication),
  ),
};
