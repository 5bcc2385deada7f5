// A checkpoint on this disk: read before an audit, and moved on only by one in which every check held.
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { readFileOrExplain, writeFileAtomic } from '../kit/files.ts';
import { requestJson } from '../kit/http.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { hashField } from '../protocol/messages/fields.ts';
import type { Endpoints } from './chain/endpoints.ts';
import { type Checkpoint, checkpointOf, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import type { BlockHashes } from './checks/19-checkpoint.ts';
import type { Evidence } from './evidence.ts';
import { reportJson } from './report.ts';
import type { Report } from './verify.ts';

/** @returns undefined when there is none yet @throws ConcordatError FILE_UNREADABLE */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', `${path}: ${cause.message}`, { path }, { cause });
  });
  if (found === undefined) return undefined;
  const bytes = new Uint8Array(await readFileOrExplain(path));
  try {
    return decodeCheckpoint(bytes);
  } catch (cause) {
    throw new ConcordatError('FILE_UNREADABLE', `${path}: ${(cause as Error).message}`, { path }, { cause });
  }
}

/** @throws ConcordatError CHAIN_WRONG: of another federation nothing can be said to have grown */
export function requireSameFederation({ federation, chainId }: Checkpoint, { history }: Evidence): void {
  const { deployment: now } = history;
  if (federation === now.federation && chainId === now.chainId) return;
  const detail = `the checkpoint is of federation ${federation} on chain ${chainId}, not of ${now.federation} on chain ${now.chainId}`;
  throw new ConcordatError('CHAIN_WRONG', detail, { expected: federation, got: now.federation });
}

/** @returns whether it was written: never when a check does not hold */
export async function moveCheckpoint(
  path: string,
  evidence: Evidence,
  report: Report,
  hashOf: BlockHashes,
): Promise<boolean> {
  if (report.checksFailed > 0) return false;
  const { headBlock, headHash: read } = evidence.history;
  const headHash = await hashOf(headBlock);
  if (read !== undefined && headHash !== undefined && headHash !== read)
    throw new ConcordatError('CHAIN_WRONG', `block ${headBlock} was replaced since it was audited`, { headBlock });
  if (headHash === undefined) throw new ConcordatError('CHAIN_WRONG', `the endpoint has lost block ${headBlock}`);
  await writeFileAtomic(path, encodeCheckpoint(checkpointOf(evidence, headHash, reportJson(report))));
  return true;
}

export function checkpointText(path: string, moved: boolean, before: Checkpoint | undefined): string {
  if (!moved)
    return `${path}: ${before === undefined ? 'not written' : 'left as it was'}, because not every check holds.`;
  return before === undefined
    ? `${path}: written. There was none before, so that the history only grew was not asked (check 19).`
    : `${path}: moved on from block ${before.block.number}.`;
}

/** As the endpoint tells them; several must tell the same. @throws ConcordatError CHAIN_WRONG when they do not */
export const blockHashesOf =
  (rpc: Endpoints): BlockHashes =>
  async (block) => {
    const urls = typeof rpc === 'string' ? [rpc] : rpc;
    const [first, ...others] = await Promise.all(urls.map((url) => blockHashAt(url, block)));
    const other = others.findIndex((hash) => hash !== first);
    if (other === -1) return first;
    throw new ConcordatError(
      'CHAIN_WRONG',
      `block ${block} is ${first} at one endpoint, and ${others[other]} at another`,
      { block },
    );
  };

async function blockHashAt(url: string, block: number): Promise<Hex | undefined> {
  const params = [`0x${block.toString(16)}`, false];
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getBlockByNumber', params });
  const answer = blockAnswer.safeParse(await requestJson(url, { method: 'POST', body, maxBytes: MAX_BLOCK_BYTES }));
  if (!answer.success) throw new ConcordatError('CHAIN_WRONG', `the endpoint does not tell block ${block}`, { block });
  return answer.data.result?.hash;
}

/** A block without its transactions' bodies. */
const MAX_BLOCK_BYTES = 4 * 2 ** 20;
const blockAnswer = z.object({ result: z.object({ hash: hashField }).nullable() });
