// Where an export reads from: a finished run, a bundle or a coordinator; and the chain, when one is given.
import { openChain, readFinishedRun } from '../../auditor/chain-at.ts';
import { openBundle } from '../../auditor/folder.ts';
import type { History } from '../../auditor/history.ts';
import { readHistory } from '../../auditor/read-chain.ts';
import { request } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type Bundle, type BundleFiles, readBundle } from '../../protocol/transcript/bundle.ts';
import {
  decodeManifest,
  MANIFEST_NAME,
  MAX_BLOB_BYTES,
  MAX_MANIFEST_BYTES,
} from '../../protocol/transcript/manifest.ts';
import { baseUrl } from '../task/client.ts';

export interface SourceOptions {
  readonly run?: string;
  readonly bundle?: string;
  readonly coordinator?: string;
  readonly rpc?: string;
  readonly federation?: Hex;
  readonly fromBlock?: number;
}

export interface ModelSource {
  /** Re-hashed on every read. @throws ConcordatError NOT_FOUND, ARTIFACT_CORRUPT */
  blob(hash: Hex): Promise<Uint8Array>;
  /** The whole transcript, for want of a chain. */
  bundle(): Promise<Bundle>;
  /** undefined: no chain was given. */
  readonly history: History | undefined;
}

/** @throws ConcordatError FILE_MISSING for options that do not go together; CHAIN_UNREACHABLE, CHAIN_WRONG */
export async function openSource(options: SourceOptions): Promise<ModelSource> {
  const { run, bundle, coordinator } = options;
  const given = [run, bundle, coordinator].filter((place) => place !== undefined);
  if (given.length !== 1) throw new ConcordatError('FILE_MISSING', 'give one of --run, --bundle and --coordinator');
  if (run !== undefined) return sourceOfRun(run, options);
  const files = coordinator === undefined ? await openBundle(bundle ?? '') : bundleOver(baseUrl(coordinator));
  return sourceOf(files, await historyOf(options));
}

async function sourceOf(files: BundleFiles, history: History | undefined): Promise<ModelSource> {
  // with a chain no entry is needed: what it names by hash is read by hash
  const { blob } = await readBundle({ ...files, list: async () => [] });
  return { blob, bundle: () => readBundle(files), history };
}

/** An export looks up one hash, and says that it re-checks nothing: proofs of blocks are the audit's. */
const UNPROVEN = { prove: () => false };

async function sourceOfRun(run: string, { rpc, federation }: SourceOptions): Promise<ModelSource> {
  if (rpc !== undefined || federation !== undefined) {
    throw new ConcordatError('FILE_MISSING', '--run names its own chain: leave out --rpc and --federation');
  }
  const finished = await readFinishedRun(run);
  const chain = await openChain(finished);
  try {
    return await sourceOf(
      await openBundle(finished.bundle),
      await readHistory(chain.rpcUrl, finished.federation, 0, UNPROVEN),
    );
  } finally {
    await chain.close();
  }
}

async function historyOf({ rpc, federation, fromBlock }: SourceOptions): Promise<History | undefined> {
  if (rpc === undefined && federation === undefined) return undefined;
  if (rpc === undefined || federation === undefined) {
    throw new ConcordatError(
      'FILE_MISSING',
      '--rpc and --federation go together: the chain is asked about one contract',
    );
  }
  return readHistory(rpc, federation, fromBlock, UNPROVEN);
}

/** The coordinator's word counts for nothing: entries are chained and blobs re-hashed. */
function bundleOver(url: string): BundleFiles {
  const read = (path: string, maxBytes: number) => request(`${url}/v1/bundle/${path}`, { maxBytes });
  return {
    list: async (folder) =>
      decodeManifest(await read(MANIFEST_NAME, MAX_MANIFEST_BYTES))[folder].map(({ name }) => name),
    read: (path) => read(path, MAX_BLOB_BYTES),
  };
}
