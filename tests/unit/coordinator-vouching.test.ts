// The key-holders' word before a set is fixed: who is left out, who cannot be, and what a killed coordinator finds again.
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AdmittedUpload,
  createUploads,
  type UploadCommit,
  type Uploads,
} from '../../coordinator/intake/uploads.ts';
import { checkVouches, type VouchQuestion } from '../../coordinator/key-holders/vouches.ts';
import { contradictsItself, judgeUploads, requireVouched, type Vouched } from '../../coordinator/rounds/verdict.ts';
import { readVouches, type VouchingParts, vouchedUploads } from '../../coordinator/rounds/vouching.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { nodeShake128 } from '../../kit/shake.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import { type Vouch, type VouchMessage, vouchesHash } from '../../protocol/messages/vouch.ts';
import { testCombination, testValue } from '../../protocol/secagg/linear-test.ts';
import { type ShareVector, shareSecret } from '../../protocol/secagg/shamir.ts';
import {
  admittedOf,
  DOMAIN,
  dealersOf,
  entriesOf,
  partyOf,
  SILENT,
  steppedClock,
  type TranscriptInFolder,
  temporaryTranscript,
} from './coordinator-world.ts';
import { CHAIN_ID, codeOf, LEDGER, streamOf } from './secagg-fixtures.ts';

const [ROUND, HOLDERS, THRESHOLD, LEAST] = [3, 5, 3, 3];
const DEALERS = dealersOf(5);
const KEY_HOLDERS = Array.from({ length: HOLDERS }, (_, i) => partyOf(`key-holder ${i + 1}`));
const REGISTERED = KEY_HOLDERS.map(({ address }, i) => ({ address, index: i + 1, keyEpoch: 1, keyHash: undefined }));

const payloadOf = (dealer: Hex, attempt: number) => new TextEncoder().encode(`${dealer}/${attempt}`);
const uploadOf = (dealer: Hex, attempt = 1): AdmittedUpload =>
  admittedOf(dealer, payloadOf(dealer, attempt), attempt, ROUND);

const memo = new Map<string, unknown>();
function once<T>(key: string, make: () => T): T {
  if (!memo.has(key)) memo.set(key, make());
  return memo.get(key) as T;
}

const sharesOf = ({ dealer, attempt }: AdmittedUpload): ShareVector[] =>
  once(`shares of ${dealer}/${attempt}`, () => {
    const secret = new Int32Array(4096).map((_, c) => (c % 81) - 40);
    return shareSecret(secret, HOLDERS, THRESHOLD, streamOf(`shares of ${dealer}/${attempt}`));
  });

const combinationOf = (upload: AdmittedUpload): Uint16Array[] =>
  once(`combination of ${upload.payloadHash}`, () =>
    testCombination({ chainId: CHAIN_ID, ledger: LEDGER, ...upload }, upload.sharesRoot, nodeShake128),
  );

/** What a key-holder with these shares says, null for one that does not open. */
function wordOf(
  index: number,
  uploads: readonly AdmittedUpload[],
  shareOf: (upload: AdmittedUpload) => ShareVector | null,
) {
  const vouches = uploads.map((upload): Vouch => {
    const { dealer, attempt, payloadHash, sharesRoot } = upload;
    const share = shareOf(upload);
    const value = share && testValue(share, combinationOf(upload));
    return { dealer, attempt, payloadHash, sharesRoot, value };
  });
  return signedWord(index, vouches);
}

function signedWord(index: number, vouches: Vouch[], round = ROUND): VouchMessage {
  const { address, privateKey } = KEY_HOLDERS[index - 1] ?? partyOf('nobody');
  const statement = { keyHolder: address, round, vouchesHash: vouchesHash(vouches) };
  const signature = signTypedStruct(privateKey, DOMAIN, 'Vouch', statement);
  return { v: 'concordat/1/vouch', keyHolder: address, index, round, vouches, signature };
}

const honest = (index: number, uploads: readonly AdmittedUpload[]) =>
  wordOf(index, uploads, (upload) => sharesOf(upload)[index - 1] ?? null);
const allHonest = (uploads: readonly AdmittedUpload[]) => KEY_HOLDERS.map((_, i) => honest(i + 1, uploads));

