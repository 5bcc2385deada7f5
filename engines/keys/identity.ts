// Who a process is: its signing key, its sealing key and its local secret, made once and kept in its own folder.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
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
  /** X25519 key that sealed shares are addressed to (used by key-holders). */
  readonly sealing: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array };
  /** 32 bytes that never leave the process: salts, invitations, record commitments derive from it. */
  readonly secret: Uint8Array;
}

const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/);
const identityFile = z.strictObject({ privateKey: hex32, sealingPrivateKey: hex32, secret: hex32 });

/** Loads `identity.json` of the folder, or makes it (mode 0600) from the system's CSPRNG. */
export async function loadOrCreateIdentity(directory: string): Promise<Identity> {
  const path = join(directory, 'identity.json');
  const stored = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new ConcordatError('FILE_UNREADABLE', path, { path }, { cause });
  });
  if (stored !== undefined) return parseIdentity(stored, path);
  const fresh = {
    privateKey: toHex(randomBytes(32)),
    sealingPrivateKey: toHex(x25519PrivateKey()),
    secret: toHex(randomBytes(32)),
  };
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
  const sealingPrivateKey = fromHex(file.sealingPrivateKey);
  return {
    address: computeAddress(new SigningKey(file.privateKey)).toLowerCase() as Hex,
    privateKey: file.privateKey,
    sealing: { privateKey: sealingPrivateKey, publicKey: x25519PublicKey(sealingPrivateKey) },
    secret: fromHex(file.secret),
  };
}

// RFC 8410: the last 32 bytes of a PKCS#8 X25519 key are the key, after this fixed prefix
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

function x25519PrivateKey(): Uint8Array {
  const der = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'der' });
  return new Uint8Array(der.subarray(PKCS8_PREFIX.length));
}

function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' });
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32));
}
