// `concordat audit replay`: on site, with the dealer's consent, one round opened and run again.

import type { Hex } from '../../protocol/bytes.ts';
import { relyingPartyOf } from '../../protocol/consent/relying-party.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Endpoints } from '../chain/endpoints.ts';
import { plainText } from '../plain-text.ts';
import { createSealRing } from '../ring/seal.ts';
import { auditReplay, type SiteReport } from './audit.ts';
import { readReplayChain } from './on-chain.ts';
import { readPackage } from './package.ts';

export interface SiteOptions {
  /** The folder that the dealer opened. */
  readonly edge: string;
  readonly rpc: Endpoints;
  /** The hash of the block that you trust. */
  readonly head?: Hex;
  /** The federation you know; else the package's own word is taken. */
  readonly federation?: Hex;
  /** When the dealer was asked for this round. */
  readonly round?: number;
  readonly sample: number;
  readonly showRecords?: true;
  readonly rpId?: string;
  readonly origin?: string[];
}

/** @throws ConcordatError FILE_*, MESSAGE_*, CHAIN_*, NOT_FOUND when there is nothing to audit */
export async function runSiteAudit(options: SiteOptions): Promise<SiteReport> {
  const { edge, rpc, head, sample, rpId, origin } = options;
  const opened = await readPackage(edge);
  const { dealer, round } = opened.manifest;
  if (options.round !== undefined && options.round !== round) {
    throw new ConcordatError('NOT_FOUND', `the dealer opened round ${round}, not ${options.round}`, { round });
  }
  const federation = options.federation ?? opened.manifest.federation;
  return auditReplay(opened, {
    chain: await readReplayChain(rpc, { federation, dealer, round, ...(head !== undefined && { head }) }),
    ring: await createSealRing(),
    sample,
    showRecords: options.showRecords ?? false,
    ...(rpId !== undefined && { relyingParty: relyingPartyOf(rpId, origin ?? []) }),
  });
}

export function siteText({ federation, dealer, round, attempt, checks, checksFailed, opened }: SiteReport): string {
  const { sample } = opened;
  const lines = [
    `Replay of round ${round}, attempt ${attempt}, of dealer ${dealer} in federation ${federation}`,
    ...checks.map(({ id, holds, finding }) => `  ${holds ? 'holds' : 'FAILS'}  ${id.padEnd(9)} ${plainText(finding)}`),
    `Shown with their consent (${sample.length}):`,
    ...sample.flatMap(({ subject, covered, finding, recordHash, row }) => [
      `  ${covered ? 'covered' : 'NOT COVERED'}  ${subject}`,
      `           record ${recordHash}; ${plainText(finding)}`,
      ...(row === undefined ? [] : [`           ${plainText(JSON.stringify(row))}`]),
    ]),
    `Opened for “${plainText(opened.for)}”: ${plainText(opened.files.join(', '))}; ${opened.records} records in the clear, ${opened.ofEndedConsent} of them of customers whose consent has ended since.`,
    checksFailed === 0
      ? 'The dealer’s payload came out byte for byte.'
      : `${checksFailed} of ${checks.length} checks fail.`,
  ];
  return `${lines.join('\n')}\n`;
}