describe('judging', () => {
  const uploads = DEALERS.map(({ address }) => uploadOf(address));
  const [cheat] = uploads as [AdmittedUpload];
  const bend = (share: ShareVector | undefined): ShareVector =>
    (share ?? new Uint16Array()).map((x, c) => (c === 7 ? (x + 1) % 65_521 : x));

  test('honest sharings are all in, also when only a threshold of key-holders answers', () => {
    const words = allHonest(uploads);
    for (const some of [words, words.slice(0, 4), words.slice(2)]) {
      expect(judgeUploads(some, THRESHOLD, LEAST)).toEqual({ refused: new Map(), disregarded: [], undecided: false });
    }
  });

  test('a dealer that dealt one key-holder a share of another secret is left out', () => {
    const words = KEY_HOLDERS.map((_, i) =>
      wordOf(i + 1, uploads, (upload) => {
        const share = sharesOf(upload)[i];
        return upload === cheat && i === 1 ? bend(share) : (share ?? null);
      }),
    );
    const { refused, undecided } = judgeUploads(words, THRESHOLD, LEAST);
    expect([[...refused], undecided]).toEqual([[[cheat.dealer, 'its shares are not those of one secret']], false]);
  });

  test('a dealer with a share that does not open is left out, and the key-holder is named', () => {
    const words = KEY_HOLDERS.map((_, i) =>
      wordOf(i + 1, uploads, (upload) => (upload === cheat && i === 3 ? null : (sharesOf(upload)[i] ?? null))),
    );
    expect([...judgeUploads(words, THRESHOLD, LEAST).refused]).toEqual([
      [cheat.dealer, 'its share does not open at key-holder 4'],
    ]);
  });

  test('a key-holder that lies about everybody puts nobody out', () => {
    const words = KEY_HOLDERS.map((_, i) =>
      wordOf(i + 1, uploads, (upload) => (i === 4 ? bend(sharesOf(upload)[i]) : (sharesOf(upload)[i] ?? null))),
    );
    expect(judgeUploads(words, THRESHOLD, LEAST)).toEqual({ refused: new Map(), disregarded: [], undecided: true });
  });
});

describe('judging a key-holder', () => {
  const uploads = DEALERS.map(({ address }) => uploadOf(address));
  const unreadable = (index: number, of: readonly AdmittedUpload[]) =>
    wordOf(index, uploads, (upload) => (of.includes(upload) ? null : (sharesOf(upload)[index - 1] ?? null)));

  test('one that cannot open most of its shares is disregarded, and no dealer suffers for it', () => {
    const words = [...allHonest(uploads).slice(0, 4), unreadable(5, uploads.slice(0, 3))];
    expect(judgeUploads(words, THRESHOLD, LEAST)).toEqual({ refused: new Map(), disregarded: [5], undecided: false });
    // and a dealer that is refused is refused for the others' words alone
    const [cheat] = uploads as [AdmittedUpload];
    const both = words.map((word, i) => (i === 1 ? unreadable(2, [cheat]) : word));
    expect([...judgeUploads(both, THRESHOLD, LEAST).refused]).toEqual([
      [cheat.dealer, 'its share does not open at key-holder 2'],
    ]);
  });

  test('one that would leave too few for a set puts nobody out', () => {
    const words = [...allHonest(uploads).slice(0, 4), unreadable(5, uploads.slice(0, 2))];
    expect(judgeUploads(words, THRESHOLD, 3).refused.size).toBe(2);
    expect(judgeUploads(words, THRESHOLD, 4)).toEqual({ refused: new Map(), disregarded: [], undecided: true });
  });

  test('its false answer is its own when it vouched for every upload of the set on the polynomial of the others', () => {
    const [first] = uploads as [AdmittedUpload];
    const honestWords = allHonest(uploads);
    const lies = (words: readonly VouchMessage[], agreeing = [1, 2, 3]) =>
      contradictsItself(5, agreeing, uploads, words, THRESHOLD);
    expect(lies(honestWords)).toBe(true);
    expect(lies(honestWords.slice(0, 4))).toBe(false); // it said nothing
    expect(lies([...honestWords.slice(0, 4), unreadable(5, [first])])).toBe(false);
    expect(lies([...honestWords.slice(0, 4), honest(5, uploads.slice(1))])).toBe(false); // nothing of one upload
    const given = wordOf(5, uploads, (upload) => sharesOf(upload)[upload === first ? 0 : 4] ?? null);
    expect(lies([...honestWords.slice(0, 4), given])).toBe(false); // a false share of one dealer
    expect(lies(honestWords.slice(1))).toBe(false); // 2, 3 and 5 fit, as three points always do
    expect(lies(honestWords, [1, 2])).toBe(false);
  });
});

