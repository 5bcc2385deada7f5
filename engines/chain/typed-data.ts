// Signs what protocol/messages/typed-data.ts lists (EIP-712) and recovers who signed it, with ethers.
import { SigningKey, TypedDataEncoder, verifyTypedData } from 'ethers';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  DOMAIN_NAME,
  type Domain,
  type StructName,
  type StructValues,
  TYPED_STRUCTS,
} from '../../protocol/messages/typed-data.ts';
import { asHex } from './values.ts';

const domainOf = ({ chainId, federation }: Domain) => ({
  ...DOMAIN_NAME,
  chainId,
  verifyingContract: federation,
});

// ethers wants mutable arrays
const typesOf = (name: StructName) => ({ [name]: TYPED_STRUCTS[name].map((field) => ({ ...field })) });

/** The 32 bytes that are signed. */
export function hashTypedStruct<N extends StructName>(domain: Domain, name: N, values: StructValues[N]): Hex {
  return asHex(TypedDataEncoder.hash(domainOf(domain), typesOf(name), values));
}

/** 65 bytes r ‖ s ‖ v, low s. */
export function signTypedStruct<N extends StructName>(
  privateKey: Hex,
  domain: Domain,
  name: N,
  values: StructValues[N],
): Hex {
  return asHex(new SigningKey(privateKey).sign(hashTypedStruct(domain, name, values)).serialized);
}

/**
 * The lower-case address whose key signed. Whether that address may say so is the caller's question.
 * @throws ConcordatError SIGNATURE_INVALID when the bytes are no signature at all
 */
export function recoverTypedStruct<N extends StructName>(
  domain: Domain,
  name: N,
  values: StructValues[N],
  signature: Hex,
): Hex {
  // the one form the contract takes; ethers would also read 64 bytes, or v as 0 and 1
  if (!/^0x[0-9a-f]{128}1[bc]$/.test(signature)) {
    throw new ConcordatError('SIGNATURE_INVALID', `${name}: not r, s and v (27 or 28) in lower-case hex`);
  }
  try {
    return asHex(verifyTypedData(domainOf(domain), typesOf(name), values, signature));
  } catch (cause) {
    throw new ConcordatError('SIGNATURE_INVALID', `${name}: ${(cause as Error).message}`, {}, { cause });
  }
}
