// What a ceremony's command says at its end: who contributed what, and the hashes to compare with others.
import type { CeremonyState } from '../../engines/proof/ceremony.ts';
import { type CeremonyStep, transcriptHashes } from '../../engines/proof/ceremony-log.ts';
import { table } from '../federate/table.ts';

export interface Outcome extends CeremonyState {
  /** Of the contribution just made. */
  readonly hash?: string;
  readonly artifactsDir?: string;
}

/** As much of a 64-byte hash as nobody can match on purpose. */
const SHOWN = 32;

const WHO = { initial: '(initial key)', beacon: '(beacon)' } as const;

function row(step: CeremonyStep, index: number, transcript: string): string[] {
  const who = step.kind === 'contribution' ? step.name : WHO[step.kind];
  return [`${index}`, who, step.kind === 'initial' ? '' : `${step.hash.slice(0, SHOWN)}…`, transcript];
}

export function outcomeText({ ceremony, transcript, hash, verificationKeyHash, artifactsDir }: Outcome): string {
  const { circuit, constraints, power, ptau, steps, beaconSource } = ceremony;
  const transcripts = transcriptHashes(ceremony);
  const rows = steps.map((step, i) => row(step, i, transcripts[i] ?? ''));
  const closing = steps.find((step) => step.kind === 'beacon');
  const lines = [
    table([['#', 'who', 'contribution', 'transcript after it'], ...rows], ['right', 'left', 'left', 'left']),
    '',
    `circuit           ${circuit} (${constraints} constraints)`,
    `powers of tau     ${ptau} (2^${power})`,
    `beacon from       ${beaconSource === '' ? 'not named beforehand: whoever closes it may choose among values' : beaconSource}`,
    ...(closing ? [`beacon            ${closing.beacon}, hashed 2^${closing.iterationsExp} times`] : []),
    ...(verificationKeyHash ? [`verification key  ${verificationKeyHash}${closing ? '' : ' (not closed yet)'}`] : []),
    `transcript        ${transcript}`,
    ...(hash ? [`contribution      ${hash}`] : []),
    ...(artifactsDir ? [`artefacts         ${artifactsDir}`] : []),
    ...(hash ? ['', 'Publish this transcript hash under your name, and look for it in the finished ceremony.'] : []),
  ];
  return lines.join('\n');
}
