// What a numbered check is, and the tally it fills: how much was looked at, and what was wrong with it.
import type { Evidence } from '../evidence.ts';
import type { PromiseId } from '../promises.ts';

export interface Failure {
  /** What was looked at, so that a person finds it: "round 2, upload of 0x…". */
  readonly what: string;
  readonly expected?: string;
  readonly got?: string;
}

export interface CheckResult {
  readonly checked: number;
  readonly failed: number;
  /** Looked for and not decidable from what is there. Never a pass. */
  readonly inconclusive: number;
  /** The first ones; `failed` + `inconclusive` may be more. */
  readonly failures: readonly Failure[];
  readonly note: string;
}

export interface Check {
  /** Two digits: the number of the file. */
  readonly id: string;
  readonly title: string;
  /** Promises of the design that rest on it. */
  readonly promises: readonly PromiseId[];
  /** For a person: what it means when this holds, and for whom. */
  readonly meaning: string;
  /** What it does not show, however well it holds. */
  readonly cannot: string;
  run(evidence: Evidence): Promise<CheckResult>;
}

/** Enough to find the fault; a flipped seed would otherwise print a line per residue. */
const MOST_NAMED = 20;

export interface Tally {
  /** One thing looked at: it must hold. */
  holds(what: string, condition: boolean, detail?: { readonly expected?: unknown; readonly got?: unknown }): boolean;
  /** One thing looked at: it must be exactly this. */
  same(what: string, got: unknown, expected: unknown): boolean;
  /** One thing looked at that is wrong, or not there. */
  fails(what: string, detail?: string): void;
  /** Something that had to be looked at and could not be decided. */
  unsure(what: string, detail?: string): void;
  /**
   * One thing looked at by running `step`: what it throws is a failure, and the rest of the check goes on.
   * @returns what the step returned; undefined after a failure
   */
  attempt<T>(what: string, step: () => T | Promise<T>): Promise<T | undefined>;
  /** Something that the check needs to begin. To have it is nothing checked; not to have it is a failure. */
  needs<T>(what: string, step: () => T | Promise<T>): Promise<T | undefined>;
  result(note?: string): CheckResult;
}

/** About a round whose task is not known: of one that the chain never opened nothing may be there; else nobody can tell. */
export function withoutTask(
  tally: Tally,
  what: string,
  { opened }: { readonly opened: unknown },
  detail: string,
): void {
  if (opened === undefined) tally.fails(what, 'the chain never opened the round');
  else tally.unsure(what, detail);
}

export function createTally(): Tally {
  const failures: Failure[] = [];
  const count = { checked: 0, failed: 0, inconclusive: 0 };

  function name(failure: Failure): void {
    if (failures.length < MOST_NAMED) failures.push(failure);
  }

  const tally: Tally = {
    holds(what, condition, detail = {}) {
      count.checked++;
      if (condition) return true;
      count.failed++;
      name({
        what,
        ...('expected' in detail && { expected: String(detail.expected) }),
        ...('got' in detail && { got: String(detail.got) }),
      });
      return false;
    },
    same: (what, got, expected) => tally.holds(what, got === expected, { expected, got }),
    fails(what, detail) {
      tally.holds(what, false, detail === undefined ? {} : { got: detail });
    },
    unsure(what, detail) {
      count.checked++;
      count.inconclusive++;
      name({ what: `undecided: ${what}`, ...(detail !== undefined && { got: detail }) });
    },
    async attempt(what, step) {
      try {
        const value = await step();
        tally.holds(what, true);
        return value;
      } catch (cause) {
        tally.fails(what, messageOf(cause));
        return undefined;
      }
    },
    async needs(what, step) {
      try {
        return await step();
      } catch (cause) {
        tally.fails(what, messageOf(cause));
        return undefined;
      }
    },
    result: (note = '') => ({ ...count, failures, note }),
  };
  return tally;
}

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
