// The chain to audit: the endpoint while it answers, else the kept state of an embedded chain, started for the audit.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { startEmbeddedChain } from '../engines/chain/embedded.ts';
import { readFileOrExplain } from '../kit/files.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { addressField } from '../protocol/messages/fields.ts';
import { createReader } from './chain/rpc.ts';

const federationFile = z.object({
  rpcUrl: z.string().min(1),
  chainId: z.int().min(1),
  federation: addressField,
  bundle: z.string().min(1).default('bundle'),
  chainState: z.string().min(1).optional(),
});

/** What an audit needs to know of a finished run; read from `federation.json` of its folder. */
export interface FinishedRun {
  readonly rpcUrl: string;
  readonly chainId: number;
  readonly federation: Hex;
  /** Absolute, like `chainState`. */
  readonly bundle: string;
  readonly chainState: string | undefined;
}

/** @throws ConcordatError FILE_MISSING, FILE_UNREADABLE */
export async function readFinishedRun(directory: string): Promise<FinishedRun> {
  const path = join(directory, 'federation.json');
  const text = (await readFileOrExplain(path)).toString('utf8');
  let parsed: z.infer<typeof federationFile>;
  try {
    parsed = federationFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new ConcordatError('FILE_UNREADABLE', `${path}: ${(cause as Error).message}`, { path }, { cause });
  }
  const { chainState } = parsed;
  return {
    ...parsed,
    bundle: join(directory, parsed.bundle),
    chainState: chainState === undefined ? undefined : join(directory, chainState),
  };
}

export interface OpenedChain {
  readonly rpcUrl: string;
  /** Set when the chain was started from its kept state. */
  readonly startedFrom: string | undefined;
  close(): Promise<void>;
}

/**
 * The run's endpoint, if it still answers for the same chain; else its embedded chain from a copy of the kept state.
 * @throws ConcordatError CHAIN_UNREACHABLE when there is neither
 */
export async function openChain(run: FinishedRun): Promise<OpenedChain> {
  if (await answers(run)) return { rpcUrl: run.rpcUrl, startedFrom: undefined, close: async () => undefined };
  const { chainState } = run;
  if (chainState === undefined) throw new ConcordatError('CHAIN_UNREACHABLE', run.rpcUrl, { url: run.rpcUrl });
  const dir = await mkdtemp(join(tmpdir(), 'concordat-audit-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    // a chain writes its state back when it ends: an audit changes nothing of what it looks at
    const stateFile = join(dir, 'chain.json');
    await readFileOrExplain(chainState);
    await copyFile(chainState, stateFile);
    const chain = await startEmbeddedChain({ dir, stateFile, snapshotEveryMs: 0 });
    return {
      rpcUrl: chain.rpcUrl,
      startedFrom: chainState,
      close: async () => {
        await chain.stop();
        await remove();
      },
    };
  } catch (cause) {
    await remove();
    throw cause;
  }
}

/** Another chain may have taken the port since; one with another number, or without the contract, is not this run's. */
async function answers({ rpcUrl, chainId, federation }: FinishedRun): Promise<boolean> {
  const reader = createReader(rpcUrl, 3_000);
  try {
    if (Number(await reader.ask('eth_chainId', [])) !== chainId) return false;
    return (await reader.ask('eth_getCode', [federation, 'latest'])) !== '0x';
  } catch {
    return false;
  }
}
