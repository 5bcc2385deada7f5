// A whole honest history, made with the protocol's own functions, real keys, real proofs and SEAL: two rounds of four
// dealers, with a withdrawal and a new sealing key between them, and a dealer left out of the second set.
import { immutablesOf } from '../../../auditor/deployed-code.ts';
import type { DeployedCode, History } from '../../../auditor/history.ts';
import { compileDeployed } from '../../../auditor/proof/compile.ts';
import { createSealOpener } from '../../../auditor/ring/open-seal.ts';
import { createSealRing } from '../../../auditor/ring/seal.ts';
import { fromHex, type Hex, sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { canonicalJson } from '../../../protocol/consent/canonical-json.ts';
import type { DataContract } from '../../../protocol/learning/data-contract.ts';
import { encodeModel, initialModel } from '../../../protocol/learning/model.ts';
import type { Task } from '../../../protocol/learning/task.ts';
import { hashVerificationKey } from '../../../protocol/proof/verification-key.ts';
import { SEALING_KEY_BYTES } from '../../../protocol/secagg/shares.ts';
import { blobPathOf } from '../../../protocol/transcript/bundle.ts';
import { streamOf } from '../../unit/secagg-fixtures.ts';
import { CACHE_DIR } from '../command.ts';
import { addressNamed, type Chronicle, memoryChronicle, type Party, party } from './chronicle.ts';
import type { RawEvidence } from './raw-evidence.ts';
import { contract, contractTextOf, task, taskText, wideTask, wideTaskText } from './small-task.ts';
import { type ConsentDesk, openConsentDesk, RELYING_PARTY } from './synthetic-consent.ts';
import { type RoundPlan, runSyntheticRound } from './synthetic-round.ts';
import { type Trapdoor, trapdoorSetup } from './trapdoor-proofs.ts';

const byAddress = (a: Party, b: Party): number => (a.address < b.address ? -1 : 1);

export const OPERATOR = party('operator');
const COORDINATOR = party('coordinator');
export const DEALERS: readonly Party[] = [1, 2, 3, 4].map((i) => party(`dealer-${i}`)).sort(byAddress);
const WITNESSES: readonly Party[] = [COORDINATOR, party('witness')];
/** Two more than the threshold: one false answer of four can be told. */
export const KEY_HOLDERS: readonly Party[] = [1, 2, 3, 4].map((i) => party(`key-holder-${i}`));
export const THRESHOLD = 2;
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
  const chronicle = await memoryFederation();
  await writeHistory(chronicle, TRAPDOOR);
  return chronicle.evidence();
}

/** One round of a sum of 17 blocks. */
export const wideFederation = (): Promise<RawEvidence> => roundsWithoutConsent(wideTask, wideTaskText, 1);

/** Rounds with nothing of consent in them: for the checks of sum, opening and model alone. */
export async function roundsWithoutConsent(
  of: Task,
  text: string,
  rounds: number,
  about: DataContract = contract,
): Promise<RawEvidence> {
  const chronicle = await memoryFederation();
  await register(chronicle);
  let base: RoundPlan['base'] = writeGenesis(chronicle, of, text, TRAPDOOR, about);
  const set = DEALERS.map(({ address }) => address);
  const committing = DEALERS.map((dealer) => ({ dealer, root: toHex(sha256(utf8ToBytes(dealer.name))), weight: 5 }));
  const made = await engines();
  for (let round = 1; round <= rounds; round++) {
    const plan = { ...OFFICES, task: of, round, base, committing, set, fingerprinting: set };
    base = await runSyntheticRound(chronicle, made, plan);
  }
  return chronicle.evidence();
}

export interface Turn {
  readonly task: Task;
  readonly text: string;
}

