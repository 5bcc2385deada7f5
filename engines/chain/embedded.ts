// The embedded chain: an anvil of our own on loopback, whose state outlives it and which never outlives us.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Log } from '../../kit/log.ts';
import { fromHex, type Hex } from '../../protocol/bytes.ts';
import { EMBEDDED_CHAIN_ID } from '../../protocol/embedded-chain.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { findAnvil } from './anvil-binary.ts';
import { createRpc, type Rpc } from './rpc.ts';
import { type Supervised, startSupervised, waitForPredecessor } from './supervise.ts';

export { findAnvil };

interface EmbeddedOptions {
  /** For files that live as long as this run does. */
  readonly dir: string;
  /** A free one when left out. */
  readonly port?: number;
  /** Loaded when it exists, written at the end and every `snapshotEveryMs`: blocks, transactions, logs and all. */
  readonly stateFile?: string;
  /** 0: only at the end. What a kill -9 of the chain itself may cost. */
  readonly snapshotEveryMs?: number;
  readonly log?: Log;
}

export interface EmbeddedChain {
  readonly rpcUrl: string;
  readonly port: number;
  readonly chainId: number;
  /** Resolves when the chain has ended, wanted or not. */
  readonly exited: Promise<number | undefined>;
  /** Gives an account this balance. */
  fund(address: Hex, wei: bigint): Promise<void>;
  /** Ends it; resolves once its state is written. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;
const ATTEMPTS = 5;

/** @throws ConcordatError PROCESS_FAILED with anvil's own words, CONFLICT when the state is in use, TIMED_OUT */
export async function startEmbeddedChain(options: EmbeddedOptions): Promise<EmbeddedChain> {
  const { dir, log } = options;
  await mkdir(dir, { recursive: true });
  const stateFile = options.stateFile ?? join(dir, `chain-${randomBytes(4).toString('hex')}.json`);
  const pidFile = `${stateFile}.pid`;
  await waitForPredecessor(pidFile);
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const anvil = startAnvil({ dir, port, pidFile, stateFile });
    const rpc = createRpc(`http://127.0.0.1:${port}`);
    try {
      await untilReady(anvil, rpc);
    } catch (error) {
      await anvil.process.stop();
      const portTaken = /address already in use/i.test(anvil.process.complaint());
      if (portTaken && options.port === undefined && attempt < ATTEMPTS) continue;
      throw error;
    }
    log?.debug({ port, stateFile }, 'embedded chain is up');
    void anvil.process.exited.then((code) => log?.debug({ port, code }, 'embedded chain ended'));
    return running(anvil.process, rpc, port, stateFile, options);
  }
}

interface StartedAnvil {
  readonly process: Supervised;
  /** Anvil writes it once it has bound its port, which tells our anvil from another program on the same port. */
  readonly boundFile: string;
}

function startAnvil(at: { dir: string; port: number; pidFile: string; stateFile: string }): StartedAnvil {
  const nonce = randomBytes(4).toString('hex');
  const boundFile = join(at.dir, `chain-bound-${nonce}.json`);
  const dumpFile = `${at.stateFile}.${nonce}.dump`;
  const command = [
    findAnvil(),
    ...['--quiet', '--host', '127.0.0.1', '--port', String(at.port), '--chain-id', String(EMBEDDED_CHAIN_ID)],
    // no well-known keys; accounts are funded by address
    ...['--accounts', '0', '--config-out', boundFile],
    // states of old blocks are kept for a few traces only: logs, transactions and receipts stay, and the dump stays small
    ...['--threads', '1', '--prune-history', '64'],
    ...(existsSync(at.stateFile) ? ['--load-state', at.stateFile] : []),
    ...['--dump-state', dumpFile],
  ];
  const { pidFile, stateFile } = at;
  return { process: startSupervised({ pidFile, dumpFile, stateFile, command }), boundFile };
}

async function untilReady(anvil: StartedAnvil, rpc: Rpc): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  try {
    while (!existsSync(anvil.boundFile)) {
      if (anvil.process.hasExited()) {
        throw new ConcordatError('PROCESS_FAILED', `anvil: ${anvil.process.complaint() || 'ended without a word'}`);
      }
      if (performance.now() > giveUpAt) throw new ConcordatError('TIMED_OUT', 'anvil does not start');
      await sleep(10);
    }
  } finally {
    await rm(anvil.boundFile, { force: true });
  }
  await rpc.call('eth_chainId', []);
}

function running(
  anvil: Supervised,
  rpc: Rpc,
  port: number,
  stateFile: string,
  options: EmbeddedOptions,
): EmbeddedChain {
  const { snapshotEveryMs = 5_000, log } = options;
  const stopping = new AbortController();
  void anvil.exited.then(() => stopping.abort());
  const snapshots =
    options.stateFile === undefined || snapshotEveryMs === 0
      ? Promise.resolve()
      : keepSnapshots(rpc, stateFile, snapshotEveryMs, stopping.signal, log);
  return {
    rpcUrl: rpc.url,
    port,
    chainId: EMBEDDED_CHAIN_ID,
    exited: anvil.exited,
    async fund(address, wei) {
      await rpc.call('anvil_setBalance', [address, `0x${wei.toString(16)}`]);
    },
    async stop() {
      stopping.abort();
      // a snapshot still being written must not replace the final state
      await snapshots;
      await anvil.stop();
      if (options.stateFile === undefined) await rm(stateFile, { force: true });
    },
  };
}

const inflate = promisify(gunzip);

async function keepSnapshots(
  rpc: Rpc,
  stateFile: string,
  everyMs: number,
  signal: AbortSignal,
  log: Log | undefined,
): Promise<void> {
  let kept: unknown;
  let pauseMs = everyMs;
  for (;;) {
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    const startedAt = performance.now();
    try {
      const head = await rpc.call('eth_blockNumber', []);
      if (head === kept) continue;
      const dump = (await rpc.call('anvil_dumpState', [])) as Hex;
      await writeFileAtomic(stateFile, await inflate(fromHex(dump)));
      kept = head;
      // a long chain takes longer to write: never more than a twentieth of the time
      pauseMs = Math.max(everyMs, 20 * (performance.now() - startedAt));
    } catch (error) {
      // the final dump is still to come; if the chain is gone, `exited` tells
      if (!signal.aborted) log?.warn({ err: error }, 'no snapshot of the embedded chain');
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
