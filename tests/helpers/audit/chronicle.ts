// Writes a history as the contracts would: one event per block, and the transcript beside it.
import { computeAddress } from 'ethers';
import type { Deployment, EventName, EventOf, History, Place } from '../../../auditor/history.ts';
import { standingOf } from '../../../auditor/standing.ts';
import {
  concatBytes,
  fromHex,
  type Hex,
  keccak256,
  sha256,
  toHex,
  uintToBytes,
  utf8ToBytes,
} from '../../../protocol/bytes.ts';
import { blobPathOf, entryName } from '../../../protocol/transcript/bundle.ts';
import { type EntryBody, encodeEntry, GENESIS_PREV } from '../../../protocol/transcript/entry.ts';
import type { RawEvidence } from './raw-evidence.ts';

export interface Party {
  readonly name: string;
  readonly privateKey: Hex;
  readonly address: Hex;
}

export function party(name: string): Party {
  const privateKey = toHex(sha256(utf8ToBytes(`synthetic ${name}`)));
  return { name, privateKey, address: computeAddress(privateKey).toLowerCase() as Hex };
}

export const addressNamed = (name: string): Hex => toHex(keccak256(utf8ToBytes(name)).slice(12));

export type FieldsOf<N extends EventName> = Omit<EventOf<N>, 'name' | 'at'>;
export type Opening = Omit<FieldsOf<'RoundOpened'>, 'seed' | 'keysHash' | 'call'> & {
  readonly required: bigint;
  readonly required0: bigint;
  readonly required1: bigint;
  readonly minEvidence: 1 | 2;
};

/** Where a synthetic history is written: into memory, or as transactions to real contracts. */
export interface Chronicle {
  readonly deployment: Deployment;
  readonly files: Map<string, Uint8Array>;
  act<N extends Exclude<EventName, 'RoundOpened'>>(name: N, sender: Party, fields: FieldsOf<N>): Promise<void>;
  /** @returns the round's seed */
  openRound(sender: Party, opening: Opening): Promise<Hex>;
  /** The contracts' clock. */
  nowSeconds(): Promise<number>;
  blob(bytes: Uint8Array): Hex;
  /** @returns the entry's hash */
  append(body: EntryBody): Hex;
}

/** The bundle's half of a chronicle. */
export function startTranscript(): Pick<Chronicle, 'files' | 'blob' | 'append'> {
  const files = new Map<string, Uint8Array>();
  let [seq, prev] = [0, GENESIS_PREV];
  return {
    files,
    blob(bytes) {
      const hash = toHex(sha256(bytes));
      files.set(blobPathOf(hash), bytes);
      return hash;
    },
    append(body) {
      const { bytes, hash } = encodeEntry(seq, prev, body);
      files.set(`entries/${entryName(seq)}`, bytes);
      [seq, prev] = [seq + 1, hash];
      return hash;
    },
  };
}

const FIRST_BLOCK_SECONDS = 1_780_000_000;
const SECONDS_PER_BLOCK = 12;
const REGISTRY_EVENTS: readonly EventName[] = ['Anchored', 'PoliciesAdmitted', 'SelectionAdmitted'];
const LEDGER_EVENTS: readonly EventName[] = ['RoundOpened', 'Committed', 'SetFinalised', 'RoundFailed', 'Published'];

/** @param predecessor whose last block this one's first follows */
export function memoryChronicle(
  deployment: Deployment,
  predecessor?: History,
): Chronicle & { evidence(): RawEvidence } {
  const transcript = startTranscript();
  const events: History['events'][number][] = [];
  const keyHashes: Uint8Array[] = [];
  let block = (predecessor?.headBlock ?? 0) + 1;

  function emit<N extends EventName>(name: N, sender: Party, fields: FieldsOf<N>): void {
    const { registry, ledger, federation } = deployment;
    const at: Place = {
      block,
      logIndex: 0,
      timestamp: FIRST_BLOCK_SECONDS + SECONDS_PER_BLOCK * block,
      transaction: toHex(keccak256(uintToBytes(block, 32))),
      sender: sender.address,
      contract: REGISTRY_EVENTS.includes(name) ? registry : LEDGER_EVENTS.includes(name) ? ledger : federation,
    };
    events.push({ name, at, ...fields } as unknown as History['events'][number]);
    block++;
  }

  return {
    ...transcript,
    deployment,
    async act(name, sender, fields) {
      emit(name, sender, fields);
      if (name === 'KeyRotated') {
        const { index, publicKey } = fields as unknown as FieldsOf<'KeyRotated'>;
        keyHashes[index - 1] = keccak256(fromHex(publicKey));
      }
    },
    async openRound(sender, { required: _, required0, required1, minEvidence, ...fields }) {
      const parentHash = toHex(keccak256(utf8ToBytes(`block ${block - 1}`)));
      const ledger = uintToBytes(BigInt(deployment.ledger), 32);
      const seed = toHex(keccak256(concatBytes(fromHex(parentHash), ledger, uintToBytes(fields.round, 32))));
      const keysHash = toHex(keccak256(concatBytes(...keyHashes)));
      const call = { required0, required1, minEvidence, parentHash };
      emit('RoundOpened', sender, { ...fields, seed, keysHash, call });
      return seed;
    },
    nowSeconds: async () => FIRST_BLOCK_SECONDS + SECONDS_PER_BLOCK * block,
    evidence: () => {
      const history = { deployment, events, headBlock: block - 1, ...(predecessor && { predecessor }) };
      const heads = { blocks: block - 1, provenBlocks: block - 1, linked: true, trustedHead: false, provenCode: true };
      const reading = { endpoints: ['memory'], ...heads, faults: [], undecided: [] };
      return { history: { ...history, standing: standingOf(history), reading }, files: transcript.files };
    },
  };
}
