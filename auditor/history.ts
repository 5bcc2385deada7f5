// What the chain says of one federation: every event of its three contracts, in order, with the calldata behind it.
import type { Hex } from '../protocol/bytes.ts';

/** Where and when an event happened, and who sent the transaction. */
export interface Place {
  readonly block: number;
  readonly logIndex: number;
  /** Of the block, unix seconds: what the contracts call now. */
  readonly timestamp: number;
  readonly transaction: Hex;
  /** Of the transaction. */
  readonly sender: Hex;
  /** The contract that emitted it. */
  readonly contract: Hex;
}

export interface AnchorCall {
  readonly witnessSignatures: readonly Hex[];
}

export interface ClaimCall {
  readonly a: readonly [bigint, bigint];
  /** As the contract takes it: each coordinate of G2 with its imaginary part first. */
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
  readonly publicSignals: readonly bigint[];
}

export interface SelectionCall {
  readonly required0: bigint;
  readonly required1: bigint;
  readonly minEvidence: number;
  readonly buckets: readonly { readonly digest: bigint; readonly membersRoot: Hex; readonly memberCount: number }[];
  readonly proof: readonly Hex[];
  readonly proofFlags: readonly boolean[];
}

export interface OpenCall {
  readonly required0: bigint;
  readonly required1: bigint;
  readonly minEvidence: number;
  /** Hash of the block before: what the seed is drawn from. */
  readonly parentHash: Hex;
}

interface Fields {
  /** At deployment. */
  PredecessorNamed: { readonly predecessor: Hex };
  /** From here on nothing goes on in this federation. */
  SuccessorNamed: { readonly successor: Hex };
  ContractsSet: { readonly registry: Hex; readonly ledger: Hex };
  CoordinatorSet: { readonly coordinator: Hex };
  DealerRegistered: { readonly dealer: Hex };
  DealerRemoved: { readonly dealer: Hex };
  WitnessRegistered: { readonly witness: Hex };
  WitnessRemoved: { readonly witness: Hex };
  Paused: { readonly account: Hex };
  Unpaused: { readonly account: Hex };
  KeyHolderRegistered: { readonly keyHolder: Hex; readonly index: number };
  /** Only of one that never had a key: the successor takes its index. */
  KeyHolderReplaced: { readonly keyHolder: Hex; readonly successor: Hex; readonly index: number };
  KeyRotated: {
    readonly keyHolder: Hex;
    readonly index: number;
    /** Of this key, from 1. */
    readonly epoch: number;
    /** What shares are sealed to from the next round on. */
    readonly publicKey: Hex;
  };
  Anchored: {
    readonly dealer: Hex;
    readonly epoch: number;
    readonly root: Hex;
    readonly bucketsRoot: Hex;
    readonly subjectsRoot: Hex;
    readonly logHead: Hex;
    readonly operationCount: number;
    /** undefined when the transaction did not call the contract directly. */
    readonly call: AnchorCall | undefined;
  };
  PoliciesAdmitted: {
    readonly dealer: Hex;
    readonly requirementKey: Hex;
    readonly validUntil: number;
    readonly accuracyFloorBps: number;
    readonly privacyCapMilli: number;
    readonly digests: readonly bigint[];
    readonly call: ClaimCall | undefined;
  };
  SelectionAdmitted: {
    readonly dealer: Hex;
    readonly requirementKey: Hex;
    readonly root: Hex;
    readonly memberCount: number;
    readonly validUntil: number;
    readonly accuracyFloorBps: number;
    readonly privacyCapMilli: number;
    readonly bucketCount: number;
    readonly call: SelectionCall | undefined;
  };
  ForcedWithdrawal: { readonly dealer: Hex; readonly subject: Hex; readonly seq: number };
  ForcedWithdrawalAcknowledged: {
    readonly dealer: Hex;
    readonly subject: Hex;
    /** The anchor that it speaks of. */
    readonly epoch: number;
  };
  RoundOpened: {
    readonly round: number;
    readonly taskHash: Hex;
    readonly requirementKey: Hex;
    readonly baseModelHash: Hex;
    readonly seed: Hex;
    /** Unix seconds. */
    readonly deadline: number;
    readonly epsilonAfterMilli: number;
    /** Of the sealing keys in force at that moment. */
    readonly keysHash: Hex;
    readonly call: OpenCall | undefined;
  };
  Committed: {
    readonly round: number;
    readonly dealer: Hex;
    readonly attempt: number;
    readonly anchoredRoot: Hex;
    readonly payloadHash: Hex;
    readonly sharesRoot: Hex;
    readonly recordsRoot: Hex;
    readonly weight: number;
  };
  SetFinalised: { readonly round: number; readonly dealers: readonly Hex[] };
  RoundFailed: { readonly round: number; readonly reason: string };
  Published: {
    readonly round: number;
    readonly taskHash: Hex;
    readonly modelHash: Hex;
    readonly aggregateHash: Hex;
    readonly accuracyBps: number;
    readonly aucBps: number;
    readonly transcriptHead: Hex;
  };
}

