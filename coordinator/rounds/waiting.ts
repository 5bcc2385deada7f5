// When to stop waiting for a round's dealers: all in, or nobody left to wait for, or the deadline.
import type { Hex } from '../../protocol/bytes.ts';

/** A dealer whose link dropped is waited for this long: it may be restarting. */
const ABSENT_GRACE_MS = 3_000;

export interface Attendance {
  readonly expected: ReadonlySet<Hex>;
  readonly committed: ReadonlySet<Hex>;
  readonly declined: ReadonlySet<Hex>;
  /** Since when (ms) a dealer's link has been down; absent from the map while it is up. */
  readonly absentSinceMs: ReadonlyMap<Hex, number>;
}

/** Dealers still worth waiting for at `nowMs`. */
export function awaited(attendance: Attendance, nowMs: number): Hex[] {
  return [...attendance.expected].filter((dealer) => {
    if (attendance.committed.has(dealer) || attendance.declined.has(dealer)) return false;
    const since = attendance.absentSinceMs.get(dealer);
    return since === undefined || nowMs - since < ABSENT_GRACE_MS;
  });
}
