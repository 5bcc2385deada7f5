// Writes a history as the contracts would: one event per block, and the transcript beside it.
import { computeAddress } from 'ethers';
import type { Deployment, EventName, EventOf, History, Place } from '../../../auditor/history.ts';
import { type Hex, keccak256, sha256, toHex, uintToBytes, utf8ToBytes } from '../../../protocol/bytes.ts';
import { entryName } from '../../../protocol/transcript/bundle.ts';
import { encodeEntry, type EntryBody, GENESIS_PREV } from '../../../protocol/transcript/entry.ts';
import { putBlob, type RawEvidence } from './raw-evidence.ts';

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

const FIRST_BLOCK_SECONDS = 1_780_000_000;
const SECONDS_PER_BLOCK = 12;

export interface Chronicle {
  readonly raw: RawEvidence;
  /** Appends an event in a block of its own. */
  emit<N extends EventName>(name: N, sender: Hex, fields: Omit<EventOf<N>, 'name' | 'at'>): void;
  /** Of the next block. */
  nowSeconds(): number;
  parentHash(): Hex;
  blob(bytes: Uint8Array): Hex;
  /** @returns the entry's hash */
  append(body: EntryBody): Hex;
}

const REGISTRY_EVENTS = ['Anchored', 'PoliciesAdmitted', 'SelectionAdmitted'];
const LEDGER_EVENTS = ['RoundOpened', 'Committed', 'SetFinalised', 'RoundFailed', 'Published'];

export function startChronicle(deployment: Deployment): Chronicle {
  const events: History['events'][number][] = [];
  const raw: RawEvidence = { history: { deployment, events, headBlock: 0 }, files: new Map() };
  let [block, seq, prev] = [1, 0, GENESIS_PREV];

  return {
    raw,
    emit(name, sender, fields) {
      const contract = REGISTRY_EVENTS.includes(name)
        ? deployment.registry
        : LEDGER_EVENTS.includes(name)
          ? deployment.ledger
          : deployment.federation;
      const at: Place = {
        block,
        logIndex: 0,
        timestamp: FIRST_BLOCK_SECONDS + SECONDS_PER_BLOCK * block,
        transaction: toHex(keccak256(uintToBytes(block, 32))),
        sender,
        contract,
      };
      events.push({ name, at, ...fields } as unknown as History['events'][number]);
      raw.history = { ...raw.history, headBlock: block };
      block++;
    },
    nowSeconds: () => FIRST_BLOCK_SECONDS + SECONDS_PER_BLOCK * block,
    parentHash: () => toHex(keccak256(utf8ToBytes(`block ${block - 1}`))),
    blob: (bytes) => putBlob(raw, bytes),
    append(body) {
      const { bytes, hash } = encodeEntry(seq, prev, body);
      raw.files.set(`entries/${entryName(seq)}`, bytes);
      [seq, prev] = [seq + 1, hash];
      return hash;
    },
  };
}
