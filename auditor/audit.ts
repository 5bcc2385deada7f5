// An audit from the outside in: read the chain, open the bundle, run every check.
import { createHash } from 'node:crypto';
import type { Hex } from '../protocol/bytes.ts';
import { readBundle } from '../protocol/transcript/bundle.ts';
import type { Endpoints } from './chain/endpoints.ts';
import { referenceEngines } from './engines.ts';
import type { Evidence } from './evidence.ts';
import { counted, openBundle } from './folder.ts';
import { eventsOf } from './history.ts';
import { checkCeremony } from './proof/ceremony.ts';
import { readHistory } from './read-chain.ts';

export interface AuditSource {
  readonly rpc: Endpoints;
  /** The hash of the last block to read, which the auditor trusts. */
  readonly head?: Hex;
  /** Code of earlier deployments that the auditor accepts. */
  readonly predecessorCode?: readonly Hex[];
  readonly federation: Hex;
  /** Folder with `entries` and `blobs`, or an archive of it. */
  readonly bundle: string;
  /** Where the federation begins; saves a public endpoint the search. */
  readonly fromBlock?: number;
  /** Folder of the ceremony that made the verification key. */
  readonly ceremony?: string;
}

/**
 * @param fetchAgain for a bundle that was fetched: a round may end while that goes on, and is then on chain before it is here
 * @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG; FILE_UNREADABLE for an archive that is none of a bundle
 */
export async function loadEvidence(source: AuditSource, fetchAgain?: () => Promise<unknown>): Promise<Evidence> {
  const evidence = await readEvidence(source);
  if (fetchAgain === undefined || !isBehind(evidence)) return evidence;
  await fetchAgain();
  return readEvidence(source);
}

async function readEvidence(source: AuditSource): Promise<Evidence> {
  const { rpc, federation, bundle, fromBlock = 0, ceremony, head, predecessorCode } = source;
  const { files, size } = counted(await openBundle(bundle));
  const history = await readHistory(rpc, federation, fromBlock, head === undefined ? {} : { head });
  return {
    ...{ history, bundle: await readBundle(files, sha256), engines: referenceEngines(), bundleSize: size },
    ...(predecessorCode !== undefined && { predecessorCode }),
    ...(ceremony !== undefined && { ceremony: await checkCeremony(ceremony) }),
  };
}

/** The chain names an entry that the bundle has not. */
function isBehind({ history, bundle }: Evidence): boolean {
  const hashes = new Set(bundle.entries.map(({ hash }) => hash));
  return eventsOf(history.events, 'Published').some(({ transcriptHead }) => !hashes.has(transcriptHead));
}

/** OpenSSL's: an audit hashes every file several times. */
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
