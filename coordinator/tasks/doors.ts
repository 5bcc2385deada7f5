// Where the payloads of a round come in and are added up: an intake and a sum that know how many blocks a payload of the running
// task has. Whoever holds them need not know that the task changes.
import type { RunningSum } from '../aggregate/sum.ts';
import type { Intake } from '../intake/intake.ts';

export interface SizedDoors {
  readonly intake: Intake;
  readonly sum: RunningSum;
}

export interface TaskDoors extends SizedDoors {
  /** Before a round of a task with so many blocks. What another task has summed is let go. */
  size(blocks: number): void;
}

export function createTaskDoors(create: (blocks: number) => SizedDoors, first: number): TaskDoors {
  let [blocks, doors] = [first, create(first)];
  return {
    size(wanted) {
      if (wanted === blocks) return;
      [blocks, doors] = [wanted, create(wanted)];
    },
    intake: {
      open: (round) => doors.intake.open(round),
      close: () => doors.intake.close(),
      announce: (body) => doors.intake.announce(body),
      receive: (...upload) => doors.intake.receive(...upload),
    },
    sum: {
      begin: (round) => doors.sum.begin(round),
      feed: (round, payloadHash) => doors.sum.feed(round, payloadHash),
      settle: (round, payloadHashes) => doors.sum.settle(round, payloadHashes),
    },
  };
}
