// The sealing keys of a key-holder: made, registered, replaced when a round is over, and erased when no round needs them.
import { forgetKeys, generateSealingKeys, type SealingKeys, sealingKeysFrom } from '../../engines/keys/sealing.ts';
import type { Store } from '../../engines/store/store.ts';
import type { Log } from '../../kit/log.ts';
import { equalBytes, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { refused } from '../../protocol/secagg/set.ts';
import type { KeyFiles } from './key-files.ts';
import { erasable, mustRotate } from './plan.ts';
import { createRoundBook, type RoundsOnChain } from './rounds.ts';

export interface KeysOnChain extends RoundsOnChain {
  /** This key-holder's key in force; epoch 0 before the first. */
  currentKey(): Promise<{ readonly epoch: number; readonly keyHash: Hex | undefined }>;
  /** Resolves when it is mined. */
  rotateKey(publicKey: Uint8Array): Promise<unknown>;
}

export interface KeyringParts {
  readonly chain: KeysOnChain;
  readonly files: KeyFiles;
  readonly store: Pick<Store, 'get' | 'write'>;
  readonly log: Pick<Log, 'info'>;
  /** Told of every round that is over, at least once. */
  readonly onRoundOver?: (round: number) => void;
}

export interface Keyring {
  /**
   * Brings chain and disk to where they belong: a key in force that we hold, replaced after a round, older ones erased.
   * Safe to be killed in and to be called again; calls run one after the other.
   */
  review(): Promise<void>;
  /**
   * Lends the keys that a round's shares are sealed to; they are not erased meanwhile.
   * @throws ConcordatError SET_REFUSED when they are erased, or the round has no share for this key-holder
   */
  withKeys<T>(round: number, use: (keys: SealingKeys) => Promise<T>): Promise<T>;
}

export function createKeyring({ chain, files, store, log, onRoundOver }: KeyringParts): Keyring {
  const book = createRoundBook(chain, store);
  const loaded = new Map<number, SealingKeys>();
  const uses = new Map<number, Set<Promise<unknown>>>();
  const retired = new Set<number>();
  let reviewing: Promise<unknown> = Promise.resolve();

  async function load(epoch: number): Promise<SealingKeys | undefined> {
    const known = loaded.get(epoch);
    if (known !== undefined) return known;
    const seed = await files.read(epoch);
    if (seed === undefined) return undefined;
    const meanwhile = loaded.get(epoch);
    // erased while it was read: it must not come back
    if (meanwhile !== undefined || retired.has(epoch)) {
      seed.fill(0);
      return meanwhile;
    }
    const keys = sealingKeysFrom(seed);
    loaded.set(epoch, keys);
    return keys;
  }

  async function holds(epoch: number, keyHash: Hex | undefined): Promise<boolean> {
    if (keyHash === undefined) return false;
    const keys = await load(epoch);
    return keys !== undefined && toHex(keccak256(keys.publicKey)) === keyHash;
  }

  /** The next key is on disk before anyone can seal to it; one that a kill left there is the one to register. */
  async function nextKeys(epoch: number): Promise<SealingKeys> {
    const left = await load(epoch);
    if (left !== undefined) return left;
    const keys = generateSealingKeys();
    await files.write(epoch, keys.privateKey);
    loaded.set(epoch, keys);
    return keys;
  }

  async function rotate(from: number): Promise<void> {
    const { publicKey } = await nextKeys(from + 1);
    try {
      await chain.rotateKey(publicKey);
    } catch (error) {
      // a transaction that was thought lost was mined after all
      if (!(error instanceof ConcordatError) || error.fields.reason !== 'KeyNotNew') throw error;
    }
    log.info({ epoch: from + 1 }, 'sealing key rotated');
  }

  async function erase(epoch: number): Promise<void> {
    // first nobody new gets it: keys that are wiped in use would make honest shares look unreadable
    retired.add(epoch);
    await Promise.allSettled(uses.get(epoch) ?? []);
    const keys = loaded.get(epoch);
    loaded.delete(epoch);
    if (keys !== undefined) forgetKeys(keys);
    await files.erase(epoch);
    log.info({ epoch }, 'sealing key erased');
  }

  async function reviewOnce(): Promise<void> {
    const before = await chain.currentKey();
    const held = await holds(before.epoch, before.keyHash);
    if (!held || mustRotate(before.epoch, await book.read())) await rotate(before.epoch);
    const current = await chain.currentKey();
    if (!(await holds(current.epoch, current.keyHash))) {
      throw new ConcordatError('CHAIN_WRONG', `the key of epoch ${current.epoch} is not the one just registered`);
    }
    // after the key in force is known: a round opened under an older one is among these
    const rounds = await book.read();
    for (const epoch of erasable(await files.epochs(), current.epoch, rounds)) await erase(epoch);
    for (const { round, over } of rounds) if (over) onRoundOver?.(round);
    // one that was opened under the key now in force and is over already has yet to replace it
    await book.settle(rounds.map((round) => ({ ...round, over: round.over && round.epoch !== current.epoch })));
  }

  return {
    review() {
      const next = reviewing.then(reviewOnce, reviewOnce);
      reviewing = next;
      return next;
    },
    async withKeys(round, use) {
      const registered = await book.keyAtOpening(round);
      if (registered === undefined) throw refused(round, 'this key-holder was registered after the round opened');
      const { epoch, publicKey } = registered;
      const keys = await load(epoch);
      if (keys === undefined || retired.has(epoch)) throw refused(round, `the key of epoch ${epoch} is erased`);
      if (!equalBytes(keys.publicKey, publicKey)) {
        throw new ConcordatError('STATE_CORRUPT', `the key of epoch ${epoch} is not the one that is registered`);
      }
      const inUse = uses.get(epoch) ?? new Set();
      uses.set(epoch, inUse);
      const using = use(keys);
      inUse.add(using);
      return using.finally(() => inUse.delete(using));
    },
  };
}