export type EventName = keyof Fields;
export type ChainEvent = { [N in EventName]: { readonly name: N; readonly at: Place } & Fields[N] }[EventName];
export type EventOf<N extends EventName> = Extract<ChainEvent, { readonly name: N }>;

export interface Parameters {
  readonly minCohort: number;
  readonly keyHolderThreshold: number;
  readonly witnessQuorum: number;
  readonly metricMaxAgeSeconds: number;
  readonly verificationKeyHash: Hex;
}

/** Of the four contracts, as the chain has it. */
export interface DeployedCode {
  readonly federation: Hex;
  readonly registry: Hex;
  readonly ledger: Hex;
  readonly verifier: Hex;
  /** Whom the registry asks. */
  readonly verifierAddress: Hex;
}

/** What the contracts say of themselves when asked, and their code, which decides what they do. */
export interface Deployment {
  /** What the endpoint answers, not what anyone claims. */
  readonly chainId: number;
  readonly federation: Hex;
  readonly registry: Hex;
  readonly ledger: Hex;
  readonly parameters: Parameters;
  /** Whom registry and ledger point at. */
  readonly registryFederation: Hex;
  readonly ledgerFederation: Hex;
  readonly ledgerRegistry: Hex;
  readonly code: DeployedCode;
}

/** How a round stands, as the ledger numbers it. */
export const ROUND_STATUS = ['none', 'open', 'finalised', 'published', 'failed'] as const;

export interface RoundAnswer {
  readonly taskHash: Hex;
  readonly requirementKey: Hex;
  readonly baseModelHash: Hex;
  readonly seed: Hex;
  readonly keysHash: Hex;
  readonly deadline: number;
  readonly epsilonAfterMilli: number;
  readonly status: (typeof ROUND_STATUS)[number];
  /** Zero before. */
  readonly modelHash: Hex;
  readonly setHash: Hex;
}

/** What the contracts answer when asked, at the last block that was read: events that an endpoint leaves out are missed by it. */
export interface Standing {
  /** Zero for none, as the contracts say it; so the successor and the predecessor. */
  readonly coordinator: Hex;
  readonly successor: Hex;
  readonly predecessor: Hex;
  readonly paused: boolean;
  /** In ascending order, each with its current anchor, and the forced withdrawals that it has not acknowledged. */
  readonly dealers: readonly {
    readonly dealer: Hex;
    readonly epoch: number;
    readonly root: Hex;
    readonly pending: number;
  }[];
  /** In ascending order. */
  readonly witnesses: readonly Hex[];
  /** By index. */
  readonly keyHolders: readonly { readonly keyHolder: Hex; readonly keyEpoch: number; readonly keyHash: Hex }[];
  /** From the first one of the line. */
  readonly rounds: readonly RoundAnswer[];
  /** Of the one dealer that the audit is about, a dealer no more perhaps. */
  readonly ofDealer?: DealerAnswer;
}

