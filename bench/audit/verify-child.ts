// One audit in a process of its own, from cold, with the time that it took by the clock and of the processor.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report } from '../../auditor/verify.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';

const BIN = join(PACKAGE_ROOT, 'bin/concordat.mjs');
/** Tells its parent, as it ends, what it used. Children of its own (the chain) are not in it. */
const TELL = 'process.on("exit",()=>{const{user,system}=process.cpuUsage();process.send?.((user+system)/1000)})';

export async function auditCold(
  outDir: string,
): Promise<{ readonly report: Report; readonly wallMs: number; readonly cpuMs: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'concordat-bench-audit-'));
  const json = join(folder, 'report.json');
  try {
    const preload = `data:text/javascript,${encodeURIComponent(TELL)}`;
    const args = ['--import', preload, BIN, 'audit', 'verify', '--out', outDir, '--json', json];
    const startedMs = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], cwd: PACKAGE_ROOT });
    let cpuMs = 0;
    child.on('message', (ms) => {
      cpuMs = Math.round(Number(ms));
    });
    await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
    const wallMs = Math.round(performance.now() - startedMs);
    return { report: JSON.parse(await readFile(json, 'utf8')) as Report, wallMs, cpuMs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
