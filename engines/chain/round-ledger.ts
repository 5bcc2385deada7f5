// The RoundLedger contract in the domain's terms: rounds, commits, sets, publications.
import { AbiCoder, keccak256, zeroPadValue } from 'ethers';
import type { Hex } from '../../protocol/bytes.ts';
import { type Requirement, splitGrants } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ChainClient, RefusedTransaction, SendOptions } from './client.ts';
import { roundLedgerAt } from './contracts.ts';
import { parseLog, readEvents, topicOf } from './events.ts';
import { lineOf } from './lineage.ts';
import type { Receipt } from './receipts.ts';
import { asHex, asNumber, unlessZero } from './values.ts';

const STATUSES = ['none', 'open', 'finalised', 'published', 'failed'] as const;
export type RoundStatus = Exclude<(typeof STATUSES)[number], 'none'>;

export interface RoundOpening {
  readonly taskHash: Hex;
  readonly requirement: Requirement;
  readonly baseModelHash: Hex;
  /** ε per customer after this round, thousandths; NO_PRIVACY_CAP without differential privacy. */
  readonly epsilonAfterMilli: number;
  /** Unix seconds of the chain's clock. */
  readonly deadline: number;
}

export interface RoundRecord {
  readonly status: RoundStatus;
  readonly taskHash: Hex;
  readonly requirementKey: Hex;
  readonly baseModelHash: Hex;
  readonly seed: Hex;
  readonly deadline: number;
  readonly openedAtBlock: number;
  readonly epsilonAfterMilli: number;
  /** Of the sealing keys in force when it opened: sealing-keys.ts reads them. */
  readonly keysHash: Hex;
  /** undefined until finalised. */
  readonly setHash: Hex | undefined;
  readonly setSize: number;
  /** undefined until published. */
  readonly modelHash: Hex | undefined;
}

export interface Commit {
  readonly round: number;
  /** From 1, rising. */
  readonly attempt: number;
  readonly anchoredRoot: Hex;
  readonly payloadHash: Hex;
  readonly sharesRoot: Hex;
  readonly recordsRoot: Hex;
  /** Records the update counts for. */
  readonly weight: number;
}

/** The part of a commit that the contract keeps; the rest is in its `Committed` event. */
export type Commitment = Pick<Commit, 'payloadHash' | 'sharesRoot' | 'attempt' | 'weight'>;

export interface Publication {
  readonly round: number;
  readonly modelHash: Hex;
  readonly aggregateHash: Hex;
  readonly accuracyBps: number;
  readonly aucBps: number;
  readonly transcriptHead: Hex;
}

/** The last measured accuracy of a task: of the base model of `round`. */
export interface Attestation {
  readonly accuracyBps: number;
  readonly aucBps: number;
  readonly attestedAt: number;
  readonly round: number;
}

/** A dealer with the attempt that was looked at; another one since makes the contract refuse (CommitMoved). */
export interface SetMember {
  readonly dealer: Hex;
  readonly attempt: number;
}

export interface FinalisedSet {
  readonly setHash: Hex;
  /** In ascending order, as finalised. */
  readonly dealers: readonly Hex[];
}

export interface RoundLedger {
  readonly address: Hex;
  openRound(opening: RoundOpening): Promise<Receipt & { readonly round: number }>;
  commit(commit: Commit, options?: SendOptions): Promise<Receipt>;
  /** A real transaction that must be refused. @throws ConcordatError CHAIN_ACCEPTED */
  commitExpectingRefusal(commit: Commit): Promise<RefusedTransaction>;
  /** @param members in any order; they are sent ascending */
  finaliseSet(round: number, members: readonly SetMember[]): Promise<Receipt>;
  failRound(round: number, reason: string): Promise<Receipt>;
  publish(publication: Publication): Promise<Receipt>;
  federation(): Promise<Hex>;
  registry(): Promise<Hex>;
  /** This ledger's, then its predecessor's, and so on to the first: a round is in one of them. */
  line(): Promise<readonly Hex[]>;
  /** Number of the last round; the numbers go on where the predecessor's ledger left them. */
  roundCount(): Promise<number>;
  /** Number of the last round before this ledger's own; 0 for the first of its line. */
  roundsBefore(): Promise<number>;
  /** Of this ledger, or of one before it: what that one had not ended has failed. */
  roundOf(round: number): Promise<RoundRecord | undefined>;
  commitOf(round: number, dealer: Hex): Promise<Commitment | undefined>;
  /** Members from the event, checked against the hash in the contract. @throws ConcordatError STATE_CORRUPT */
  setOf(round: number): Promise<FinalisedSet | undefined>;
  attestationOf(taskHash: Hex): Promise<Attestation | undefined>;
  lastModelOf(taskHash: Hex): Promise<Hex | undefined>;
}

