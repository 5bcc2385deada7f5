// A whole honest history in memory, made with the protocol's own functions, real keys, real proofs and SEAL: two rounds of
// four dealers, with a withdrawal between them and a dealer left out of the second set.
import { createSealOpener } from '../../../engines/ring/open-seal.ts';
import { createSealRing } from '../../../engines/ring/seal.ts';
import { hashVerificationKey } from '../../../engines/proof/verification-key.ts';
import { toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { canonicalJson } from '../../../protocol/consent/canonical-json.ts';
import { encodeModel, initialModel } from '../../../protocol/learning/model.ts';
import { addressNamed, type Party, party, startChronicle } from './chronicle.ts';
import type { RawEvidence } from './raw-evidence.ts';
import { contract, contractText, task, taskText } from './small-task.ts';
import { type ConsentDesk, openConsentDesk, RELYING_PARTY } from './synthetic-consent.ts';
import { runSyntheticRound } from './synthetic-round.ts';
import { type Trapdoor, trapdoorSetup } from './trapdoor-proofs.ts';

const byAddress = (a: Party, b: Party): number => (a.address < b.address ? -1 : 1);

export const OPERATOR = party('operator');
export const COORDINATOR = party('coordinator');
export const DEALERS: readonly Party[] = [1, 2, 3, 4].map((i) => party(`dealer-${i}`)).sort(byAddress);
export const WITNESSES: readonly Party[] = [COORDINATOR, party('witness')];
export const KEY_HOLDERS: readonly Party[] = [1, 2, 3].map((i) => party(`key-holder-${i}`));
const THRESHOLD = 2;
const SIGNALS = 23;

/** @param trapdoor of another setup, for keys that must be refused */
export async function syntheticFederation(trapdoor: Trapdoor = trapdoorSetup(SIGNALS)): Promise<RawEvidence> {
  const [federation, registry, ledger] = ['federation', 'registry', 'ledger'].map(addressNamed) as [`0x${string}`, `0x${string}`, `0x${string}`];
  const verificationKeyHash = hashVerificationKey(trapdoor.verificationKey);
  const chronicle = startChronicle({
    chainId: 31_337,
    federation,
    registry,
    ledger,
    parameters: { minCohort: 3, keyHolderThreshold: THRESHOLD, witnessQuorum: 2, metricMaxAgeSeconds: 86_400, verificationKeyHash },
    registryFederation: federation,
    ledgerFederation: federation,
    ledgerRegistry: registry,
  });
  chronicle.emit('ContractsSet', OPERATOR.address, { registry, ledger });
  chronicle.emit('CoordinatorSet', OPERATOR.address, { coordinator: COORDINATOR.address });
  for (const { address } of DEALERS) chronicle.emit('DealerRegistered', OPERATOR.address, { dealer: address });
  for (const { address } of WITNESSES) chronicle.emit('WitnessRegistered', OPERATOR.address, { witness: address });
  for (const [i, { address, name }] of KEY_HOLDERS.entries()) {
    const x25519PublicKey = toHex(utf8ToBytes(name.padEnd(32, '.')));
    chronicle.emit('KeyHolderRegistered', OPERATOR.address, { keyHolder: address, index: i + 1, x25519PublicKey });
  }

  const first = initialModel(task, contract);
  const firstHash = chronicle.blob(encodeModel(first));
  chronicle.append({
    type: 'genesis',
    chainId: 31_337,
    federation,
    task: chronicle.blob(utf8ToBytes(taskText)),
    dataContract: chronicle.blob(utf8ToBytes(contractText)),
    verificationKey: chronicle.blob(utf8ToBytes(canonicalJson(trapdoor.verificationKey))),
    initialModel: firstHash,
    relyingParty: RELYING_PARTY,
  });

  const desks = DEALERS.map((dealer) => openConsentDesk(chronicle, dealer, WITNESSES, trapdoor));
  const engines = { ring: await createSealRing(), opener: await createSealOpener() };
  const shared = { coordinator: COORDINATOR, keyHolders: KEY_HOLDERS, threshold: THRESHOLD };

  for (const desk of desks) enrol(desk);
  // nothing has been measured yet, so the policies with an accuracy floor stay out
  const weights = desks.map((desk) => desk.select(desk.digests.slice(0, 1)));
  const committing = desks.map((desk, i) => ({ dealer: desk.dealer, root: desk.root(), weight: weights[i] ?? 0 }));
  const set = DEALERS.map(({ address }) => address);
  const base = { model: first, hash: firstHash };
  const second = runSyntheticRound(chronicle, engines, { ...shared, round: 1, base, committing, set });

  const [withdrawing] = desks;
  withdrawing?.move(0, 0n);
  withdrawing?.anchor();
  const more = desks.map((desk) => desk.select(desk.digests));
  runSyntheticRound(chronicle, engines, {
    ...shared,
    round: 2,
    base: second,
    committing: desks.map((desk, i) => ({ dealer: desk.dealer, root: desk.root(), weight: more[i] ?? 0 })),
    set: set.slice(0, 3),
  });
  return chronicle.raw;
}

/** Five customers: three without conditions, two with an accuracy floor. */
function enrol(desk: ConsentDesk): void {
  for (let customer = 0; customer < 5; customer++) {
    const digest = desk.digests[customer < 3 ? 0 : 1];
    if (digest !== undefined) desk.move(customer, digest);
  }
  desk.anchor();
  desk.claim();
}