/** A round for each turn, with nothing of consent in it. The genesis names the first task, an entry of its own each other one. */
export async function roundsInTurn(turns: readonly Turn[]): Promise<RawEvidence> {
  const chronicle = await memoryFederation();
  await register(chronicle);
  const bases = new Map<string, RoundPlan['base']>();
  const set = DEALERS.map(({ address }) => address);
  const made = await engines();
  for (const [i, { task: of, text }] of turns.entries()) {
    const first = i === 0 ? writeGenesis : nameTask;
    const base = bases.get(of.hash) ?? first(chronicle, of, text, TRAPDOOR);
    const root = (dealer: Party) => toHex(sha256(utf8ToBytes(`${dealer.name}/${i}`)));
    const committing = DEALERS.map((dealer) => ({ dealer, root: root(dealer), weight: 5 }));
    const plan = { ...OFFICES, task: of, round: i + 1, base, committing, set, fingerprinting: set };
    bases.set(of.hash, await runSyntheticRound(chronicle, made, plan));
  }
  return chronicle.evidence();
}

const VERIFIER = addressNamed('verifier');
const NO_CODE: DeployedCode = {
  ...{ federation: '0x', registry: '0x', ledger: '0x', verifier: '0x' },
  verifierAddress: VERIFIER,
};

/** What the constructors would have left on a chain. */
async function deployedCode(history: History): Promise<DeployedCode> {
  const compiled = await compileDeployed(CACHE_DIR, TRAPDOOR.verificationKey);
  const words = immutablesOf(history);
  const filled = (contract: keyof typeof words): Hex => {
    const { code, immutables } = compiled[contract] ?? { code: '0x', immutables: [] };
    const bytes = fromHex(code);
    for (const { name, at } of immutables) {
      for (const { start, length } of at) {
        bytes.set((words[contract][name] ?? new Uint8Array(32)).subarray(32 - length), start);
      }
    }
    return toHex(bytes);
  };
  return {
    ...{ federation: filled('federation'), registry: filled('registry'), ledger: filled('ledger') },
    ...{ verifier: filled('verifier'), verifierAddress: VERIFIER },
  };
}

/** @param version of the contracts: another one has other addresses */
export async function memoryFederation(version = '', predecessor?: History) {
  const federation = addressNamed(`federation${version}`);
  const [registry, ledger] = [addressNamed(`registry${version}`), addressNamed(`ledger${version}`)];
  const deployment = {
    chainId: 31_337,
    federation,
    registry,
    ledger,
    parameters: PARAMETERS,
    registryFederation: federation,
    ledgerFederation: federation,
    ledgerRegistry: registry,
    code: NO_CODE,
  };
  const named = predecessor && { name: 'PredecessorNamed', predecessor: predecessor.deployment.federation };
  const events = (named ? [named] : []) as unknown as History['events'];
  const code = await deployedCode({ deployment, events, headBlock: 0, ...(predecessor && { predecessor }) });
  const chronicle = memoryChronicle({ ...deployment, code }, predecessor);
  if (predecessor !== undefined) {
    await chronicle.act('PredecessorNamed', OPERATOR, { predecessor: predecessor.deployment.federation });
  }
  await chronicle.act('ContractsSet', OPERATOR, { registry, ledger });
  return chronicle;
}

const OFFICES = { coordinator: COORDINATOR, keyHolders: KEY_HOLDERS, threshold: THRESHOLD };
const engines = async () => ({ ring: await createSealRing(), opener: await createSealOpener() });

