// `concordat doctor`: can this machine run a federation? One line per finding, exit 1 when something must be mended.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, freemem } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { corruptTolerated, quorumFault, quorumWords } from '../protocol/secagg/quorum.ts';
import { address } from './deploy/arguments.ts';
import { palette } from './federate/table.ts';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly found: string;
  readonly remedy?: string;
}

interface DoctorOptions {
  readonly cacheDir: string;
  readonly rpc?: string;
  readonly federation?: Hex;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('can this machine run a federation?')
    .option('--cache-dir <dir>', 'compiled circuits and contracts', resolve('.concordat/cache'))
    .option('--rpc <url>', 'also try this chain endpoint')
    .option(
      '--federation <address>',
      'with --rpc: also look at how many corrupt key-holders this federation stands',
      address,
    )
    .action(async (options: DoctorOptions) => {
      if (!(await doctor(options))) process.exitCode = 1;
    });
}

/** @returns true when everything that must hold holds */
async function doctor(options: DoctorOptions): Promise<boolean> {
  const findings = [
    nodeVersion(),
    cores(),
    memory(),
    await cacheWritable(options.cacheDir),
    await loopback(),
    await wasmSimd(),
    await nativeTensors(),
    await sealLoads(),
    await chain(options.rpc),
    ...(await keyHolders(options)),
  ];
  const ink = palette(process.stdout.isTTY === true);
  for (const { what, ok, found, remedy } of findings) {
    const mark = ok ? ink.good('✓') : ink.bad('✗');
    console.log(`${mark} ${what}: ${found}${ok || remedy === undefined ? '' : ` (${remedy})`}`);
  }
  return findings.every((finding) => finding.ok);
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { what: 'Node.js', ok, found: process.versions.node, remedy: 'install Node.js 20.19 or newer' };
}

function cores(): Finding {
  const count = availableParallelism();
  return { what: 'processors', ok: count >= 2, found: `${count}`, remedy: 'fewer than 2 make the example slow' };
}

function memory(): Finding {
  const freeGib = freemem() / 2 ** 30;
  return { what: 'free memory', ok: freeGib >= 3, found: `${freeGib.toFixed(1)} GiB`, remedy: '8 dealers need 3 GiB' };
}

async function cacheWritable(directory: string): Promise<Finding> {
  const probe = join(directory, `doctor-${process.pid}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(probe, 'x');
    await rm(probe);
    return { what: 'cache folder', ok: true, found: directory };
  } catch (cause) {
    return { what: 'cache folder', ok: false, found: (cause as Error).message, remedy: 'make it writable' };
  }
}

async function loopback(): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (e) => resolve({ what: 'loopback', ok: false, found: e.message, remedy: 'allow 127.0.0.1' }));
    server.listen(0, '127.0.0.1', () => {
      server.close(() => resolve({ what: 'loopback', ok: true, found: 'a port on 127.0.0.1 opens' }));
    });
  });
}

async function wasmSimd(): Promise<Finding> {
  try {
    const { startTensorBackend } = await import('../engines/tensor/backend.ts');
    await startTensorBackend();
    return { what: 'TensorFlow.js', ok: true, found: 'wasm backend starts' };
  } catch (cause) {
    return { what: 'TensorFlow.js', ok: false, found: (cause as Error).message, remedy: 'run npm ci again' };
  }
}

/** Only for tasks that name it: nothing is amiss without. */
async function nativeTensors(): Promise<Finding> {
  const what = 'TensorFlow.js, native';
  const { startTensorBackend } = await import('../engines/tensor/backend.ts');
  try {
    await startTensorBackend('tensorflow');
    return { what, ok: true, found: 'tfjs-node starts: tasks of backend tensorflow can be taken' };
  } catch (cause) {
    const detail = cause instanceof ConcordatError ? cause.detail : String(cause);
    if (detail.endsWith('is not installed'))
      return { what, ok: true, found: 'not installed, which only tasks of that backend need' };
    return { what, ok: false, found: detail, remedy: 'install @tensorflow/tfjs-node again, or remove it' };
  }
}

async function sealLoads(): Promise<Finding> {
  try {
    const { createSealRing } = await import('../auditor/ring/seal.ts');
    const ring = await createSealRing();
    return { what: 'SEAL', ok: true, found: `ring engine "${ring.name}" starts` };
  } catch (cause) {
    return { what: 'SEAL', ok: false, found: (cause as Error).message, remedy: 'run npm ci again' };
  }
}

async function chain(rpcUrl: string | undefined): Promise<Finding> {
  if (rpcUrl !== undefined) {
    const { createRpc } = await import('../engines/chain/rpc.ts');
    try {
      const id = await createRpc(rpcUrl).call('eth_chainId', []);
      return { what: 'chain', ok: true, found: `${rpcUrl} answers, chain id ${Number(id)}` };
    } catch (cause) {
      return { what: 'chain', ok: false, found: (cause as Error).message, remedy: 'check --rpc' };
    }
  }
  const { findAnvil } = await import('../engines/chain/embedded.ts');
  try {
    return { what: 'embedded chain', ok: true, found: findAnvil() };
  } catch (cause) {
    return { what: 'embedded chain', ok: false, found: (cause as Error).message, remedy: 'run npm ci again' };
  }
}

/** Registered by now: a federation on chain may have others than were there when it was deployed. */
async function keyHolders({ rpc, federation }: DoctorOptions): Promise<Finding[]> {
  if (rpc === undefined || federation === undefined) return [];
  const what = 'key-holders';
  const { connectFederation } = await import('../engines/chain/connect.ts');
  try {
    const onChain = (await connectFederation(rpc, federation)).federation;
    const [{ keyHolderThreshold: threshold }, all] = await Promise.all([onChain.parameters(), onChain.keyHolders()]);
    const quorum = { keyHolders: all.length, threshold };
    const fault = quorumFault(quorum);
    if (fault !== undefined) return [{ what, ok: false, found: fault, remedy: 'deploy anew with another threshold' }];
    const remedy = 'a higher threshold stands corrupt ones too';
    const found = quorumWords(quorum);
    return [{ what, ok: true, found: corruptTolerated(quorum) > 0 ? found : `${found} (${remedy})` }];
  } catch (cause) {
    return [{ what, ok: false, found: (cause as Error).message, remedy: 'check --federation' }];
  }
}
