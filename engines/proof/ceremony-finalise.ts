// Closes a ceremony with a public beacon and exports what a federation runs on: proving key, verification key, verifier.
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConcordatError } from '../../protocol/errors.ts';
import { FILES, readManifest, writeManifest } from './artifact-files.ts';
import { CIRCUITS, loadCeremonyArtifacts, type PolicyArtifacts, temporaryBeside } from './artifacts.ts';
import type { CeremonyOptions } from './ceremony.ts';
import { type CheckedCeremony, checkCeremony, checkNewKey, inWorkshop, type Workshop } from './ceremony-check.ts';
import {
  appendStep,
  type Ceremony,
  contributors,
  fault,
  fileOf,
  hashFile,
  keepByHash,
  readCeremony,
  recover,
  temporaryIn,
  transcriptHash,
} from './ceremony-log.ts';
import { toolchain } from './compile.ts';

interface FinaliseOptions extends CeremonyOptions {
  readonly artifactsDir: string;
  /** Hex, from the source named beforehand. */
  readonly beacon: string;
  /** log2 of how often it is hashed. */
  readonly iterationsExp: number;
  readonly minContributions: number;
}

export interface Finalised {
  readonly ceremony: Ceremony;
  readonly artifacts: PolicyArtifacts;
}

/**
 * Run again after a kill, with the same beacon, it goes on where it was.
 * @throws ConcordatError as `verifyCeremony`; CEREMONY_INVALID with too few contributions; CONFLICT when it was closed
 * with another beacon, or the folder for the artefacts holds something else
 */
export async function finaliseCeremony(options: FinaliseOptions): Promise<Finalised> {
  const { dir, artifactsDir, minContributions, progress, circuitsDir = CIRCUITS } = options;
  await recover(dir);
  const before = await readCeremony(dir);
  refuseOtherBeacon(before, options);
  const count = contributors(before).length;
  // the beacon alone would make delta differ from gamma, and everyone knows the beacon
  if (count < Math.max(1, minContributions)) {
    fault('beacon', `${count} contributions, at least ${Math.max(1, minContributions)} are wanted before it`);
  }
  return inWorkshop(circuitsDir, progress, async (shop) => {
    const checked = await checkCeremony(shop, dir);
    const ceremony = await closed(shop, checked, options);
    await progress.step('artefacts', () => exportArtifacts(shop, { ...checked, ceremony }, dir, artifactsDir));
    const artifacts = await loadCeremonyArtifacts(artifactsDir, circuitsDir);
    if (artifacts.transcript !== transcriptHash(ceremony)) {
      throw new ConcordatError('CONFLICT', `${artifactsDir} has the artefacts of another ceremony`);
    }
    return { ceremony, artifacts };
  });
}

async function closed(shop: Workshop, { ceremony }: CheckedCeremony, options: FinaliseOptions): Promise<Ceremony> {
  const { dir, beacon, iterationsExp } = options;
  const newest = ceremony.steps.at(-1) ?? ceremony.steps[0];
  refuseOtherBeacon(ceremony, options);
  if (newest.kind === 'beacon') return ceremony;
  return shop.progress.step('beacon', async () => {
    const zkeyFile = temporaryIn(dir);
    try {
      const job = { job: 'beacon', fromFile: fileOf(dir, newest), zkeyFile, beacon, iterationsExp } as const;
      const { hash, fault: reason } = await shop.snarkjs.ask(job);
      if (hash === undefined) return fault('beacon', reason ?? 'snarkjs made no key');
      const step = { kind: 'beacon', beacon, iterationsExp, hash, file: await hashFile(zkeyFile) } as const;
      await checkNewKey(shop, dir, ceremony, step, zkeyFile);
      await keepByHash(zkeyFile, (file) => fileOf(dir, { file }));
      return await appendStep(dir, ceremony, step);
    } finally {
      await rm(zkeyFile, { force: true });
    }
  });
}

function refuseOtherBeacon({ steps }: Ceremony, { beacon, iterationsExp }: FinaliseOptions): void {
  const newest = steps.at(-1);
  if (newest?.kind !== 'beacon' || (newest.beacon === beacon && newest.iterationsExp === iterationsExp)) return;
  throw new ConcordatError('CONFLICT', 'the ceremony is closed, with another beacon');
}

/** In a folder of its own that is renamed into place: `artifactsDir` is whole or not there. */
async function exportArtifacts(
  { snarkjs }: Workshop,
  { ceremony, compiled }: CheckedCeremony,
  dir: string,
  artifactsDir: string,
): Promise<void> {
  if (await readManifest(artifactsDir)) return;
  const building = temporaryBeside(artifactsDir);
  try {
    await mkdir(building, { recursive: true });
    const copies = [
      [compiled.wasmFile, FILES.wasm],
      [compiled.r1csFile, FILES.r1cs],
      [compiled.symbolsFile, FILES.symbols],
      [fileOf(dir, ceremony.steps.at(-1) ?? ceremony.steps[0]), FILES.zkey],
    ] as const;
    for (const [from, name] of copies) await copyFile(from, join(building, name));
    await snarkjs.ask({ job: 'export', zkeyFile: join(building, FILES.zkey), outDir: building });
    const { circuit, constraints } = ceremony;
    const transcript = transcriptHash(ceremony);
    await writeManifest(building, { toolchain: toolchain(), setup: 'ceremony', circuit, transcript, constraints });
    await rename(building, artifactsDir).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST' && cause.code !== 'ENOTDIR') throw cause;
      throw new ConcordatError('CONFLICT', `${artifactsDir} holds something else`, { path: artifactsDir }, { cause });
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}