/** Where a history ends: what another federation would carry on from. */
export interface HistoryEnd {
  readonly desks: readonly ConsentDesk[];
  readonly base: RoundPlan['base'];
  /** Of the bundle so far. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Everything from the first registration to the second publication. */
export async function writeHistory(chronicle: Chronicle, trapdoor: Trapdoor): Promise<HistoryEnd> {
  await register(chronicle);
  const base = writeGenesis(chronicle, task, taskText, trapdoor);
  const desks = DEALERS.map((dealer) => openConsentDesk(chronicle, dealer, WITNESSES, trapdoor));
  const shared = { ...OFFICES, task };
  const made = await engines();
  const set = DEALERS.map(({ address }) => address);

  for (const desk of desks) await enrol(desk);
  // nothing has been measured yet, so the policies with an accuracy floor stay out
  const committing = await selectAll(desks, 1);
  const whole = { round: 1, base, committing, set, fingerprinting: set };
  const second = await runSyntheticRound(chronicle, made, { ...shared, ...whole });

  await rotate(chronicle, 1, 2);
  desks[0]?.move(0, 0n);
  await desks[0]?.anchor();
  const again = await selectAll(desks, 2);
  // one dealer came too late for the set, and one of the others has gone before it could sign a fingerprint
  const smaller = { round: 2, base: second, committing: again, set: set.slice(0, 3), fingerprinting: set.slice(0, 2) };
  const last = await runSyntheticRound(chronicle, made, { ...shared, ...smaller });
  return { desks, base: last, files: chronicle.files };
}

/** Members and keys of another federation, ready to take over. */
export const writeSuccessor = (chronicle: Chronicle): Promise<void> => register(chronicle);

/** Once it has taken over: every dealer anchors anew, one with a withdrawal, and the third round goes on from the second model. */
export async function writeContinuation(chronicle: Chronicle, trapdoor: Trapdoor, end: HistoryEnd): Promise<void> {
  writeGenesis(chronicle, task, taskText, trapdoor);
  // what the next model is made of: the last one, and the state that it names
  for (const hash of [end.base.hash, end.base.model.state]) {
    const bytes = hash && end.files.get(blobPathOf(hash));
    if (bytes) chronicle.blob(bytes);
  }
  const desks = end.desks.map((desk) => desk.carryOn(chronicle));
  desks[1]?.move(1, 0n);
  for (const desk of desks) {
    await desk.anchor();
    await desk.claim();
  }
  const set = DEALERS.map(({ address }) => address);
  const round = { round: 3, base: end.base, committing: await selectAll(desks, 1), set, fingerprinting: set };
  await runSyntheticRound(chronicle, await engines(), { ...OFFICES, task, ...round });
}

function writeGenesis(
  chronicle: Chronicle,
  of: Task,
  text: string,
  { verificationKey }: Trapdoor,
  about: DataContract = contract,
) {
  const model = initialModel(of, about);
  const hash = chronicle.blob(encodeModel(model));
  chronicle.append({
    type: 'genesis',
    chainId: chronicle.deployment.chainId,
    federation: chronicle.deployment.federation,
    task: chronicle.blob(utf8ToBytes(text)),
    dataContract: chronicle.blob(utf8ToBytes(contractTextOf(about))),
    verificationKey: chronicle.blob(utf8ToBytes(canonicalJson(verificationKey))),
    initialModel: hash,
    relyingParty: RELYING_PARTY,
  });
  return { model, hash };
}

function nameTask(chronicle: Chronicle, of: Task, text: string) {
  const model = initialModel(of, contract);
  const hash = chronicle.blob(encodeModel(model));
  const [named, dataContract] = [text, contractTextOf(contract)].map((document) =>
    chronicle.blob(utf8ToBytes(document)),
  );
  if (named === undefined || dataContract === undefined) throw new Error('no documents');
  chronicle.append({ type: 'task', task: named, dataContract, initialModel: hash });
  return { model, hash };
}

async function register(chronicle: Chronicle): Promise<void> {
  await chronicle.act('CoordinatorSet', OPERATOR, { coordinator: COORDINATOR.address });
  for (const { address } of DEALERS) await chronicle.act('DealerRegistered', OPERATOR, { dealer: address });
  for (const { address } of WITNESSES) await chronicle.act('WitnessRegistered', OPERATOR, { witness: address });
  for (const [i, { address }] of KEY_HOLDERS.entries()) {
    await chronicle.act('KeyHolderRegistered', OPERATOR, { keyHolder: address, index: i + 1 });
  }
  for (const [i] of KEY_HOLDERS.entries()) await rotate(chronicle, i + 1, 1);
}

/** The shares of this history are random bytes, so no key ever opens any: any 1,216 bytes will do. */
async function rotate(chronicle: Chronicle, index: number, epoch: number): Promise<void> {
  const holder = KEY_HOLDERS[index - 1] ?? OPERATOR;
  const key = new Uint8Array(SEALING_KEY_BYTES);
  streamOf(`${holder.name} key ${epoch}`)(key);
  await chronicle.act('KeyRotated', holder, { keyHolder: holder.address, index, epoch, publicKey: toHex(key) });
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
