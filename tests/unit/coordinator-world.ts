// What the coordinator's tests share: dealers and key-holders with keys, payloads of random residues, a transcript in a temporary folder.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SigningKey } from 'ethers';
import { pino } from 'pino';
import { afterEach } from 'vitest';
import type { AdmittedUpload } from '../../coordinator/intake/uploads.ts';
import { openTranscript, type Transcript } from '../../coordinator/transcript/transcript.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { concatBytes, fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { encodeCbor } from '../../protocol/codec.ts';
import type { Domain } from '../../protocol/messages/typed-data.ts';
import type { UploadStatement } from '../../protocol/messages/upload.ts';
import { PRIMES, RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { SEALED_SHARE_BYTES, sharesRoot } from '../../protocol/secagg/shares.ts';
import type { EntryBody } from '../../protocol/transcript/entry.ts';
import { addressOf, encodeResidues } from './secagg-fixtures.ts';

export const DOMAIN: Domain = { chainId: 31337, federation: addressOf('federation') };
export const SILENT = pino({ level: 'silent' });

export interface Party {
  readonly address: Hex;
  readonly privateKey: Hex;
}

export function partyOf(label: string): Party {
  const privateKey = toHex(createHash('sha256').update(label).digest());
  const publicKey = fromHex(new SigningKey(privateKey).publicKey as Hex);
  return { privateKey, address: toHex(keccak256(publicKey.subarray(1)).slice(12)) };
}

/** Ascending by address, as the chain has them. */
export const dealersOf = (count: number): Party[] =>
  Array.from({ length: count }, (_, i) => partyOf(`dealer ${i}`)).sort((a, b) => (a.address < b.address ? -1 : 1));

export const sha256Of = (bytes: Uint8Array): Hex => toHex(createHash('sha256').update(bytes).digest());

/** Residues below their primes; another label, other residues. */
export function residuesOf(label: string, blocks: number): Uint32Array {
  const residues = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  const stream = createHash('shake128', { outputLength: 4 * residues.length })
    .update(label)
    .digest();
  return residues.map((_, i) => {
    const p = PRIMES[Math.floor(i / RING_DEGREE) % PRIMES.length] ?? 1;
    return stream.readUInt32LE(4 * i) % p;
  });
}

export const payloadOf = (label: string, blocks: number): Uint8Array => encodeResidues(residuesOf(label, blocks));

export interface SentUpload {
  readonly upload: UploadStatement;
  readonly signature: Hex;
  readonly sealedShares: readonly Uint8Array[];
  readonly payload: Uint8Array;
  readonly body: Uint8Array;
}

/** An upload message as a dealer signs it; `changes` are made after signing. */
export function uploadOf(
  dealer: Party,
  options: { round?: number; attempt?: number; payload: Uint8Array; holders?: number },
  changes: Record<string, unknown> = {},
): SentUpload {
  const { round = 3, attempt = 1, payload, holders = 2 } = options;
  const sealedShares = Array.from({ length: holders }, () => new Uint8Array(randomBytes(SEALED_SHARE_BYTES)));
  const upload = {
    dealer: dealer.address,
    round,
    attempt,
    payloadHash: sha256Of(payload),
    sharesRoot: sharesRoot(sealedShares.map(sha256Of)),
  };
  const signature = signTypedStruct(dealer.privateKey, DOMAIN, 'Upload', upload);
  const { sharesRoot: _, ...fields } = upload;
  const body = encodeCbor({ v: 'concordat/1/upload', ...fields, sealedShares, signature, ...changes });
  return { upload, signature, sealedShares, payload, body };
}

/** As intake would have it, without the bytes. */
export function admittedOf(dealer: Hex, payload: Uint8Array, attempt = 1, round = 3): AdmittedUpload {
  const shareHashes = [sha256Of(concatBytes(payload, Uint8Array.of(attempt)))];
  const signature: Hex = `0x${'51'.repeat(65)}`;
  const hashes = { payloadHash: sha256Of(payload), sharesRoot: sharesRoot(shareHashes), shareHashes };
  return { dealer, round, attempt, ...hashes, signature };
}

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'concordat-coordinator-'));
  folders.push(folder);
  return folder;
}

export interface TranscriptInFolder {
  readonly folder: string;
  readonly transcript: Transcript;
  /** As a process that starts again sees it. */
  reopen(): Promise<Transcript>;
  /** Names of half-written blobs. */
  temporaries(): Promise<string[]>;
}

export async function temporaryTranscript(): Promise<TranscriptInFolder> {
  const folder = await temporaryFolder();
  return {
    folder,
    transcript: await openTranscript(folder),
    reopen: () => openTranscript(folder),
    temporaries: async () => (await readdir(join(folder, 'blobs'))).filter((name) => name.endsWith('.tmp')),
  };
}

export function entriesOf<T extends EntryBody['type']>(transcript: Transcript, type: T) {
  const bodies = transcript.entries().map(({ body }) => body);
  return bodies.filter((body): body is Extract<EntryBody, { type: T }> => body.type === type);
}

/** Time that passes only by sleeping. */
export function steppedClock() {
  let nowMs = 1_000;
  return {
    nowMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
