// Checks a ceremony's whole record, from the circuit's sources to the key: by `concordat ceremony verify`, in a process of its own.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export interface CheckedCeremony {
  /** Why it does not hold. */
  readonly fault: string | undefined;
  readonly contributions: number;
  /** Of its newest key; undefined before anyone contributed. */
  readonly verificationKeyHash: Hex | undefined;
}

const outcome = z.union([
  z.object({
    ok: z.literal(true),
    ceremony: z.object({ steps: z.array(z.object({ kind: z.string() })) }),
    verificationKeyHash: z
      .string()
      .regex(/^0x[0-9a-f]{64}$/)
      .optional(),
  }),
  z.object({ ok: z.literal(false), detail: z.string() }),
]);

/**
 * The one place where an audit rests on snarkjs: powers of tau, and how a key grew contribution by contribution, only it can
 * check. Never whether a proof holds under the key.
 * @throws ConcordatError PROCESS_FAILED when the command says neither yes nor no
 */
export async function checkCeremony(dir: string): Promise<CheckedCeremony> {
  const workDir = await mkdtemp(join(tmpdir(), 'concordat-audit-ceremony-'));
  try {
    const json = join(workDir, 'outcome.json');
    const args = [join(PACKAGE_ROOT, 'bin/concordat.mjs'), 'ceremony', 'verify', '--dir', dir, '--json', json];
    const complaint = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 }, (_, __, stderr) => resolve(stderr));
    });
    const text = await readFile(json, 'utf8').catch(() => undefined);
    if (text === undefined) throw new ConcordatError('PROCESS_FAILED', `ceremony verify: ${complaint.slice(-400)}`);
    const found = outcome.parse(JSON.parse(text));
    if (!found.ok) return { fault: found.detail, contributions: 0, verificationKeyHash: undefined };
    const contributions = found.ceremony.steps.filter(({ kind }) => kind === 'contribution').length;
    const verificationKeyHash = found.verificationKeyHash as Hex | undefined;
    // a beacon is public: a key that has only that is one whose secret everybody knows
    const fault = contributions === 0 || verificationKeyHash === undefined ? 'nobody contributed' : undefined;
    return { fault, contributions, verificationKeyHash };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
