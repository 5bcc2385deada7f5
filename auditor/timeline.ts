// What happened in each round, as the chain tells it: who took part, with how much, how good the model was, what it cost in privacy.
import type { Hex } from '../protocol/bytes.ts';
import { NO_PRIVACY_CAP } from '../protocol/consent/policy.ts';
import type { History } from './history.ts';
import { plainText } from './plain-text.ts';
import { replay } from './replay.ts';

export interface RoundLine {
  readonly round: number;
  /** Unix seconds. */
  readonly openedAt: number;
  readonly status: 'published' | 'failed' | 'under way';
  /** Why it failed. */
  readonly reason?: string;
  readonly task: Hex;
  /** The set that was added up, with the records that each committed to. */
  readonly dealers: readonly { readonly dealer: Hex; readonly weight: number }[];
  /** Committed, and not in the set. */
  readonly leftOut: readonly Hex[];
  /** Of the model that the round started from. */
  readonly accuracyBps?: number;
  readonly aucBps?: number;
  /** Spent per customer after this round, in thousandths; left out where nothing bounds it. */
  readonly epsilonMilli?: number;
  readonly model?: Hex;
}

/** The rounds of this deployment, in order. */
export function timelineOf({ events }: History): RoundLine[] {
  const sets = new Map<number, Pick<RoundLine, 'dealers' | 'leftOut'>>();
  const final = replay(events, (event, before) => {
    const commits = before.rounds.get('round' in event ? event.round : 0)?.commits;
    if (event.name !== 'SetFinalised' || commits === undefined || sets.has(event.round)) return;
    sets.set(event.round, {
      dealers: event.dealers.map((dealer) => ({ dealer, weight: commits.get(dealer)?.weight ?? 0 })),
      leftOut: [...commits.keys()].filter((dealer) => !event.dealers.includes(dealer)),
    });
  });
  return [...final.rounds].map(([round, { opened, commits, failed, published }]) => ({
    round,
    openedAt: opened.at.timestamp,
    status: published ? 'published' : failed ? 'failed' : 'under way',
    ...(failed && { reason: plainText(failed.reason) }),
    task: opened.taskHash,
    ...(sets.get(round) ?? { dealers: [], leftOut: [...commits.keys()] }),
    ...(published && { accuracyBps: published.accuracyBps, aucBps: published.aucBps, model: published.modelHash }),
    ...(opened.epsilonAfterMilli < NO_PRIVACY_CAP && { epsilonMilli: opened.epsilonAfterMilli }),
  }));
}
