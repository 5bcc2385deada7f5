// What a replay found: its stages in order, up to the first that differs.
import type { Hex } from '../../protocol/bytes.ts';

export interface ReplayStage {
  readonly stage: 'commit' | 'task' | 'records' | 'training' | 'noise' | 'payload';
  readonly same: boolean;
  /** In words; never a value of a record. */
  readonly finding: string;
  /** Whose records differ. */
  readonly subjects?: readonly Hex[];
}

export interface ReplayReport {
  readonly formatVersion: 'concordat/1/replay';
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly records: number;
  readonly stages: readonly ReplayStage[];
  /** The payload came out byte for byte. */
  readonly reproduced: boolean;
  readonly payloadHash: Hex;
}

export function replayText({ dealer, round, attempt, records, stages, reproduced, payloadHash }: ReplayReport): string {
  const lines = [
    `Replay of round ${round}, attempt ${attempt}, at dealer ${dealer}: ${records} records`,
    ...stages.flatMap(({ stage, same, finding, subjects = [] }) => [
      `  ${same ? 'same   ' : 'DIFFERS'}  ${stage.padEnd(9)} ${finding}`,
      ...subjects.map((subject) => `                     ${subject}`),
    ]),
    reproduced
      ? `The payload came out byte for byte: ${payloadHash}`
      : `The payload ${payloadHash} was not reproduced: it departs at ${stages.find(({ same }) => !same)?.stage}.`,
  ];
  return `${lines.join('\n')}\n`;
}
