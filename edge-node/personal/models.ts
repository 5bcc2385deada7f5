// The dealer's personal models: tuned after each published round, given out only while everybody in one still consents.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { NO_PRIVACY_CAP, type Requirement } from '../../protocol/consent/policy.ts';
import type { DataContract } from '../../protocol/learning/data-contract.ts';
import { encodeModel } from '../../protocol/learning/model.ts';
import type { Task } from '../../protocol/learning/task.ts';
import { type AccessParts, accessNow } from '../access.ts';
import type { ConsentBook } from '../consent/book.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { FetchBase } from '../train/fetch-base.ts';
import type { PersonalModel, PersonalModelFiles } from './file.ts';
import { isPersonal, type PersonalTask, tuneLastLayer } from './tune.ts';

export interface PersonalTaskParts {
  readonly task: Task;
  readonly contract: DataContract;
  readonly requirement: Requirement;
  readonly fetchBase: FetchBase;
}

export interface PersonalModelsParts {
  readonly files: PersonalModelFiles;
  readonly chain: AccessParts['chain'] & { readonly ledger: Pick<ChainConnection['ledger'], 'lastModelOf'> };
  readonly book: Pick<ConsentBook, 'decisions'>;
  /** Those that this dealer accepts. */
  readonly tasks: () => readonly PersonalTaskParts[];
  readonly gateOf: (contract: DataContract) => Promise<ConsentGate>;
  readonly chainNowSeconds: () => Promise<number>;
  readonly log: Log;
}

export interface PersonalModels {
  /** A round was published, or consent moved on. */
  changed(): void;
  /** undefined: none is there. One that somebody has left since is erased instead of given out. */
  of(taskHash: Hex): Promise<PersonalModel | undefined>;
  /** What is under way is done when it resolves. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export function createPersonalModels(parts: PersonalModelsParts): PersonalModels {
  const { files, chain, book, log } = parts;
  let working: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  /** Without noise, whatever the task: whoever capped their privacy loss is never in one. */
  async function covered({ task, requirement }: PersonalTaskParts): Promise<Set<string>> {
    const terms = { taskHash: task.hash, epsilonAfterMilli: NO_PRIVACY_CAP };
    const access = await accessNow(terms, { chain, requirement, chainNowSeconds: parts.chainNowSeconds });
    return new Set([...book.decisions(access)].flatMap(([customer, { allow }]) => (allow ? [customer] : [])));
  }

  /** The one that is kept, unless somebody in it has gone: then it is erased. */
  async function standing(at: PersonalTaskParts, allowed: ReadonlySet<string>): Promise<PersonalModel | undefined> {
    const kept = await files.read(at.task.hash);
    if (kept === undefined || kept.customers.every((customer) => allowed.has(customer))) return kept;
    await files.erase(at.task.hash);
    log.info({ taskHash: at.task.hash }, 'personal model erased: somebody in it no longer consents');
    return undefined;
  }

  async function refresh(at: PersonalTaskParts, task: PersonalTask): Promise<void> {
    const allowed = await covered(at);
    const kept = await standing(at, allowed);
    const baseModelHash = await chain.ledger.lastModelOf(task.hash);
    if (baseModelHash === undefined || kept?.baseModelHash === baseModelHash) return;
    const records = (await parts.gateOf(at.contract)).open(allowed);
    const base = await at.fetchBase(baseModelHash);
    const tuned = await tuneLastLayer(task, at.contract, base.weights, records);
    if (tuned === undefined) {
      await files.erase(task.hash);
      return;
    }
    const { weights, ...told } = tuned;
    const model = Uint8Array.from(encodeModel({ layout: base.layout, weights }));
    const customers = records.map(({ customerId }) => customerId);
    await files.write({ taskHash: task.hash, baseModelHash, customers, model, ...told });
    log.info({ taskHash: task.hash, tunedOn: told.tunedOn }, 'personal model tuned');
  }

  async function work(): Promise<void> {
    do {
      again = false;
      for (const at of parts.tasks()) {
        if (stopped || !isPersonal(at.task)) continue;
        try {
          await refresh(at, at.task);
        } catch (err) {
          // the next round or change of consent tries again; what is given out is checked anew each time
          if (!stopped) log.warn({ err, taskHash: at.task.hash }, 'no personal model');
        }
      }
    } while (again && !stopped);
  }

  return {
    changed() {
      if (stopped) return;
      again = true;
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    async of(taskHash) {
      const at = parts.tasks().find(({ task }) => task.hash === taskHash);
      if (at === undefined || !isPersonal(at.task)) return undefined;
      return standing(at, await covered(at));
    },
    settled: async () => working,
    stop: async () => {
      stopped = true;
      await working;
    },
  };
}
