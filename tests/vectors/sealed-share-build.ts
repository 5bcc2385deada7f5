// Builds protocol/vectors/sealed-share.json with noble's X-Wing and the WebCrypto AES alone: our sealing has no say in it.
// Rebuild: npx tsx tests/vectors/sealed-share-build.ts > protocol/vectors/sealed-share.json (only with a new protocol version).
import { pathToFileURL } from 'node:url';
import { sha256 } from '@noble/hashes/sha2.js';
import { shake128 } from '@noble/hashes/sha3.js';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import { toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { SHARE_BYTES } from '../../protocol/secagg/shamir.ts';
import { shareAssociatedData } from '../../protocol/secagg/shares.ts';
import { noblePublicKey, sealByNoble } from './noble-share.ts';

/** Appendix C of the draft: seeds and encapsulation seeds are one SHAKE128 stream over nothing. */
const draft = shake128(new Uint8Array(), { dkLen: 3 * 96 });
const xwing = [0, 1, 2].map((i) => {
  const [seed, encapsulationSeed] = [draft.slice(96 * i, 96 * i + 32), draft.slice(96 * i + 32, 96 * i + 96)];
  const { publicKey } = ml_kem768_x25519.keygen(seed);
  const { cipherText, sharedSecret } = ml_kem768_x25519.encapsulate(publicKey, encapsulationSeed);
  return {
    seed: toHex(seed),
    encapsulationSeed: toHex(encapsulationSeed),
    publicKeySha256: toHex(sha256(publicKey)),
    ciphertextSha256: toHex(sha256(cipherText)),
    secret: toHex(sharedSecret),
  };
});

const random = (label: string, length: number) =>
  shake128(utf8ToBytes(`sealed share vector: ${label}`), { dkLen: length });

export async function buildSealedShareVectors() {
  const seed = random('seed', 32);
  const encapsulationSeed = random('encapsulation', 64);
  const plaintext = random('share', SHARE_BYTES);
  const keyHolderIndex = 3;
  const context = {
    chainId: 31337,
    ledger: toHex(random('ledger', 20)),
    round: 7,
    attempt: 2,
    dealer: toHex(random('dealer', 20)),
    payloadHash: toHex(random('payload hash', 32)),
  };
  const associatedData = shareAssociatedData(context, keyHolderIndex);
  const { salt, key, sealed } = await sealByNoble(noblePublicKey(seed), encapsulationSeed, plaintext, associatedData);
  return {
    v: 'concordat/1/vectors/sealed-share',
    source:
      'draft-connolly-cfrg-xwing-kem-08, appendix C, as computed by @noble/post-quantum 0.7.1; the sealed share by the same X-Wing, @noble/hashes HKDF and WebCrypto AES-GCM',
    xwing,
    sealedShare: {
      seed: toHex(seed),
      encapsulationSeed: toHex(encapsulationSeed),
      plaintextSha256: toHex(sha256(plaintext)),
      context,
      keyHolderIndex,
      associatedData: toHex(associatedData),
      salt: toHex(salt),
      key: toHex(key),
      sealed: toHex(sealed),
    },
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`${JSON.stringify(await buildSealedShareVectors(), undefined, 2)}\n`);
}