test('a word counts when the key-holder that was asked signed it, about exactly what was asked', async () => {
  const uploads = DEALERS.map(({ address }) => uploadOf(address));
  const [first] = uploads as [AdmittedUpload];
  const good = honest(2, uploads);
  const { vouches } = good;
  const check = (message: VouchMessage, index = 2) =>
    codeOf(() => {
      const keyHolder = REGISTERED[index - 1];
      if (keyHolder === undefined) throw new Error('no such key-holder');
      checkVouches(message, { keyHolder }, ROUND, uploads, { domain: DOMAIN });
    });
  expect(await check(good)).toBe('nothing thrown');
  const other = { ...(vouches[0] as Vouch), sharesRoot: uploadOf(first.dealer, 2).sharesRoot };
  const rows: [VouchMessage, string][] = [
    [{ ...good, index: 3 }, 'MESSAGE_MALFORMED'],
    [honest(3, uploads), 'MESSAGE_MALFORMED'],
    [signedWord(2, [...vouches], ROUND + 1), 'MESSAGE_MALFORMED'],
    [signedWord(2, vouches.slice(1)), 'MESSAGE_MALFORMED'],
    [signedWord(2, [...vouches.slice(1), ...vouches.slice(1, 2)]), 'MESSAGE_MALFORMED'],
    [signedWord(2, [other, ...vouches.slice(1)]), 'MESSAGE_MALFORMED'],
    [
      signedWord(2, [{ ...(vouches[0] as Vouch), value: new Uint8Array(8).fill(0xff) }, ...vouches.slice(1)]),
      'MESSAGE_MALFORMED',
    ],
    [
      { ...good, vouches: [{ ...(vouches[0] as Vouch), value: new Uint8Array(8) }, ...vouches.slice(1)] },
      'SIGNATURE_INVALID',
    ],
    [{ ...good, signature: honest(2, uploads.slice(1)).signature }, 'SIGNATURE_INVALID'],
  ];
  for (const [message, code] of rows) expect(await check(message)).toBe(code);
});

