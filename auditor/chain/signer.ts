// Who signed a struct of protocol/messages/typed-data.ts (EIP-712): the auditor's own encoding, and noble's secp256k1.
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { concatBytes, fromHex, type Hex, keccak256, toHex, uintToBytes, utf8ToBytes } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  DOMAIN_NAME,
  type Domain,
  type StructName,
  type StructValues,
  TYPED_STRUCTS,
} from '../../protocol/messages/typed-data.ts';

interface Field {
  readonly name: string;
  readonly type: string;
}

const DOMAIN_FIELDS: readonly Field[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
];

/**
 * The lower-case address whose key signed, out of 65 bytes r ‖ s ‖ v. Whether that address may say so is the caller's question.
 * @throws ConcordatError SIGNATURE_INVALID when the bytes are no signature at all, MESSAGE_MALFORMED for values of another shape
 */
export function recoverSigner<N extends StructName>(
  domain: Domain,
  name: N,
  values: StructValues[N],
  signature: Hex,
): Hex {
  const hash = hashOf(domain, name, values);
  // the one form the contract takes
  const parts = /^0x([0-9a-f]{128})(1[bc])$/.exec(signature);
  if (parts === null) throw new ConcordatError('SIGNATURE_INVALID', `${name}: not r, s and v in lower-case hex`);
  const [, rs = '', v = ''] = parts;
  const recovery = Number.parseInt(v, 16) - 27;
  try {
    const found = secp256k1.Signature.fromBytes(fromHex(`0x${rs}`), 'compact');
    if (found.hasHighS()) throw new Error('high s');
    const point = found.addRecoveryBit(recovery).recoverPublicKey(hash);
    return toHex(keccak256(point.toBytes(false).subarray(1)).subarray(12));
  } catch (cause) {
    throw new ConcordatError('SIGNATURE_INVALID', `${name}: ${(cause as Error).message}`, {}, { cause });
  }
}

/** keccak256(0x1901 ‖ domain ‖ struct): the 32 bytes that are signed. */
function hashOf<N extends StructName>(domain: Domain, name: N, values: StructValues[N]): Uint8Array {
  const struct = structHash(name, TYPED_STRUCTS[name], values);
  return keccak256(concatBytes(Uint8Array.of(0x19, 0x01), domainSeparator(domain), struct));
}

export function domainSeparator({ chainId, federation }: Domain): Uint8Array {
  return structHash('EIP712Domain', DOMAIN_FIELDS, { ...DOMAIN_NAME, chainId, verifyingContract: federation });
}

function structHash(name: string, fields: readonly Field[], values: object): Uint8Array {
  const type = `${name}(${fields.map((field) => `${field.type} ${field.name}`).join(',')})`;
  const of = new Map<string, unknown>(Object.entries(values));
  const words = fields.map((field) => wordOf(field, of.get(field.name)));
  return keccak256(concatBytes(keccak256(utf8ToBytes(type)), ...words));
}

/** 32 bytes: numbers and addresses to the right, longer things by their hash. */
function wordOf({ name, type }: Field, value: unknown): Uint8Array {
  const bits = /^uint(\d+)$/.exec(type)?.[1];
  if (bits !== undefined) {
    const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    if (!fits || BigInt(value) >> BigInt(bits) !== 0n) return malformed(name, type);
    return uintToBytes(BigInt(value), 32);
  }
  if (typeof value !== 'string') return malformed(name, type);
  if (type === 'string') return keccak256(utf8ToBytes(value));
  if (!/^0x([0-9a-fA-F]{2})*$/.test(value)) return malformed(name, type);
  const bytes = fromHex(value.toLowerCase() as Hex);
  if (type === 'bytes') return keccak256(bytes);
  const size = type === 'address' ? 20 : 32;
  return bytes.length === size ? concatBytes(new Uint8Array(32 - size), bytes) : malformed(name, type);
}

function malformed(name: string, type: string): never {
  throw new ConcordatError('MESSAGE_MALFORMED', `${name} is no ${type}`);
}