/** What is asked of one dealer alone. Zero where there is nothing. */
export interface DealerAnswer {
  readonly dealer: Hex;
  readonly anchor: Omit<Fields['Anchored'], 'dealer' | 'call'>;
  /** Its last of each round, from the first one of the line. */
  readonly commits: readonly {
    readonly attempt: number;
    readonly weight: number;
    readonly payloadHash: Hex;
    readonly sharesRoot: Hex;
  }[];
}

/** Something in what an endpoint told that is not as it must be. */
export interface Finding {
  /** What was looked at. */
  readonly what: string;
  readonly expected?: string;
  readonly got?: string;
}

/** How the line was read, and what of it hangs together: headers, transactions, logs, and what other endpoints tell. */
export interface Reading {
  /** Whom it was asked of: hosts. */
  readonly endpoints: readonly string[];
  /** Blocks with events of the line, and how many of them bear out every log, sender and calldata that was read of them. */
  readonly blocks: number;
  readonly provenBlocks: number;
  /** Every header between the first event and the last block read, each named by the next: all of it hangs on one hash. */
  readonly linked: boolean;
  /** The auditor named that hash. */
  readonly trustedHead: boolean;
  /** The code of every contract of the line is in the state that the last block names. */
  readonly provenCode: boolean;
  readonly faults: readonly Finding[];
  /** What could not be decided. */
  readonly undecided: readonly Finding[];
}

export interface History {
  readonly deployment: Deployment;
  /** What its contracts answered, its predecessors’ too. */
  readonly standing?: Standing;
  /** Of the whole line: where the audited federation is. */
  readonly reading?: Reading;
  /** In order of block and log index. */
  readonly events: readonly ChainEvent[];
  /** The last block that was read. */
  readonly headBlock: number;
  /** Before the reading and after it. */
  readonly headHash?: Hex;
  /** Of the federation that this one names as its predecessor; undefined when it names none, or none can be read there. */
  readonly predecessor?: History;
}

export function eventsOf<N extends EventName>(events: readonly ChainEvent[], name: N): EventOf<N>[] {
  return events.filter((event): event is EventOf<N> => event.name === name);
}

const REGISTRY_EVENTS: ReadonlySet<EventName> = new Set([
  'Anchored',
  'PoliciesAdmitted',
  'SelectionAdmitted',
  'ForcedWithdrawal',
  'ForcedWithdrawalAcknowledged',
]);
const LEDGER_EVENTS: ReadonlySet<EventName> = new Set([
  'RoundOpened',
  'Committed',
  'SetFinalised',
  'RoundFailed',
  'Published',
]);

/** The contract that an event of this name belongs to. */
export function homeOf(name: EventName, { federation, registry, ledger }: Deployment): Hex {
  return REGISTRY_EVENTS.has(name) ? registry : LEDGER_EVENTS.has(name) ? ledger : federation;
}

/** Address -> index from 1: those whom the shares of a round were dealt to. Nobody for a round that never opened. */
export function holdersAtOpening({ events }: History, round: number): ReadonlyMap<Hex, number> {
  const opened = events.findIndex((event) => event.name === 'RoundOpened' && event.round === round);
  const holders = new Map<Hex, number>();
  for (const event of events.slice(0, Math.max(0, opened))) {
    if (event.name === 'KeyHolderRegistered') holders.set(event.keyHolder, event.index);
    if (event.name !== 'KeyHolderReplaced') continue;
    holders.delete(event.keyHolder);
    holders.set(event.successor, event.index);
  }
  return holders;
}

/** "block 17, log 2", for people. */
export const placeName = (at: Place): string => `block ${at.block}, log ${at.logIndex}`;
