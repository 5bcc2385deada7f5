// An audit from the outside in: read the chain, open the bundle, run every check.
import type { Hex } from '../protocol/bytes.ts';
import { readBundle } from '../protocol/transcript/bundle.ts';
import { referenceEngines } from './engines.ts';
import type { Evidence } from './evidence.ts';
import { bundleFolder } from './folder.ts';
import { readHistory } from './read-chain.ts';

export interface AuditSource {
  readonly rpcUrl: string;
  readonly federation: Hex;
  /** Folder with `entries` and `blobs`. */
  readonly bundle: string;
  /** Where the federation begins; saves a public endpoint the search. */
  readonly fromBlock?: number;
}

/** @throws ConcordatError CHAIN_UNREACHABLE, CHAIN_WRONG */
export async function loadEvidence({ rpcUrl, federation, bundle, fromBlock = 0 }: AuditSource): Promise<Evidence> {
  const history = await readHistory(rpcUrl, federation, fromBlock);
  return { history, bundle: await readBundle(bundleFolder(bundle)), engines: referenceEngines() };
}
