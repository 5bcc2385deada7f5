// The events of a federation's contracts, decoded: every one in a range of blocks, however wide a range the endpoint takes.
import { EventFragment, Interface } from 'ethers';
import { z } from 'zod';
import { consentRegistryAbi } from '../../protocol/abi/consent-registry.ts';
import { federationAbi } from '../../protocol/abi/federation.ts';
import { roundLedgerAbi } from '../../protocol/abi/round-ledger.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { EventName } from '../history.ts';
import { type Fields, fieldsOf } from './decode.ts';
import { type ChainReader, EndpointRefused, quantity } from './rpc.ts';

export interface LoggedEvent {
  readonly name: EventName;
  readonly fields: Fields;
  readonly address: Hex;
  readonly block: number;
  readonly blockHash: Hex;
  readonly logIndex: number;
  readonly transaction: Hex;
}

export interface LogFilter {
  readonly address: readonly Hex[];
  readonly fromBlock: number;
  /** Inclusive. */
  readonly toBlock: number;
  readonly topics?: readonly (Hex | null)[];
}

const EVENTS = new Interface(
  [...federationAbi, ...consentRegistryAbi, ...roundLedgerAbi].filter(({ type }) => type === 'event'),
);
/** Of the libraries that the contracts are built on: the operator handing over its office. */
const NOT_OURS: ReadonlySet<string> = new Set([
  'OwnershipTransferStarted',
  'OwnershipTransferred',
  'EIP712DomainChanged',
]);

/** Found once: to look an event up by its topic, ethers hashes the names of all others. */
const BY_TOPIC = new Map(
  EVENTS.fragments.flatMap((fragment) =>
    fragment instanceof EventFragment ? [[fragment.topicHash, fragment] as const] : [],
  ),
);

const hex = z.string().regex(/^0x[0-9a-fA-F]*$/);
const position = hex.transform(Number).pipe(z.int().min(0));
const logs = z.array(
  z.object({
    address: hex,
    topics: z.array(hex),
    data: hex,
    blockNumber: position,
    blockHash: hex,
    logIndex: position,
    transactionHash: hex,
    removed: z.boolean().optional(),
  }),
);
/** As the endpoint tells it. */
export type RawLog = z.output<typeof logs>[number];

/** Topic 0 of an event, for a filter. */
export function topicOf(name: EventName): Hex {
  const fragment = EVENTS.getEvent(name);
  if (fragment === null) throw new ConcordatError('NOT_FOUND', `no event ${name}`);
  return fragment.topicHash as Hex;
}

/** Blocks asked for at first; halved when the endpoint refuses; doubled until it first does, then raised by an eighth. */
const FIRST_SPAN = 5_000;
const WIDEST_SPAN = 1_000_000;

/** In order of block and log index. @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG */
export const readLogs = async (reader: ChainReader, filter: LogFilter): Promise<LoggedEvent[]> =>
  eventsOfLogs(await readRawLogs(reader, filter));

/** Those that are none of ours left out. */
export const eventsOfLogs = (raw: readonly RawLog[]): LoggedEvent[] => raw.flatMap((log) => decodeLog(log) ?? []);

/** As `readLogs`, whatever they are. */
export async function readRawLogs(reader: ChainReader, filter: LogFilter): Promise<RawLog[]> {
  const found: RawLog[] = [];
  let [span, refused] = [FIRST_SPAN, false];
  for (let from = filter.fromBlock; from <= filter.toBlock; ) {
    const to = Math.min(filter.toBlock, from + span - 1);
    const batch = await readRange(reader, filter, from, to);
    if (batch === undefined) {
      refused = true;
      span = Math.max(1, Math.floor((to - from + 1) / 2));
      continue;
    }
    found.push(...batch);
    from = to + 1;
    span = Math.min(WIDEST_SPAN, refused ? Math.ceil(span * 1.125) : span * 2);
  }
  return found.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex);
}

/** undefined: refused, and a narrower range may not be. */
async function readRange(reader: ChainReader, { address, topics }: LogFilter, from: number, to: number) {
  const filter = { address, fromBlock: quantity(from), toBlock: quantity(to), ...(topics && { topics }) };
  let answer: unknown;
  try {
    answer = await reader.ask('eth_getLogs', [filter]);
  } catch (cause) {
    if (!(cause instanceof EndpointRefused)) throw cause;
    if (from < to) return undefined;
    throw new ConcordatError('CHAIN_UNREACHABLE', `${reader.url}: ${cause.message}`, {}, { cause });
  }
  const { data } = logs.safeParse(answer);
  if (data === undefined) throw new ConcordatError('CHAIN_WRONG', `${reader.url}: eth_getLogs answers no logs`);
  const standing = data.filter(({ removed }) => removed !== true);
  const stray = standing.find(({ blockNumber }) => blockNumber < from || blockNumber > to);
  if (stray !== undefined)
    throw new ConcordatError('CHAIN_WRONG', `${reader.url}: a log of block ${stray.blockNumber}, not ${from} to ${to}`);
  return standing;
}

/** undefined: a log that is none of ours. */
function decodeLog(log: RawLog): LoggedEvent | undefined {
  const fragment = BY_TOPIC.get(log.topics[0]?.toLowerCase() ?? '');
  if (fragment === undefined || NOT_OURS.has(fragment.name)) return undefined;
  return {
    name: fragment.name as EventName,
    fields: fieldsOf(fragment.inputs, EVENTS.decodeEventLog(fragment, log.data, log.topics)),
    address: log.address.toLowerCase() as Hex,
    block: log.blockNumber,
    blockHash: log.blockHash.toLowerCase() as Hex,
    logIndex: log.logIndex,
    transaction: log.transactionHash.toLowerCase() as Hex,
  };
}
