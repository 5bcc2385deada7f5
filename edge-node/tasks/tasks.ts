// The tasks of this dealer: the one that it was started with, and those that its policy allows. What it takes part in a round with
// is made per task.
import type { EarlierRounds } from '../../engines/chain/earlier-rounds.ts';
import type { RoundLedger, RoundRecord } from '../../engines/chain/round-ledger.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { requirementKey } from '../../protocol/consent/policy.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { encodeModel, initialModel, layoutOf, modelHash, parameterCount } from '../../protocol/learning/model.ts';
import { cohortNoiseFault } from '../../protocol/learning/privacy/check-task.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { RoundParts } from '../round.ts';
import type { FetchBase } from '../train/fetch-base.ts';
import type { TaskDocuments, TaskPair } from './documents.ts';
import { type AcceptPolicy, refusalOf, roundRefusalOf } from './policy.ts';

/** What differs from task to task. */
export interface TaskParts extends Pick<RoundParts, 'task' | 'contract' | 'requirement' | 'dealerStates' | 'bases'> {
  /** Whatever the hash names, proven or not. */
  readonly fetchBase: FetchBase;
  readonly signFingerprint: (round: number, aggregateHash: Hex) => Promise<void>;
}

export type Verdict = { readonly parts: TaskParts & Pick<RoundParts, 'gate'> } | { readonly refused: string };

export type Judged = Pick<RoundRecord, 'taskHash' | 'epsilonAfterMilli' | 'requirementKey' | 'baseModelHash'>;

/** As the dealer and anyone who asks may see it. */
export interface TaskStanding {
  readonly hash: Hex;
  /** Unknown when its documents cannot be read. */
  readonly id?: string;
  readonly accepted: boolean;
  /** Why not. */
  readonly reason?: string;
  /** Why this dealer takes no part in its rounds although it accepts it: a published model did not come about as it should. */
  readonly modelUnproven?: string;
}

export interface EdgeTasks {
  /** @throws ConcordatError TIMED_OUT and the like: nothing is decided yet */
  judge(round: number, record: Judged): Promise<Verdict>;
  /** Before any round of it opens. */
  consider(taskHash: Hex): Promise<void>;
  /** What a round published, if it is of a task that this dealer accepts: the next round is then quicker to start. */
  checkPublished(round: number): Promise<void>;
  /** What each of its tasks published last: a dealer that joins late need not wait for a round to begin. */
  checkLast(): Promise<void>;
  /** Of a round this dealer took part in, whatever its policy says by now. */
  signFingerprint(taskHash: Hex, round: number, aggregateHash: Hex): Promise<void>;
  /** Of the task that the node was started with. */
  readonly first: TaskParts;
  accepted(): readonly TaskParts[];
  standings(): readonly TaskStanding[];
}

export interface EdgeTasksParts {
  readonly first: TaskPair;
  /** Without one nothing but the first task is accepted. */
  readonly policy: AcceptPolicy | undefined;
  readonly documents: TaskDocuments;
  readonly partsOf: (pair: TaskPair) => TaskParts;
  /** Reads the records by this contract. @throws ConcordatError DATA_BREAKS_CONTRACT and the like */
  readonly gateOf: (contract: DataContract) => Promise<ConsentGate>;
  readonly earlierRounds: EarlierRounds;
  readonly ledger: Pick<RoundLedger, 'commitOf' | 'lastModelOf' | 'roundOf' | 'roundCount'>;
  readonly dealer: Hex;
  /** The fewest dealers that the federation's contracts take for a sum. */
  readonly minCohort: number;
  readonly log: Log;
}

/** What is wrong with the task or its contract, and stays so. */
const FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TASK_REFUSED',
  'TASK_INVALID',
  'CONTRACT_INVALID',
  'DATA_BREAKS_CONTRACT',
]);

/** As many as a coordinator has. Standings of more that are refused make room for each other. */
const MAX_TASKS = 256;
/** Part of it may be the coordinator's own text. */
const MAX_REASON = 200;

const FIRST_ONLY = 'this dealer accepts no task but the one that it was started with';

