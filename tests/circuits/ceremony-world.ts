// A circuit of a hundred constraints, powers of tau for it, and contributors as processes of their own.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBn128 } from 'ffjavascript';
import * as snarkjs from 'snarkjs';
import { type Ceremony, readCeremony } from '../../engines/proof/ceremony-log.ts';
import { useOneThread } from '../../engines/proof/verify.ts';
import type { Progress } from '../../kit/progress.ts';
import { encodeCanonicalJson } from '../../protocol/consent/canonical-json.ts';

export const SILENT: Progress = { step: (_, run) => run({ update: () => undefined, line: () => undefined }) };
const CONCORDAT = fileURLToPath(new URL('../../scripts/concordat.ts', import.meta.url));

/** x → x² + y, again and again. Its name is the one that the setup looks for. */
export async function chainCircuit(dir: string, constraints: number): Promise<string> {
  await mkdir(join(dir, 'main'), { recursive: true });
  const source = `pragma circom 2.1.6;
template Chain(n) {
  signal input x;
  signal input y;
  signal output out;
  signal s[n + 1];
  s[0] <== x;
  for (var i = 0; i < n; i++) { s[i + 1] <== s[i] * s[i] + y; }
  out <== s[n];
}
component main { public [y] } = Chain(${constraints});
`;
  await writeFile(join(dir, 'main', 'policy-claim.circom'), source);
  return dir;
}

/** What snarkjs has for phase 1, which the product never runs. */
const { powersOfTau } = snarkjs as unknown as {
  powersOfTau: {
    newAccumulator(curve: unknown, power: number, file: string): Promise<void>;
    contribute(from: string, to: string, name: string, entropy: string): Promise<void>;
    preparePhase2(from: string, to: string): Promise<void>;
  };
};

export interface PtauFiles {
  readonly prepared: string;
  readonly unprepared: string;
}

export async function makePtau(dir: string, power: number): Promise<PtauFiles> {
  await useOneThread();
  const [fresh, unprepared, prepared] = ['0', '1', '2'].map((name) => join(dir, `${name}.ptau`)) as [
    string,
    string,
    string,
  ];
  await powersOfTau.newAccumulator(await buildBn128(true), power, fresh);
  await powersOfTau.contribute(fresh, unprepared, 'test', 'not secret');
  await powersOfTau.preparePhase2(unprepared, prepared);
  return { prepared, unprepared };
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** `concordat ceremony …`. @param killWhen SIGKILL as soon as a file of this name appears in this folder */
export function ceremonyCommand(
  args: readonly string[],
  killWhen?: { readonly dir: string; readonly name: RegExp },
): Promise<Ended> {
  const argv = ['--import', import.meta.resolve('tsx'), CONCORDAT, 'ceremony', ...args];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      output += part.toString('utf8');
    });
  }
  const watcher =
    killWhen && watch(killWhen.dir, (_event, name) => name && killWhen.name.test(name) && child.kill('SIGKILL'));
  return new Promise((resolve) => {
    child.once('close', (code) => {
      watcher?.close();
      resolve({ code, output });
    });
  });
}

/** In a folder of its own below `scratch`. */
export async function copyOf(dir: string, scratch: string): Promise<string> {
  const copy = join(await mkdtemp(join(scratch, 'copy-')), 'ceremony');
  await cp(dir, copy, { recursive: true });
  return copy;
}

export async function flipByte(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

/** The manifest as somebody without scruples would leave it: canonical, and otherwise as they like. */
export async function editManifest(dir: string, edit: (ceremony: Ceremony) => unknown): Promise<void> {
  const edited = edit(await readCeremony(dir)) as Parameters<typeof encodeCanonicalJson>[0];
  await writeFile(join(dir, 'manifest.json'), encodeCanonicalJson(edited));
}

/** Changes a listed key and lists the changed one. */
export async function replaceKey(dir: string, index: number, change: (bytes: Buffer) => void): Promise<void> {
  const { steps } = await readCeremony(dir);
  const from = join(dir, 'files', `${steps[index]?.file}.zkey`);
  const bytes = await readFile(from);
  change(bytes);
  const file = createHash('sha256').update(bytes).digest('hex');
  await writeFile(from, bytes);
  await rename(from, join(dir, 'files', `${file}.zkey`));
  await editManifest(dir, (ceremony) => ({
    ...ceremony,
    steps: ceremony.steps.map((step, i) => (i === index ? { ...step, file } : step)),
  }));
}