export function createRoundLedger(client: ChainClient, address: Hex): RoundLedger {
  const contract = roundLedgerAt(address);
  const read = async (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    (await client.call(contract, method, args))[0];
  const line = lineOf(client, contract);

  async function roundOf(round: number): Promise<RoundRecord | undefined> {
    const record = (await read('roundOf', round)) as Readonly<Record<keyof RoundRecord, unknown>>;
    const status = STATUSES[asNumber(record.status)];
    if (status === undefined || status === 'none') return undefined;
    return {
      status,
      taskHash: asHex(record.taskHash),
      requirementKey: asHex(record.requirementKey),
      baseModelHash: asHex(record.baseModelHash),
      seed: asHex(record.seed),
      deadline: asNumber(record.deadline),
      openedAtBlock: asNumber(record.openedAtBlock),
      epsilonAfterMilli: asNumber(record.epsilonAfterMilli),
      keysHash: asHex(record.keysHash),
      setHash: unlessZero(asHex(record.setHash)),
      setSize: asNumber(record.setSize),
      modelHash: unlessZero(asHex(record.modelHash)),
    };
  }

  return {
    address,
    async openRound({ taskHash, requirement, baseModelHash, epsilonAfterMilli, deadline }) {
      const receipt = await client.send(contract, 'openRound', [
        taskHash,
        ...splitGrants(requirement.required),
        requirement.minEvidence,
        baseModelHash,
        epsilonAfterMilli,
        deadline,
      ]);
      const opened = receipt.logs.map(parseLog).find((event) => event?.name === 'RoundOpened');
      if (opened === undefined) throw new ConcordatError('CHAIN_WRONG', `${address} is not a RoundLedger`);
      return { ...receipt, round: opened.round };
    },
    commit: (commit, options) => client.send(contract, 'commit', commitArgs(commit), options),
    commitExpectingRefusal: (commit) => client.sendExpectingRevert(contract, 'commit', commitArgs(commit)),
    finaliseSet(round, members) {
      const ascending = members.toSorted((a, b) => (a.dealer < b.dealer ? -1 : 1));
      const dealers = ascending.map(({ dealer }) => dealer);
      const attempts = ascending.map(({ attempt }) => attempt);
      return client.send(contract, 'finaliseSet', [round, dealers, attempts]);
    },
    failRound: (round, reason) => client.send(contract, 'failRound', [round, reason]),
    publish: ({ round, modelHash, aggregateHash, accuracyBps, aucBps, transcriptHead }) =>
      client.send(contract, 'publish', [round, modelHash, aggregateHash, accuracyBps, aucBps, transcriptHead]),
    federation: async () => asHex(await read('federation')),
    registry: async () => asHex(await read('registry')),
    line,
    roundCount: async () => asNumber(await read('roundCount')),
    async roundsBefore() {
      const [, predecessor] = await line();
      if (predecessor === undefined) return 0;
      return asNumber((await client.call(roundLedgerAt(predecessor), 'roundCount', []))[0]);
    },
    roundOf,
    async commitOf(round, dealer) {
      const commitment = (await read('commitOf', round, dealer)) as Readonly<Record<keyof Commitment, unknown>>;
      const attempt = asNumber(commitment.attempt);
      if (attempt === 0) return undefined;
      return {
        attempt,
        payloadHash: asHex(commitment.payloadHash),
        sharesRoot: asHex(commitment.sharesRoot),
        weight: asNumber(commitment.weight),
      };
    },
    async setOf(round) {
      const record = await roundOf(round);
      if (record?.setHash === undefined) return undefined;
      const topics = [topicOf('SetFinalised'), uint64Topic(round)];
      const [event] = await readEvents(client, { address: await line(), fromBlock: record.openedAtBlock, topics });
      if (event?.name !== 'SetFinalised' || setHashOf(round, event.dealers) !== record.setHash) {
        throw new ConcordatError('STATE_CORRUPT', `the set of round ${round} is not what its hash says`, { round });
      }
      return { setHash: record.setHash, dealers: event.dealers };
    },
    async attestationOf(taskHash) {
      const attestation = (await read('attestationOf', taskHash)) as Readonly<Record<keyof Attestation, unknown>>;
      const round = asNumber(attestation.round);
      if (round === 0) return undefined;
      return {
        round,
        accuracyBps: asNumber(attestation.accuracyBps),
        aucBps: asNumber(attestation.aucBps),
        attestedAt: asNumber(attestation.attestedAt),
      };
    },
    lastModelOf: async (taskHash) => unlessZero(asHex(await read('lastModelOf', taskHash))),
  };
}

/** keccak256(abi.encode(uint64 round, address[] dealers)) */
export function setHashOf(round: number, dealers: readonly Hex[]): Hex {
  return asHex(keccak256(AbiCoder.defaultAbiCoder().encode(['uint64', 'address[]'], [round, dealers])));
}

/** An indexed round number, for a filter. */
export const uint64Topic = (value: number): Hex => asHex(zeroPadValue(`0x${value.toString(16).padStart(16, '0')}`, 32));

const commitArgs = (commit: Commit) => [
  commit.round,
  commit.attempt,
  commit.anchoredRoot,
  commit.payloadHash,
  commit.sharesRoot,
  commit.recordsRoot,
  commit.weight,
];