describe('the step', () => {
  let store: TranscriptInFolder;
  let uploads: Uploads;
  let commits: Map<Hex, UploadCommit>;
  let asked: VouchQuestion[];
  let events: CoordinatorEvent[];

  /** Sends and commits. */
  function send(dealer: Hex, attempt = 1): AdmittedUpload {
    const upload = uploadOf(dealer, attempt);
    uploads.add(upload);
    commits.set(dealer, upload);
    return upload;
  }

  beforeEach(async () => {
    store = await temporaryTranscript();
    [uploads, commits, asked, events] = [createUploads([]), new Map(), [], []];
  });

  function partsWith(
    ask: (question: VouchQuestion) => readonly Vouched[],
    transcript = store.transcript,
  ): VouchingParts {
    const commitOf = async (_: number, dealer: Hex) => {
      const commit = commits.get(dealer);
      return commit && { ...commit, weight: 1 };
    };
    return {
      ledger: { commitOf },
      uploads,
      transcript,
      clock: steppedClock(),
      signal: new AbortController().signal,
      log: SILENT,
      broadcast: (event) => events.push(event),
      keyHolders: REGISTERED,
      threshold: THRESHOLD,
      least: LEAST,
      ask: async (question) => {
        asked.push(question);
        return ask(question);
      },
    };
  }

  const addresses = DEALERS.map(({ address }) => address);
  const dealersIn = (set: readonly AdmittedUpload[]) => set.map(({ dealer }) => dealer);

  test('all words are written down; whoever is refused is told, with the reason', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const [cheat] = addresses as [Hex];
    const parts = partsWith(({ uploads: about }) =>
      KEY_HOLDERS.map((_, i) =>
        wordOf(i + 1, about, (upload) => (upload.dealer === cheat && i === 0 ? null : (sharesOf(upload)[i] ?? null))),
      ),
    );
    expect(dealersIn(await vouchedUploads(ROUND, collected, parts))).toEqual(addresses.slice(1));
    expect(events).toEqual([
      { type: 'upload-refused', round: ROUND, dealer: cheat, reason: 'its share does not open at key-holder 1' },
    ]);
    expect(entriesOf(store.transcript, 'vouch').map(({ keyHolder }) => keyHolder)).toEqual(
      KEY_HOLDERS.map(({ address }) => address),
    );
  });

  test('fewer than the threshold are asked again, for two minutes at most; nothing is written down before', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const late = partsWith(({ uploads: about }) => allHonest(about).slice(0, asked.length));
    expect(dealersIn(await vouchedUploads(ROUND, collected, late))).toEqual(addresses);
    expect(asked).toHaveLength(THRESHOLD);

    store = await temporaryTranscript();
    const tooFew = allHonest(collected).slice(0, THRESHOLD - 1);
    const never = partsWith(() => tooFew);
    expect(await codeOf(() => vouchedUploads(ROUND, collected, never))).toBe('SHARES_INSUFFICIENT');
    expect(entriesOf(store.transcript, 'vouch')).toEqual([]);
  });

  test('a dealer that commits again is asked about once more, with its new upload', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const [mover] = addresses as [Hex];
    const parts = partsWith(({ uploads: about }) => {
      const words = allHonest(about);
      if (asked.length === 1) send(mover, 2);
      return words;
    });
    const set = await vouchedUploads(ROUND, collected, parts);
    expect(set.map(({ dealer, attempt }) => [dealer, attempt])).toEqual(addresses.map((d) => [d, d === mover ? 2 : 1]));
    expect(asked).toHaveLength(2);
    const [word] = await readVouches(ROUND, parts);
    expect(word?.vouches.find(({ dealer }) => dealer === mover)?.attempt).toBe(2);
  });

  test('and is left out when it does so again, so that it cannot hold up the round', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const [mover] = addresses as [Hex];
    const parts = partsWith(({ uploads: about }) => {
      send(mover, asked.length + 1);
      return allHonest(about);
    });
    expect(dealersIn(await vouchedUploads(ROUND, collected, parts))).toEqual(addresses.slice(1));
    expect(asked).toHaveLength(2);
  });

  test('a dealer whose new commit has no upload is left out at once', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const [mover] = addresses as [Hex];
    const parts = partsWith(({ uploads: about }) => {
      commits.set(mover, uploadOf(mover, 2));
      return allHonest(about);
    });
    expect(dealersIn(await vouchedUploads(ROUND, collected, parts))).toEqual(addresses.slice(1));
    expect(asked).toHaveLength(1);
  });

  test('P7: killed while writing down, it keeps to what is written, asks only the others, and takes nobody new', async () => {
    const [latecomer, mover] = addresses as [Hex, Hex];
    const collected = addresses.filter((dealer) => dealer !== latecomer).map((dealer) => send(dealer));
    let entries = 0;
    const dying = {
      ...store.transcript,
      appendOnce: async (...args: Parameters<typeof store.transcript.appendOnce>) => {
        if (entries++ === 2) throw new Error('killed');
        return store.transcript.appendOnce(...args);
      },
    };
    await expect(
      vouchedUploads(
        ROUND,
        collected,
        partsWith(({ uploads: about }) => allHonest(about), dying),
      ),
    ).rejects.toThrow('killed');

    const again = [...collected.filter(({ dealer }) => dealer !== mover), send(mover, 2), send(latecomer)];
    const parts = partsWith(
      ({ uploads: about, skip }) => allHonest(about).filter(({ index }) => !skip.has(index)),
      await store.reopen(),
    );
    asked.length = 0;
    const set = await vouchedUploads(ROUND, again, parts);
    expect(dealersIn(set)).toEqual(addresses.slice(2));
    expect(asked.map(({ skip }) => [...skip])).toEqual([[1, 2]]);
    const written = await readVouches(ROUND, parts);
    expect(written.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5]);
    requireVouched(set, written, THRESHOLD);

    // all is written: nobody is asked any more
    asked.length = 0;
    expect(dealersIn(await vouchedUploads(ROUND, again, { ...parts, transcript: await store.reopen() }))).toEqual(
      addresses.slice(2),
    );
    expect(asked).toEqual([]);
  });

  test('P7: killed after writing down, it judges all that was vouched for, though some have committed again since', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const [cheat, second, third] = addresses as [Hex, Hex, Hex];
    const cheats = new Set([cheat, second, third]);
    const parts = partsWith(({ uploads: about }) =>
      KEY_HOLDERS.map((_, i) =>
        wordOf(i + 1, about, (upload) =>
          cheats.has(upload.dealer) && i === [...cheats].indexOf(upload.dealer) ? null : (sharesOf(upload)[i] ?? null),
        ),
      ),
    );
    // three of five fail: nobody is left out
    expect(dealersIn(await vouchedUploads(ROUND, collected, parts))).toEqual(addresses);
    // of those who are left one fails, but what was vouched for is what is judged
    const again = collected.map((upload) =>
      [second, third].includes(upload.dealer) ? send(upload.dealer, 2) : upload,
    );
    const restarted = partsWith(() => [], await store.reopen());
    expect(dealersIn(await vouchedUploads(ROUND, again, restarted))).toEqual([cheat, ...addresses.slice(3)]);
    expect(events).toEqual([]);
  });

  test('a set with an upload that too few vouched for is not gone on with', async () => {
    const collected = addresses.map((dealer) => send(dealer));
    const words = allHonest(collected);
    requireVouched(collected, words, THRESHOLD);
    expect(await codeOf(() => requireVouched(collected, words.slice(0, 2), THRESHOLD))).toBe('SHARES_INSUFFICIENT');
    const slipped = [uploadOf(addresses[0] as Hex, 2), ...collected.slice(1)];
    expect(() => requireVouched(slipped, words, THRESHOLD)).toThrow(
      `0 of 3 key-holders vouched for attempt 2 of ${addresses[0]}`,
    );
  });
});
