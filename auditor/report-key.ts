// The auditor's own signing key: `identity.json` of a folder, in the form that every party of a federation keeps.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { readFileOrExplain, writeFileAtomic } from '../kit/files.ts';
import { type Hex, toHex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const keyFile = z.strictObject({ privateKey: hex32, secret: hex32 });

/** Loads the key, or makes one (mode 0600). @throws ConcordatError FILE_UNREADABLE, STATE_CORRUPT */
export async function loadOrCreateReportKey(directory: string): Promise<Hex> {
  const path = join(directory, 'identity.json');
  const stored = await readFileOrExplain(path).catch((cause: unknown) => {
    if (cause instanceof ConcordatError && cause.code === 'FILE_MISSING') return undefined;
    throw cause;
  });
  if (stored !== undefined) return parseKey(stored.toString('utf8'), path);
  const fresh = { privateKey: toHex(randomBytes(32)), secret: toHex(randomBytes(32)) };
  await writeFileAtomic(path, JSON.stringify(fresh), 0o600);
  return fresh.privateKey;
}

function parseKey(text: string, path: string): Hex {
  try {
    return keyFile.parse(JSON.parse(text)).privateKey as Hex;
  } catch {
    // the cause would carry key material: it is not passed on
    throw new ConcordatError('STATE_CORRUPT', `${path} is not an identity file`, { path });
  }
}
