// Starts anvil under a small shell that ends it, gracefully and with its state written, when our end of a pipe closes:
// at stop(), at exit and at kill -9 alike.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConcordatError } from '../../protocol/errors.ts';

/**
 * Arguments: pid file, file anvil dumps to, file the dump becomes once it is whole, then the command. The dump replaces the
 * old state only after a graceful end, by a rename.
 */
const SUPERVISOR = `
pid_file=$1; dump=$2; state=$3; shift 3
echo $$ > "$pid_file"
exec 3<&0
"$@" </dev/null 3<&- &
chain=$!
trap 'kill -TERM $chain 2>/dev/null' TERM INT HUP
( trap - TERM INT HUP; read -r _ <&3; kill -TERM $chain 2>/dev/null ) &
watcher=$!
wait $chain; code=$?
while kill -0 $chain 2>/dev/null; do wait $chain; code=$?; done
kill $watcher 2>/dev/null
if [ $code -eq 0 ] && [ -s "$dump" ]; then mv -f "$dump" "$state"; fi
rm -f "$pid_file"
exit $code
`;

interface SupervisedOptions {
  readonly pidFile: string;
  readonly dumpFile: string;
  readonly stateFile: string;
  readonly command: readonly string[];
}

export interface Supervised {
  readonly exited: Promise<number | undefined>;
  hasExited(): boolean;
  /** The end of what it wrote to stderr. */
  complaint(): string;
  /** Resolves when it has ended and its state is on disk. */
  stop(): Promise<void>;
}

const GRACE_MS = 20_000;

export function startSupervised(options: SupervisedOptions): Supervised {
  const { pidFile, dumpFile, stateFile, command } = options;
  const child = spawn('sh', ['-c', SUPERVISOR, 'concordat-chain', pidFile, dumpFile, stateFile, ...command], {
    stdio: ['pipe', 'ignore', 'pipe'],
    // a session of its own: Ctrl-C in the terminal is for us to handle, and must not end the chain under a running round
    detached: true,
  });
  let complaint = '';
  let ended = false;
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  // EPIPE when it ended first: `exited` tells
  child.stdin.on('error', () => undefined);
  const exited = once(child, 'exit').then(([code]) => {
    ended = true;
    // lets the watcher go even if the shell itself was killed
    child.stdin.destroy();
    return (code ?? undefined) as number | undefined;
  });
  return {
    exited,
    hasExited: () => ended,
    complaint: () => complaint.trim(),
    async stop() {
      if (ended) return;
      child.stdin.end();
      const late = new AbortController();
      const overdue = sleep(GRACE_MS, 'overdue' as const, { signal: late.signal }).catch(() => undefined);
      if ((await Promise.race([exited, overdue])) === 'overdue') killGroup(child);
      late.abort();
      await exited;
    },
  };
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

/**
 * A chain whose parent was just killed is still writing its state: waits for it rather than read a state about to change.
 * @throws ConcordatError CONFLICT when it is still there after `timeoutMs`, i.e. in use
 */
export async function waitForPredecessor(pidFile: string, timeoutMs = GRACE_MS): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
    if (!(pid > 0) || !(await isOurs(pid))) return;
    if (performance.now() > giveUpAt) {
      throw new ConcordatError('CONFLICT', `an embedded chain (pid ${pid}) still uses this state`, { pidFile, pid });
    }
    await sleep(50);
  }
}

async function isOurs(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // after a reboot the number may be anybody's
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return commandLine === undefined || commandLine.includes('concordat-chain');
}
