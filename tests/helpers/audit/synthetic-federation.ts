// A whole honest history, made with the protocol's own functions, real keys, real proofs and SEAL: two rounds of four
// dealers, with a withdrawal between them and a dealer left out of the second set.
import { hashVerificationKey } from '../../../engines/proof/verification-key.ts';
import { createSealOpener } from '../../../engines/ring/open-seal.ts';
import { createSealRing } from '../../../engines/ring/seal.ts';
import { toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { canonicalJson } from '../../../protocol/consent/canonical-json.ts';
import { encodeModel, initialModel } from '../../../protocol/learning/model.ts';
import { addressNamed, type Chronicle, memoryChronicle, type Party, party } from './chronicle.ts';
import type { RawEvidence } from './raw-evidence.ts';
import { contract, contractText, task, taskText } from './small-task.ts';
import { type ConsentDesk, openConsentDesk, RELYING_PARTY } from './synthetic-consent.ts';
import { runSyntheticRound } from './synthetic-round.ts';
import { type Trapdoor, trapdoorSetup } from './trapdoor-proofs.ts';

const byAddress = (a: Party, b: Party): number => (a.address < b.address ? -1 : 1);

export const OPERATOR = party('operator');
const COORDINATOR = party('coordinator');
const DEALERS: readonly Party[] = [1, 2, 3, 4].map((i) => party(`dealer-${i}`)).sort(byAddress);
const WITNESSES: readonly Party[] = [COORDINATOR, party('witness')];
const KEY_HOLDERS: readonly Party[] = [1, 2, 3].map((i) => party(`key-holder-${i}`));
const THRESHOLD = 2;
const SIGNALS = 23;

export const TRAPDOOR = trapdoorSetup(SIGNALS);
export const PARAMETERS = {
  minCohort: 3,
  keyHolderThreshold: THRESHOLD,
  witnessQuorum: 2,
  metricMaxAgeSeconds: 86_400,
  verificationKeyHash: hashVerificationKey(TRAPDOOR.verificationKey),
};

export async function syntheticFederation(): Promise<RawEvidence> {
  const federation = addressNamed('federation');
  const [registry, ledger] = [addressNamed('registry'), addressNamed('ledger')];
  const chronicle = memoryChronicle({
    chainId: 31_337,
    federation,
    registry,
    ledger,
    parameters: PARAMETERS,
    registryFederation: federation,
    ledgerFederation: federation,
    ledgerRegistry: registry,
  });
  await chronicle.act('ContractsSet', OPERATOR, { registry, ledger });
  await writeHistory(chronicle, TRAPDOOR);
  return chronicle.evidence();
}

/** Everything from the first registration to the second publication. */
export async function writeHistory(chronicle: Chronicle, trapdoor: Trapdoor): Promise<void> {
  await register(chronicle);
  const first = initialModel(task, contract);
  const firstHash = chronicle.blob(encodeModel(first));
  chronicle.append({
    type: 'genesis',
    chainId: chronicle.deployment.chainId,
    federation: chronicle.deployment.federation,
    task: chronicle.blob(utf8ToBytes(taskText)),
    dataContract: chronicle.blob(utf8ToBytes(contractText)),
    verificationKey: chronicle.blob(utf8ToBytes(canonicalJson(trapdoor.verificationKey))),
    initialModel: firstHash,
    relyingParty: RELYING_PARTY,
  });

  const desks = DEALERS.map((dealer) => openConsentDesk(chronicle, dealer, WITNESSES, trapdoor));
  const engines = { ring: await createSealRing(), opener: await createSealOpener() };
  const shared = { coordinator: COORDINATOR, keyHolders: KEY_HOLDERS, threshold: THRESHOLD };
  const set = DEALERS.map(({ address }) => address);

  for (const desk of desks) await enrol(desk);
  // nothing has been measured yet, so the policies with an accuracy floor stay out
  const committing = await selectAll(desks, 1);
  const base = { model: first, hash: firstHash };
  const second = await runSyntheticRound(chronicle, engines, { ...shared, round: 1, base, committing, set });

  desks[0]?.move(0, 0n);
  await desks[0]?.anchor();
  const again = await selectAll(desks, 2);
  const smaller = { round: 2, base: second, committing: again, set: set.slice(0, 3) };
  await runSyntheticRound(chronicle, engines, { ...shared, ...smaller });
}

async function register(chronicle: Chronicle): Promise<void> {
  await chronicle.act('CoordinatorSet', OPERATOR, { coordinator: COORDINATOR.address });
  for (const { address } of DEALERS) await chronicle.act('DealerRegistered', OPERATOR, { dealer: address });
  for (const { address } of WITNESSES) await chronicle.act('WitnessRegistered', OPERATOR, { witness: address });
  for (const [i, { address, name }] of KEY_HOLDERS.entries()) {
    const x25519PublicKey = toHex(utf8ToBytes(name.padEnd(32, '.')));
    await chronicle.act('KeyHolderRegistered', OPERATOR, { keyHolder: address, index: i + 1, x25519PublicKey });
  }
}

/** Five customers: three without conditions, two with an accuracy floor. */
async function enrol(desk: ConsentDesk): Promise<void> {
  for (let customer = 0; customer < 5; customer++) {
    const digest = desk.digests[customer < 3 ? 0 : 1];
    if (digest !== undefined) desk.move(customer, digest);
  }
  await desk.anchor();
  await desk.claim();
}

/** Each dealer selects its first so many policies, and commits to all their members. */
async function selectAll(desks: readonly ConsentDesk[], policies: number) {
  const committing: { dealer: Party; root: `0x${string}`; weight: number }[] = [];
  for (const desk of desks) {
    const weight = await desk.select(desk.digests.slice(0, policies));
    committing.push({ dealer: desk.dealer, root: desk.root(), weight });
  }
  return committing;
}