export async function openEdgeTasks(parts: EdgeTasksParts): Promise<EdgeTasks> {
  const { first, policy, documents, log } = parts;
  const made = new Map<Hex, TaskParts>();
  const standings = new Map<Hex, TaskStanding>();

  function partsOf(pair: TaskPair): TaskParts {
    const known = made.get(pair.task.hash) ?? parts.partsOf(pair);
    made.set(pair.task.hash, known);
    return known;
  }

  /** On disk before its first use: a node that is started again need not ask. */
  async function accept(pair: TaskPair): Promise<TaskParts> {
    const { hash } = pair.task;
    if (hash !== first.task.hash && !made.has(hash)) await documents.keep(pair);
    return partsOf(pair);
  }

  function note(standing: TaskStanding): void {
    if (standings.get(standing.hash)?.reason === standing.reason && standings.has(standing.hash)) return;
    standings.set(standing.hash, standing);
    const refused = [...standings.values()].filter(({ accepted }) => !accepted);
    for (const { hash } of refused.slice(0, -MAX_TASKS)) standings.delete(hash);
    if (standing.hash !== first.task.hash) log.info(standing, standing.accepted ? 'task accepted' : 'task refused');
  }

  /** @returns why it is refused */
  function judgeTask(pair: TaskPair): string | undefined {
    const { hash, id } = pair.task;
    const noise = cohortNoiseFault(pair.task, parts.minCohort);
    const reason = noise ?? (hash === first.task.hash ? undefined : byPolicy(pair));
    note({ hash, id, accepted: reason === undefined, ...(reason !== undefined && { reason }) });
    return reason;
  }

  function byPolicy({ task, contract }: TaskPair): string | undefined {
    if (policy === undefined) return FIRST_ONLY;
    if (!made.has(task.hash) && made.size >= MAX_TASKS) return `this dealer has its ${MAX_TASKS} tasks`;
    const parameters = parameterCount(layoutOf(task, featureCount(contract)));
    return refusalOf({ task, contract, parameters }, policy, first.contract.hash);
  }

  /** What is wrong with the documents is a refusal too. */
  async function refusing<T>(hash: Hex, work: () => Promise<T>): Promise<T | { readonly refused: string }> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConcordatError) || !FAULTS.has(error.code)) throw error;
      // what is wrong with a record may name what is in it, and the reason goes to the coordinator
      const isData = error.code === 'DATA_BREAKS_CONTRACT';
      const reason = isData ? 'the records do not fit its data contract' : error.detail.slice(0, MAX_REASON);
      note({ hash, accepted: false, reason });
      return { refused: reason };
    }
  }

  /** Without a policy no other documents are asked for. */
  async function pairOf(hash: Hex): Promise<TaskPair> {
    if (hash === first.task.hash) return first;
    if (policy !== undefined) return documents.get(hash);
    throw new ConcordatError('TASK_REFUSED', FIRST_ONLY, { taskHash: hash });
  }

  async function roundsTaken(taskHash: Hex, before: number): Promise<number> {
    const rounds = (await parts.earlierRounds(before)).flatMap((round, i) =>
      round.taskHash === taskHash ? [i + 1] : [],
    );
    const commits = await Promise.all(rounds.map((round) => parts.ledger.commitOf(round, parts.dealer)));
    return commits.filter((commit) => commit !== undefined).length;
  }

  async function judgeRound(round: number, record: Judged, { task }: TaskPair): Promise<string | undefined> {
    if (policy === undefined) return undefined;
    const { epsilonAfterMilli } = record;
    if (task.hash === first.task.hash) {
      // without noise its rounds state no epsilon that could be held to anything
      const { maxEpsilon } = task.privacy.mode === 'dp' ? policy : {};
      return roundRefusalOf({ epsilonAfterMilli, roundsTaken: 0 }, { maxEpsilon });
    }
    return roundRefusalOf({ epsilonAfterMilli, roundsTaken: await roundsTaken(task.hash, round) }, policy);
  }

  /** What the chain cannot know of a task, and a coordinator that opens its round may have got wrong. */
  async function openingFault(
    { taskHash, requirementKey: asked, baseModelHash }: Judged,
    { requirement, task, contract }: TaskParts,
  ): Promise<string | undefined> {
    if (asked !== requirementKey(requirement)) return 'the round asks customers for something else than its task needs';
    // from the first published model on, the ledger sees to it
    if ((await parts.ledger.lastModelOf(taskHash)) !== undefined) return undefined;
    const own = modelHash(encodeModel(initialModel(task, contract)));
    return baseModelHash === own ? undefined : 'the round starts from another model than its task does';
  }

  async function judge(round: number, record: Judged): Promise<Verdict> {
    const pair = await pairOf(record.taskHash);
    const reason = judgeTask(pair) ?? (await judgeRound(round, record, pair));
    if (reason !== undefined) return { refused: reason };
    const ofTask = await accept(pair);
    const fault = await openingFault(record, ofTask);
    if (fault !== undefined) return { refused: fault };
    return { parts: { ...ofTask, gate: await parts.gateOf(pair.contract) } };
  }

  const accepted = () => [...made.values()].filter(({ task }) => standings.get(task.hash)?.accepted);

  async function checkPublished(round: number): Promise<void> {
    const record = await parts.ledger.roundOf(round);
    const of = accepted().find(({ task }) => task.hash === record?.taskHash);
    if (of === undefined || record?.status !== 'published' || record.modelHash === undefined) return;
    // an older one is proven with it, and would take the journal back; the coordinator may speak of any
    if ((await parts.ledger.lastModelOf(record.taskHash)) !== record.modelHash) return;
    await of.bases.check(round + 1, record.modelHash);
  }

  async function checkLast(): Promise<void> {
    const hashes = accepted().map(({ task }) => task.hash);
    const last = await Promise.all(hashes.map((hash) => parts.ledger.lastModelOf(hash)));
    const sought = new Set(hashes.filter((_, i) => last[i] !== undefined));
    for (let round = await parts.ledger.roundCount(); round >= 1 && sought.size > 0; round--) {
      const record = await parts.ledger.roundOf(round);
      if (record?.status === 'published' && sought.delete(record.taskHash)) await checkPublished(round);
    }
  }

  judgeTask(first);
  const firstParts = partsOf(first);
  for (const pair of await documents.kept()) if (judgeTask(pair) === undefined) partsOf(pair);

  return {
    first: firstParts,
    judge: (round, record) => refusing(record.taskHash, () => judge(round, record)),
    consider: async (taskHash) => {
      await refusing(taskHash, async () => {
        const pair = await pairOf(taskHash);
        if (judgeTask(pair) === undefined) await accept(pair);
      });
    },
    signFingerprint: async (taskHash, round, aggregateHash) =>
      partsOf(await pairOf(taskHash)).signFingerprint(round, aggregateHash),
    checkPublished,
    checkLast,
    accepted,
    standings: () =>
      [...standings.values()].map((standing) => {
        const modelUnproven = made.get(standing.hash)?.bases.fault();
        return { ...standing, ...(modelUnproven !== undefined && { modelUnproven }) };
      }),
  };
}
