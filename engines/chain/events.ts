// Every event of the three contracts, typed, and how it is read from logs.
import { Interface, type Result } from 'ethers';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { ChainClient } from './client.ts';
import type { AnchorState, Bounds } from './consent-registry.ts';
import type { RawLog } from './receipts.ts';
import { asBigIntList, asHex, asHexList, asNumber } from './values.ts';

/** Where an event stands; (blockNumber, logIndex) orders all events. */
export interface EventPlace {
  readonly address: Hex;
  readonly blockNumber: number;
  readonly logIndex: number;
  readonly txHash: Hex;
}

type EventBody =
  | { readonly name: 'PredecessorNamed'; readonly predecessor: Hex }
  | { readonly name: 'SuccessorNamed'; readonly successor: Hex }
  | { readonly name: 'ContractsSet'; readonly registry: Hex; readonly ledger: Hex }
  | { readonly name: 'CoordinatorSet'; readonly coordinator: Hex }
  | { readonly name: 'DealerRegistered' | 'DealerRemoved'; readonly dealer: Hex }
  | { readonly name: 'WitnessRegistered' | 'WitnessRemoved'; readonly witness: Hex }
  | { readonly name: 'KeyHolderRegistered'; readonly keyHolder: Hex; readonly index: number }
  | { readonly name: 'KeyHolderReplaced'; readonly keyHolder: Hex; readonly successor: Hex; readonly index: number }
  | {
      readonly name: 'KeyRotated';
      readonly keyHolder: Hex;
      readonly index: number;
      /** Of this key, from 1. */
      readonly epoch: number;
      readonly publicKey: Hex;
    }
  | { readonly name: 'Paused' | 'Unpaused'; readonly account: Hex }
  | ({ readonly name: 'Anchored'; readonly dealer: Hex; readonly root: Hex } & AnchorState)
  | ({
      readonly name: 'PoliciesAdmitted';
      readonly dealer: Hex;
      readonly requirementKey: Hex;
      readonly digests: readonly bigint[];
    } & Bounds)
  | ({
      readonly name: 'SelectionAdmitted';
      readonly dealer: Hex;
      readonly requirementKey: Hex;
      readonly root: Hex;
      readonly memberCount: number;
      readonly bucketCount: number;
    } & Bounds)
  | {
      readonly name: 'ForcedWithdrawal';
      readonly dealer: Hex;
      readonly subject: Hex;
      readonly seq: number;
      /** Canonical CBOR, as the customer signed it. */
      readonly operation: Hex;
      /** The WebAuthn assertion, in its parts. */
      readonly authenticatorData: Hex;
      readonly clientDataJSON: Hex;
      readonly r: Hex;
      readonly s: Hex;
    }
  | {
      readonly name: 'ForcedWithdrawalAcknowledged';
      readonly dealer: Hex;
      readonly subject: Hex;
      readonly epoch: number;
    }
  | {
      readonly name: 'RoundOpened';
      readonly round: number;
      readonly taskHash: Hex;
      readonly requirementKey: Hex;
      readonly baseModelHash: Hex;
      readonly seed: Hex;
      /** Unix seconds. */
      readonly deadline: number;
      readonly epsilonAfterMilli: number;
      readonly keysHash: Hex;
    }
  | {
      readonly name: 'Committed';
      readonly round: number;
      readonly dealer: Hex;
      readonly attempt: number;
      readonly anchoredRoot: Hex;
      readonly payloadHash: Hex;
      readonly sharesRoot: Hex;
      readonly recordsRoot: Hex;
      readonly weight: number;
    }
  | { readonly name: 'SetFinalised'; readonly round: number; readonly dealers: readonly Hex[] }
  | { readonly name: 'RoundFailed'; readonly round: number; readonly reason: string }
  | {
      readonly name: 'Published';
      readonly round: number;
      readonly taskHash: Hex;
      readonly modelHash: Hex;
      readonly aggregateHash: Hex;
      readonly accuracyBps: number;
      readonly aucBps: number;
      readonly transcriptHead: Hex;
    };

export type ChainEvent = EventBody & EventPlace;
export type EventName = ChainEvent['name'];

/** Events that are not ours to act on: the operator handing over its office. */
const UNTYPED: ReadonlySet<string> = new Set([
  'OwnershipTransferStarted',
  'OwnershipTransferred',
  'EIP712DomainChanged',
]);

const EVENTS = new Interface(
  [...federationAbi, ...consentRegistryAbi, ...roundLedgerAbi].filter(({ type }) => type === 'event'),
);

const TEXT_FIELDS: ReadonlySet<string> = new Set(['reason']);
const HEX_LISTS: ReadonlySet<string> = new Set(['dealers']);
const BIGINT_LISTS: ReadonlySet<string> = new Set(['digests']);

/** undefined: a log that is none of ours. */
export function parseLog(log: RawLog): ChainEvent | undefined {
  const parsed = EVENTS.parseLog({ topics: [...log.topics], data: log.data });
  if (parsed === null || UNTYPED.has(parsed.name)) return undefined;
  const place: EventPlace = {
    address: asHex(log.address),
    blockNumber: asNumber(log.blockNumber),
    logIndex: asNumber(log.logIndex),
    txHash: asHex(log.transactionHash),
  };
  // The union above names the same fields as the generated ABI: tests decode one of each.
  return { name: parsed.name, ...fieldsOf(parsed.fragment.inputs, parsed.args), ...place } as ChainEvent;
}

function fieldsOf(inputs: readonly { readonly name: string; readonly type: string }[], args: Result) {
  return Object.fromEntries(inputs.map(({ name, type }, i) => [name, fieldOf(name, type, args[i])]));
}

function fieldOf(name: string, type: string, value: unknown): unknown {
  if (TEXT_FIELDS.has(name)) return String(value);
  if (HEX_LISTS.has(name)) return asHexList(value);
  if (BIGINT_LISTS.has(name)) return asBigIntList(value);
  return type.startsWith('uint') ? asNumber(value) : asHex(value);
}

/** Topic 0 of an event, for a filter. */
export function topicOf(name: EventName): Hex {
  const fragment = EVENTS.getEvent(name);
  return asHex(fragment?.topicHash);
}

export interface EventFilter {
  readonly address: Hex | readonly Hex[];
  readonly fromBlock: number;
  /** Inclusive; the latest block when left out. */
  readonly toBlock?: number;
  readonly topics?: readonly (Hex | null)[];
}

/** Public endpoints refuse wide ranges. */
const BLOCKS_PER_REQUEST = 5_000;

/** All our events in the range, in order. @throws ConcordatError CHAIN_UNREACHABLE */
export async function readEvents(client: ChainClient, filter: EventFilter): Promise<ChainEvent[]> {
  const toBlock = filter.toBlock ?? (await client.blockNumber());
  const events: ChainEvent[] = [];
  for (let from = filter.fromBlock; from <= toBlock; from += BLOCKS_PER_REQUEST) {
    const logs = (await client.rpc.call('eth_getLogs', [
      {
        address: filter.address,
        fromBlock: `0x${from.toString(16)}`,
        toBlock: `0x${Math.min(toBlock, from + BLOCKS_PER_REQUEST - 1).toString(16)}`,
        ...(filter.topics && { topics: filter.topics }),
      },
    ])) as readonly RawLog[];
    events.push(...logs.map(parseLog).filter((event) => event !== undefined));
  }
  return events.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex);
}
