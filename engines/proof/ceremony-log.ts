// The manifest of a ceremony: the circuit, the powers of tau, and who did what, as canonical JSON that only ever grows.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { encodeCanonicalJson, parseCanonicalJson } from '../../protocol/consent/canonical-json.ts';
import { ConcordatError } from '../../protocol/errors.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** What a contributor says aloud: snarkjs' hash of the step's public key, blake2b of 64 bytes. */
const contributionHash = z.string().regex(/^[0-9a-f]{128}$/);
/** Shown on other people's terminals: letters, digits and a few marks, nothing that could move a cursor. */
const name = z.string().regex(/^[\p{L}\p{N}](?:[\p{L}\p{N} .,_'&()-]{0,46}[\p{L}\p{N}.)])?$/u);
/** A block hash or a drand value has 32 bytes; nothing shorter than 16 is unpredictable. */
const beacon = z.string().regex(/^(?:[0-9a-f]{2}){16,64}$/);

const MIN_ITERATIONS_EXP = 10;
/** 2^30 hashes are half an hour, and everyone who verifies pays them again. */
const MAX_ITERATIONS_EXP = 30;
const iterationsExp = z.int().min(MIN_ITERATIONS_EXP).max(MAX_ITERATIONS_EXP);

const initial = z.strictObject({ kind: z.literal('initial'), file: sha256 });
const contribution = z.strictObject({
  kind: z.literal('contribution'),
  name,
  hash: contributionHash,
  file: sha256,
});
const beaconStep = z.strictObject({
  kind: z.literal('beacon'),
  beacon,
  iterationsExp,
  hash: contributionHash,
  file: sha256,
});

const schema = z.strictObject({
  format: z.literal('concordat/1/ceremony'),
  /** Content hash of sources and tools, as the cache of circuit artefacts has it. */
  circuit: sha256,
  r1cs: sha256,
  constraints: z.int().positive(),
  ptau: sha256,
  /** log2 of the powers of tau. */
  power: z.int().min(1).max(28),
  /** Where the closing beacon will come from, in words, said before the first contribution. Empty: nothing was said. */
  beaconSource: z
    .string()
    .max(200)
    .regex(/^\P{C}*$/u),
  steps: z.tuple([initial], z.discriminatedUnion('kind', [contribution, beaconStep])),
});

export type Ceremony = z.output<typeof schema>;
export type CeremonyStep = Ceremony['steps'][number];
/** A step after the first. */
export type KeyedStep = Exclude<CeremonyStep, { kind: 'initial' }>;
export const contributorName = name;
export const beaconValue = beacon;
export const beaconIterations = iterationsExp;

const MANIFEST = 'manifest.json';
/** A manifest on its way: whoever holds it may replace the other. */
const NEXT = 'manifest.next.json';
const MAX_MANIFEST_BYTES = 1_048_576;

/** @throws ConcordatError CEREMONY_INVALID with the step in its fields */
export function fault(step: string, detail: string, cause?: unknown): never {
  throw new ConcordatError('CEREMONY_INVALID', `${step}: ${detail}`, { step }, { cause });
}

/** How messages name a step. */
export function stepName(step: CeremonyStep, index: number): string {
  if (step.kind === 'contribution') return `contribution ${index} (${step.name})`;
  return step.kind === 'initial' ? 'initial key' : 'beacon';
}

export const contributors = ({ steps }: Ceremony): string[] =>
  steps.flatMap((step) => (step.kind === 'contribution' ? [step.name] : []));

export const fileOf = (dir: string, { file }: { readonly file: string }): string => join(dir, 'files', `${file}.zkey`);
export const ptauFileOf = (dir: string, { ptau }: { readonly ptau: string }): string =>
  join(dir, 'files', `${ptau}.ptau`);
/** Where a file is written before its hash is known. */
export const temporaryIn = (dir: string): string => join(dir, 'files', `${randomBytes(8).toString('hex')}.tmp`);

/** Names the whole history: two folders with the same one hold the same ceremony. */
export const transcriptHash = (ceremony: Ceremony): string =>
  createHash('sha256').update(encodeCanonicalJson(ceremony)).digest('hex');

/**
 * The hash as it was after each step. A contributor publishes theirs: whoever finds it here knows that nothing before it
 * was changed later, down to names and the beacon's source, which snarkjs' own hashes do not cover.
 */
export function transcriptHashes(ceremony: Ceremony): string[] {
  const [first, ...rest] = ceremony.steps;
  return ceremony.steps.map((_, i) => transcriptHash({ ...ceremony, steps: [first, ...rest.slice(0, i)] }));
}

/** @throws ConcordatError FILE_MISSING, CEREMONY_INVALID */
export async function readCeremony(dir: string, file = MANIFEST): Promise<Ceremony> {
  const path = join(dir, file);
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new ConcordatError('FILE_MISSING', `no ceremony in ${dir}`, { path }, { cause });
  });
  let ceremony: Ceremony;
  try {
    ceremony = schema.parse(parseCanonicalJson(bytes, MAX_MANIFEST_BYTES));
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    return fault('manifest', issue ? `${issue.path.join('.')}: ${issue.message}` : (cause as Error).message, cause);
  }
  const names = contributors(ceremony);
  if (new Set(names).size < names.length) fault('manifest', 'two contributors have one name');
  const closing = ceremony.steps.findIndex(({ kind }) => kind === 'beacon');
  if (closing >= 0 && closing < ceremony.steps.length - 1) fault('manifest', 'a step comes after the beacon');
  return ceremony;
}

/** The first manifest of a folder that nobody else sees yet. */
export async function writeCeremony(dir: string, ceremony: Ceremony): Promise<void> {
  await writeSynced(join(dir, MANIFEST), ceremony);
}

/**
 * Adds a step whose files are all in place. Of two people who worked from the same manifest one wins, and a kill at any
 * line leaves the old manifest or the new one, or a `NEXT` that `recover` deals with.
 * @throws ConcordatError CONFLICT when another step came first
 */
export async function appendStep(dir: string, base: Ceremony, step: KeyedStep): Promise<Ceremony> {
  const overtaken = (cause?: unknown): never => {
    throw new ConcordatError('CONFLICT', 'another step was added meanwhile: run it again', {}, { cause });
  };
  const next: Ceremony = { ...base, steps: [...base.steps, step] };
  // exclusive: fails when somebody else's is there
  await writeSynced(join(dir, NEXT), next, 'wx').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause;
    overtaken(cause);
  });
  if (transcriptHash(await readCeremony(dir)) !== transcriptHash(base)) {
    await rm(join(dir, NEXT), { force: true });
    overtaken();
  }
  await rename(join(dir, NEXT), join(dir, MANIFEST));
  return next;
}

