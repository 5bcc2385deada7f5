// All randomness of one attempt, from one seed: a generator per purpose, each taken once.
import { type Cipher, createCipheriv, createHmac, hkdfSync } from 'node:crypto';
import { fromHex, type Hex, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';
import type { AttemptStream } from '../../protocol/secagg/attempt.ts';
import type { FillRandom } from '../../protocol/secagg/block.ts';

export interface AttemptRandom {
  /** @throws ConcordatError KEY_REUSED when it was taken before, or the seed is wiped */
  stream(name: AttemptStream): FillRandom;
  /** The first bytes of a stream. @throws as `stream` */
  bytes(name: AttemptStream, length: number): Uint8Array;
  /** Overwrites the seed; the streams give nothing from then on. Keys inside OpenSSL go when it frees them. */
  wipe(): void;
}

/** A stream ends here: far below 2^64 blocks, where a counter of AES begins to show. */
const ZERO_COUNTER = new Uint8Array(16);

/**
 * AES-256 in counter mode under HKDF-SHA256(seed, salt = context, info = "concordat/1/attempt/" + name): the stream does not
 * depend on the sizes of what is asked for.
 * @param seed 32 bytes from the CSPRNG, for this attempt alone; taken over, and wiped by `wipe`
 * @param context protocol/secagg/attempt.ts
 */
export function createAttemptRandom(seed: Uint8Array, context: Hex): AttemptRandom {
  const taken = new Map<AttemptStream, Cipher | undefined>();
  let wiped = false;

  function open(name: AttemptStream): Cipher {
    if (wiped || taken.has(name)) throw new ConcordatError('KEY_REUSED', `the stream ${name} of an attempt was taken`);
    const info = `${PROTOCOL_VERSION}/attempt/${name}`;
    const key = Buffer.from(hkdfSync('sha256', seed, fromHex(context), info, 32));
    const cipher = createCipheriv('aes-256-ctr', key, ZERO_COUNTER);
    key.fill(0);
    taken.set(name, cipher);
    return cipher;
  }

  function stream(name: AttemptStream): FillRandom {
    open(name);
    return (bytes) => {
      const cipher = taken.get(name);
      if (cipher === undefined) throw new ConcordatError('KEY_REUSED', `the stream ${name} of an attempt was wiped`);
      const part = cipher.update(bytes.fill(0));
      bytes.set(part);
      part.fill(0);
    };
  }

  return {
    stream,
    bytes(name, length) {
      const out = new Uint8Array(length);
      stream(name)(out);
      return out;
    },
    wipe() {
      wiped = true;
      seed.fill(0);
      for (const name of taken.keys()) taken.set(name, undefined);
    },
  };
}

/** Trace of a stage's outcome: no more than noise to whoever lacks the key. */
export function traceOf(key: Uint8Array, stage: string, parts: readonly ArrayBufferView[]): Hex {
  const mac = createHmac('sha256', key).update(`${PROTOCOL_VERSION}/stage/${stage}`);
  for (const part of parts) mac.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return toHex(mac.digest());
}
