// The line of deployments that a federation stands in, forwards too: a receipt names the one of its day.
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { requireWired, view } from './chain/contract.ts';
import { unlessZero } from './chain/decode.ts';
import type { ComparedReader } from './chain/endpoints.ts';
import type { LoggedEvent } from './chain/logs.ts';
import type { ChainReader } from './chain/rpc.ts';
import { type EventName, eventsOf, type History } from './history.ts';
import { LONGEST_LINE, lineOf } from './lineage.ts';
import { readHistoryWith } from './read-chain.ts';

export interface ReceiptDeployment {
  readonly federation: Hex;
  readonly registry: Hex;
  readonly ledger: Hex;
  readonly witnessQuorum: number;
  /** Everyone who ever was one. */
  readonly dealers: ReadonlySet<Hex>;
  readonly witnesses: ReadonlySet<Hex>;
  /** When the next one of the line took over, Unix seconds; undefined for the one in force. */
  readonly endedAtSeconds: number | undefined;
}

export interface ReceiptLine {
  /** Of the last one of the line. */
  readonly history: History;
  /** Oldest first; each names the one before it and was named by it. */
  readonly deployments: readonly ReceiptDeployment[];
  /** What the first of them says that it carries on, and which has not named it: then none of them is in force. */
  readonly notNamedBy: Hex | undefined;
}

export interface AboutDealer {
  readonly federation: Hex;
  readonly dealer: Hex;
  /** The block that the auditor trusts. */
  readonly head?: Hex;
  /** What else the audit rests on, beside what the dealer did and who belongs to the federation. */
  readonly also?: (event: LoggedEvent) => boolean;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG when there is no such federation */
export async function readReceiptLine(reader: ComparedReader, about: AboutDealer): Promise<ReceiptLine> {
  const { federation, dealer, head, also = () => false } = about;
  const history = await readHistoryWith(reader, await lastOf(reader, federation), {
    ofDealer: dealer,
    prove: (event) => RESTS_ON.has(event.name) || event.fields.dealer === dealer || also(event),
    ...(head !== undefined && { head }),
  });
  const line = lineOf(history).slice(firstOf(lineOf(history)));
  for (const { deployment } of line) requireWired(deployment);
  if (!line.some(({ deployment }) => deployment.federation === federation)) {
    throw new ConcordatError('CHAIN_WRONG', `${federation} does not stand in the line of its own successor`);
  }
  return {
    history,
    deployments: line.map(deploymentOf),
    notNamedBy: unlessZero(line[0]?.standing?.predecessor ?? '0x0'),
  };
}

const RESTS_ON: ReadonlySet<EventName> = new Set([
  'WitnessRegistered',
  'SuccessorNamed',
  'PredecessorNamed',
  'ContractsSet',
]);

/** The one in force. */
async function lastOf(reader: ChainReader, federation: Hex): Promise<Hex> {
  let last = federation;
  for (let length = 1; ; length++) {
    const next = unlessZero((await view(reader, 'Federation', last, 'successor')) as Hex);
    if (next === undefined) return last;
    last = next;
    if (length > LONGEST_LINE) throw new ConcordatError('CHAIN_WRONG', `the line of ${federation} does not end`);
  }
}

/** Where the line begins that is named both ways: anybody may deploy one that names a predecessor. */
function firstOf(line: readonly History[]): number {
  const broken = line.findLastIndex(
    ({ standing }, i) => i + 1 < line.length && standing?.successor !== line[i + 1]?.deployment.federation,
  );
  return broken + 1;
}

function deploymentOf({ deployment, events }: History): ReceiptDeployment {
  const { federation, registry, ledger, parameters } = deployment;
  return {
    ...{ federation, registry, ledger },
    witnessQuorum: parameters.witnessQuorum,
    dealers: new Set(eventsOf(events, 'DealerRegistered').map(({ dealer }) => dealer)),
    witnesses: new Set(eventsOf(events, 'WitnessRegistered').map(({ witness }) => witness)),
    endedAtSeconds: eventsOf(events, 'SuccessorNamed')[0]?.at.timestamp,
  };
}
