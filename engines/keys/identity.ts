// Who a process is: its signing key and its local secret, made once and kept in its own folder.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeAddress, SigningKey } from 'ethers';
import { z } from 'zod';
import { writeFileAtomic } from '../../kit/files.ts';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';

export interface Identity {
  /** Lower-case address of the secp256k1 signing key: the party's name everywhere. */
  readonly address: Hex;
  readonly privateKey: Hex;
  /** 32 bytes that never leave the process: salts, invitations, record commitments derive from it. */
  readonly secret: Uint8Array;
}

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const identityFile = z.strictObject({ privateKey: hex32, secret: hex32 });

/** Loads `identity.json` of the folder, or makes it (mode 0600) from the system's CSPRNG. */
export async function loadOrCreateIdentity(directory: string): Promise<Identity> {
  const path = join(directory, 'identity.json');
  const stored = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
  });
  if (stored !== undefined) return parseIdentity(stored, path);
  const fresh = { privateKey: toHex(randomBytes(32)), secret: toHex(randomBytes(32)) };
  await writeFileAtomic(path, JSON.stringify(fresh), 0o600);
  return toIdentity(fresh);
}

function parseIdentity(text: string, path: string): Identity {
  try {
    return toIdentity(identityFile.parse(JSON.parse(text)) as Record<keyof z.infer<typeof identityFile>, Hex>);
  } catch {
    // the cause would carry key material: it is not passed on
    throw new ConcordatError('STATE_CORRUPT', `${path} is not an identity file`, { path });
  }
}

function toIdentity(file: Record<keyof z.infer<typeof identityFile>, Hex>): Identity {
  return {
    address: computeAddress(new SigningKey(file.privateKey)).toLowerCase() as Hex,
    privateKey: file.privateKey,
    secret: fromHex(file.secret),
  };
}
