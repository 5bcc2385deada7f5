// Customers of one synthetic dealer: real passkeys, real policies, anchored states, claims and selections.
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { createSoftwarePasskey, type SoftwarePasskey } from '../../../engines/keys/software-passkey.ts';
import { type Hex, sha256, toHex, utf8ToBytes } from '../../../protocol/bytes.ts';
import { encodeCbor } from '../../../protocol/codec.ts';
import { anchoredRoot } from '../../../protocol/consent/anchor.ts';
import { encodeAssertion } from '../../../protocol/consent/assertion.ts';
import { decodeEntry, type LogEntry } from '../../../protocol/consent/log.ts';
import { encodeOperation, operationHash, subjectOf } from '../../../protocol/consent/operation.ts';
import {
  claimContext,
  EVIDENCE,
  NO_PRIVACY_CAP,
  type Policy,
  policyDigest,
  requirementKey,
  splitGrants,
} from '../../../protocol/consent/policy.ts';
import { ConsentState } from '../../../protocol/consent/state.ts';
import { requirementOfTask } from '../../../protocol/learning/task.ts';
import type { Chronicle, Party } from './chronicle.ts';
import { contract, task } from './small-task.ts';
import type { Trapdoor } from './trapdoor-proofs.ts';

export const requirement = requirementOfTask(task, contract);
export const key = requirementKey(requirement);
export const RELYING_PARTY = { rpId: 'consent.example', origins: ['https://consent.example'] };
const EXPIRY = 1_900_000_000;
/** The policies that customers chose: without and with an accuracy floor. */
const FLOORS_BPS = [0, 5_000] as const;

export interface ConsentDesk {
  readonly dealer: Party;
  readonly digests: readonly bigint[];
  /** Signs and keeps an operation for the next anchor. */
  move(customer: number, digest: bigint): void;
  /** Publishes the state after all operations so far. */
  anchor(): Promise<void>;
  claim(): Promise<void>;
  /** Admits the buckets of these digests; returns the number of members. */
  select(digests: readonly bigint[]): Promise<number>;
  root(): Hex;
  /** The same log under another federation, whose transcript gets all its epochs so far. */
  carryOn(to: Chronicle): ConsentDesk;
}

/** What a dealer has whatever federation it anchors under: its state, and the entries of each epoch so far. */
interface DealersLog {
  readonly state: ConsentState;
  readonly epochs: LogEntry[][];
}

export function openConsentDesk(
  chronicle: Chronicle,
  dealer: Party,
  witnesses: readonly Party[],
  trapdoor: Trapdoor,
  log: DealersLog = { state: ConsentState.empty(dealer.address), epochs: [] },
): ConsentDesk {
  const { state, epochs } = log;
  const { deployment } = chronicle;
  const domain = { chainId: deployment.chainId, federation: deployment.federation };
  const digests = FLOORS_BPS.map((accuracyFloorBps, i) => {
    const conditions = {
      expiry: EXPIRY,
      accuracyFloorBps,
      privacyCapMilli: NO_PRIVACY_CAP,
      evidence: EVIDENCE.passkey,
    };
    const policy: Policy = { grants: requirement.required, conditions };
    return policyDigest(policy, BigInt(toHex(sha256(utf8ToBytes(`${dealer.name} salt ${i}`))).slice(0, 60)));
  });
  const passkeys = new Map<number, SoftwarePasskey>();
  let pending: LogEntry[] = [];
  epochs.forEach((entries, i) => {
    record(entries, i + 1);
  });

  function record(entries: readonly LogEntry[], epoch: number): void {
    const operations = chronicle.blob(encodeCbor(entries.map(({ operation, assertion }) => [operation, assertion])));
    chronicle.append({ type: 'consent', dealer: dealer.address, epoch, operations });
  }

  function passkeyOf(customer: number): SoftwarePasskey {
    const seed = sha256(utf8ToBytes(`${dealer.name} customer ${customer}`));
    const made =
      passkeys.get(customer) ??
      createSoftwarePasskey({ rpId: RELYING_PARTY.rpId, origin: RELYING_PARTY.origins[0] ?? '', seed });
    passkeys.set(customer, made);
    return made;
  }

  return {
    dealer,
    digests,
    move(customer, newDigest) {
      const passkey = passkeyOf(customer);
      const nonce = toHex(sha256(utf8ToBytes(`${dealer.name} nonce ${customer}`)));
      const subject = subjectOf(passkey.publicKey, dealer.address, nonce);
      const known = state.subject(subject);
      const seq = (known?.seq ?? 0) + 1;
      const recordHash = toHex(sha256(utf8ToBytes(`record ${customer} ${seq}`)));
      const operation = encodeOperation({
        dealer: dealer.address,
        subject,
        publicKey: passkey.publicKey,
        nonce,
        seq,
        oldDigest: known?.digest ?? 0n,
        newDigest,
        recordHash,
      });
      const entry = { operation, assertion: encodeAssertion(passkey.sign(operationHash(operation))) };
      state.apply(decodeEntry(entry));
      pending.push(entry);
    },
    async anchor() {
      epochs.push(pending);
      record(pending, epochs.length);
      pending = [];
      const anchor = state.anchor(epochs.length);
      const witnessSignatures = witnesses.map(({ privateKey }) =>
        signTypedStruct(privateKey, domain, 'Anchor', anchor),
      );
      await chronicle.act('Anchored', dealer, {
        ...anchor,
        root: anchoredRoot(anchor),
        call: { witnessSignatures },
      });
    },
    async claim() {
      for (const [i, digest] of digests.entries()) {
        const bounds = { validUntil: EXPIRY, accuracyFloorBps: FLOORS_BPS[i] ?? 0, privacyCapMilli: NO_PRIVACY_CAP };
        const context = claimContext(deployment.chainId, deployment.registry, dealer.address);
        const [required0, required1] = splitGrants(requirement.required);
        const head = [context, required0, required1, BigInt(requirement.minEvidence)];
        const limits = [BigInt(bounds.validUntil), BigInt(bounds.accuracyFloorBps), BigInt(bounds.privacyCapMilli)];
        const signals = [...head, ...limits, digest, ...new Array<bigint>(15).fill(0n)];
        const call = trapdoor.prove(signals);
        await chronicle.act('PoliciesAdmitted', dealer, {
          dealer: dealer.address,
          requirementKey: key,
          ...bounds,
          digests: [digest],
          call,
        });
      }
    },
    async select(chosen) {
      const { buckets, proof, proofFlags } = state.selectionProof(chosen);
      const [required0, required1] = splitGrants(requirement.required);
      const memberCount = buckets.reduce((sum, bucket) => sum + bucket.memberCount, 0);
      const floors = digests.flatMap((digest, i) => (chosen.includes(digest) ? [FLOORS_BPS[i] ?? 0] : []));
      await chronicle.act('SelectionAdmitted', dealer, {
        dealer: dealer.address,
        requirementKey: key,
        root: anchoredRoot(state.anchor(epochs.length)),
        memberCount,
        validUntil: EXPIRY,
        accuracyFloorBps: Math.max(...floors),
        privacyCapMilli: NO_PRIVACY_CAP,
        bucketCount: buckets.length,
        call: { required0, required1, minEvidence: requirement.minEvidence, buckets, proof, proofFlags },
      });
      return memberCount;
    },
    root: () => anchoredRoot(state.anchor(epochs.length)),
    carryOn: (to) => openConsentDesk(to, dealer, witnesses, trapdoor, log),
  };
}