/** Ends what a kill inside `appendStep` left: a manifest with exactly one step more is put in place, anything else goes. */
export async function recover(dir: string): Promise<void> {
  const current = await readCeremony(dir);
  const next = await readCeremony(dir, NEXT).catch((error: unknown) => {
    if (!(error instanceof ConcordatError)) throw error;
    return undefined; // not there, or cut off
  });
  const [first, ...rest] = next?.steps ?? [];
  const before = next && first && { ...next, steps: [first, ...rest.slice(0, -1)] satisfies Ceremony['steps'] };
  if (before && rest.length > 0 && transcriptHash(before) === transcriptHash(current)) {
    await rename(join(dir, NEXT), join(dir, MANIFEST));
  } else {
    await rm(join(dir, NEXT), { force: true });
  }
}

/** @returns sha256, hex */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Gives a finished file its hash for a name. */
export async function keepByHash(temporary: string, nameOf: (hash: string) => string): Promise<string> {
  const handle = await open(temporary, 'r+');
  await handle.sync().finally(() => handle.close());
  const hash = await hashFile(temporary);
  await rename(temporary, nameOf(hash));
  return hash;
}

async function writeSynced(path: string, ceremony: Ceremony, flag: 'w' | 'wx' = 'w'): Promise<void> {
  await writeFile(path, encodeCanonicalJson(ceremony), { flag, flush: true });
}
