// `concordat audit fetch`, and the same before `audit verify --coordinator`: progress for people, and a folder that goes again.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgress } from '../kit/progress.ts';
import { type Fetched, type FetchProgress, type FetchSource, fetchBundle } from './fetch.ts';

/** Progress goes to stderr: what stands on stdout is the result. */
export const fetchWithProgress = (source: FetchSource): Promise<Fetched> =>
  createProgress(process.stderr).step('bundle', (step) =>
    fetchBundle(source, (progress) => step.update(progressText(progress))),
  );

export function fetchedText(
  { files, bytes, newFiles, newBytes, head, ms }: Fetched,
  { bundle, tar }: FetchSource,
): string {
  const fetched = `${newFiles} files, ${megabytes(newBytes)} fetched in ${(ms / 1000).toFixed(1)} s`;
  const archive = tar === undefined ? '' : `  also as ${tar}\n`;
  return `${bundle}: ${files} files, ${megabytes(bytes)} (${fetched})\n  last entry ${head}\n${archive}`;
}

/**
 * The bundle for one audit, in the folder that the person named, or in one that is gone afterwards.
 * @param use given the folder, and how to catch up with what the coordinator has written since
 */
export async function withFetched<T>(
  {
    coordinator,
    bundle,
    maxBytes,
  }: { readonly coordinator: string; readonly bundle?: string; readonly maxBytes?: number },
  use: (bundle: string, fetchAgain: () => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const folder = bundle ?? (await mkdtemp(join(tmpdir(), 'concordat-bundle-')));
  try {
    const source = { coordinator, bundle: folder, ...(maxBytes !== undefined && { maxBytes }) };
    await fetchWithProgress(source);
    return await use(folder, () => fetchWithProgress(source));
  } finally {
    if (bundle === undefined) await rm(folder, { recursive: true, force: true });
  }
}

const progressText = ({ files, ofFiles, bytes, ofBytes }: FetchProgress): string =>
  `${files} of ${ofFiles} files, ${megabytes(bytes)} of ${megabytes(ofBytes)}`;

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;
