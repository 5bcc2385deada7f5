// A lying coordinator over the wire: the test holds its key and plays it against real key-holder processes on a real chain.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StoredUpdate } from '../../edge-node/seal/once.ts';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { createSimdRing } from '../../engines/ring/simd.ts';
import { openStore } from '../../engines/store/store.ts';
import { bindToLedger } from '../../key-holder/bound-store.ts';
import { startChild } from '../../kit/child.ts';
import { request } from '../../kit/http.ts';
import { putFile } from '../../kit/put-file.ts';
import { PACKAGE_ROOT } from '../../kit/sources.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { NO_PRIVACY_CAP } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import { type AnswerRequest, answerMessage, MAX_ANSWER_BYTES } from '../../protocol/messages/answer.ts';
import { PRIMES, RESIDUES_PER_BLOCK } from '../../protocol/secagg/block.ts';
import { createFingerprinter, fingerprintChallenge } from '../../protocol/secagg/fingerprint.ts';
import { decodePayload, payloadHash } from '../../protocol/secagg/payload.ts';
import { unpackResidues } from '../../protocol/secagg/residue-bits.ts';
import { sealedShareHash } from '../../protocol/secagg/shares.ts';
import { CACHE_DIR } from '../helpers/command.ts';
import { startDealer, type WireDealer } from '../helpers/wire/dealer.ts';
import { openWireWorld, type WireWorld } from '../helpers/wire/world.ts';
import { encodeResidues } from '../unit/secagg-fixtures.ts';

/** What a round holds once its set is fixed; the sum is the test's to make. */
interface FixedRound {
  readonly round: number;
  readonly set: readonly WireDealer[];
  readonly updates: ReadonlyMap<Hex, StoredUpdate>;
  readonly setHash: Hex;
}

let world: WireWorld;
let dealers: WireDealer[];
let chain: ChainConnection;
beforeAll(async () => {
  world = await openWireWorld();
  dealers = await Promise.all(world.dealers.map((identity) => startDealer(world, identity)));
  await world.stopCoordinator();
  chain = await world.connect(world.coordinator.identity);
}, 120_000);
afterAll(async () => {
  for (const dealer of dealers ?? []) dealer.stop();
  await world?.stop();
});

/** Opens a round on chain; the first `members` dealers commit and are the set, the last one commits and is not. */
async function fixedRound(members = 4): Promise<FixedRound> {
  const last = await chain.ledger.lastModelOf(world.task.hash);
  const { round } = await chain.ledger.openRound({
    taskHash: world.task.hash,
    requirement: requirementOfTask(world.task, world.contract),
    baseModelHash: last ?? `0x${'ba'.repeat(32)}`,
    epsilonAfterMilli: NO_PRIVACY_CAP,
    deadline: (await chain.client.blockTimestamp()) + 600,
  });
  const updates = new Map<Hex, StoredUpdate>();
  await Promise.all(
    dealers.map(async (dealer) => {
      const update = await dealer.seal(round);
      await dealer.commit(round, update);
      updates.set(dealer.address, update);
    }),
  );
  const set = dealers.slice(0, members).sort((a, b) => (a.address < b.address ? -1 : 1));
  await chain.ledger.finaliseSet(
    round,
    set.map(({ address: dealer }) => ({ dealer, attempt: 1 })),
  );
  const finalised = await chain.ledger.setOf(round);
  if (finalised === undefined) throw new Error('no set');
  return { round, set, updates, setHash: finalised.setHash };
}

const updateOf = ({ updates }: FixedRound, dealer: WireDealer): StoredUpdate => {
  const update = updates.get(dealer.address);
  if (update === undefined) throw new Error('no update');
  return update;
};

async function residuesOf(update: StoredUpdate): Promise<Uint32Array> {
  const { words, blocks } = decodePayload(new Uint8Array(await readFile(update.payload.path)), 1);
  const residues = new Uint32Array(blocks * RESIDUES_PER_BLOCK);
  unpackResidues(words, residues);
  return residues;
}

async function sumOf(fixed: FixedRound, over: readonly WireDealer[]): Promise<Uint32Array> {
  const ring = await createSimdRing({ cacheDir: CACHE_DIR });
  const sum = new Uint32Array(RESIDUES_PER_BLOCK);
  for (const dealer of over) {
    const bytes = new Uint8Array(await readFile(updateOf(fixed, dealer).payload.path));
    ring.addPacked(sum, decodePayload(bytes, 1).words);
  }
  return sum;
}

/** As its dealer signed it, for one key-holder. */
function shareOf(fixed: FixedRound, dealer: WireDealer, index: number): AnswerRequest['shares'][number] {
  const { sealedShares, payloadHash: hash, sharesRoot } = updateOf(fixed, dealer);
  const statement = { dealer: dealer.address, round: fixed.round, attempt: 1, payloadHash: hash, sharesRoot };
  return {
    dealer: dealer.address,
    sealedShare: new Uint8Array(sealedShares[index - 1] ?? []),
    shareHashes: sealedShares.map(sealedShareHash),
    signature: signTypedStruct(dealer.identity.privateKey, dealer.chain.domain, 'Upload', statement),
  };
}

/** Streams the sum, collects honest fingerprints from the set's dealers, and asks. @returns the error's code or 'answered' */
async function ask(
  fixed: FixedRound,
  sum: Uint32Array,
  change: (request: AnswerRequest) => AnswerRequest = (r) => r,
  index = 1,
): Promise<string> {
  const { round, set, setHash } = fixed;
  const bytes = encodeResidues(sum);
  const aggregateHash = payloadHash(bytes);
  const path = join(world.directory, `sum-${aggregateHash}`);
  await writeFile(path, bytes);
  const url = world.keyHolders[index - 1]?.proxy.url ?? '';
  const context = { chainId: chain.client.chainId, ledger: chain.ledger.address, round, setHash, aggregateHash };
  const payloadHashes = set.map((dealer) => updateOf(fixed, dealer).payloadHash);
  const blocks = sum.length / RESIDUES_PER_BLOCK;
  const challenge = fingerprintChallenge({ ...context, payloadHashes, blocks });
  const fingerprints = await Promise.all(
    set.map(async (dealer) => {
      const fingerprinter = createFingerprinter(challenge);
      fingerprinter.addBlock(0, await residuesOf(updateOf(fixed, dealer)));
      const fingerprint = fingerprinter.finish();
      const statement = { dealer: dealer.address, round, aggregateHash, fingerprint: toHex(fingerprint) };
      const { privateKey } = dealer.identity;
      const signature = signTypedStruct(privateKey, dealer.chain.domain, 'Fingerprint', statement);
      return { dealer: dealer.address, fingerprint, signature };
    }),
  );
  const shares = set.map((dealer) => shareOf(fixed, dealer, index));
  const asked = change({ v: 'concordat/1/answer-request', round, aggregateHash, shares, fingerprints });
  try {
    await putFile(`${url}/v1/rounds/${round}/payloads/${aggregateHash}?aggregate=${aggregateHash}`, {
      path,
      bytes: bytes.length,
    });
    const headers = { 'content-type': 'application/cbor' };
    const answer = await request(`${url}/v1/answers`, { method: 'POST', headers, body: encodeCbor(asked) });
    expect(decodeCbor(answer, answerMessage, MAX_ANSWER_BYTES)).toMatchObject({ round, setHash, aggregateHash });
    return 'answered';
  } catch (error) {
    if (error instanceof ConcordatError) return error.code;
    throw error;
  }
}

const withOneMore = (sum: Uint32Array): Uint32Array => {
  const altered = sum.slice();
  altered[4_100] = ((altered[4_100] ?? 0) + 1) % PRIMES[1];
  return altered;
};

describe('[AGG-10] a sum that is not the set’s', () => {
  test('one residue more, a dealer dropped, a dealer added: refused; the true sum is answered, once and for all', async () => {
    const fixed = await fixedRound();
    const sum = await sumOf(fixed, fixed.set);
    expect(await ask(fixed, withOneMore(sum))).toBe('AGGREGATE_MISMATCH');
    expect(await ask(fixed, await sumOf(fixed, fixed.set.slice(1)))).toBe('AGGREGATE_MISMATCH');
    expect(await ask(fixed, await sumOf(fixed, dealers))).toBe('AGGREGATE_MISMATCH');
    expect(await ask(fixed, sum)).toBe('answered');
    expect(await ask(fixed, sum)).toBe('answered');
    // [AGG-9] and no other one afterwards
    expect(await ask(fixed, withOneMore(sum))).toBe('SET_REFUSED');
  });

  test('a dealer in league with the coordinator cannot make it add up: its payload speaks for itself', async () => {
    const fixed = await fixedRound();
    const altered = withOneMore(await sumOf(fixed, fixed.set));
    const [victim] = fixed.set;
    const forged = await ask(fixed, altered, (asked) => ({
      ...asked,
      fingerprints: asked.fingerprints.map((entry) =>
        entry.dealer === victim?.address ? { ...entry, fingerprint: new Uint8Array(48) } : entry,
      ),
    }));
    expect(forged).toBe('SIGNATURE_INVALID');
    const withheld = await ask(fixed, altered, (asked) => ({ ...asked, fingerprints: asked.fingerprints.slice(1) }));
    expect(withheld).toBe('PAYLOAD_NEEDED');
  });
});

describe('[AGG-8] a set that is not the chain’s', () => {
  test('a member left out of the question, a stranger in it, another order of shares', async () => {
    const fixed = await fixedRound();
    const sum = await sumOf(fixed, fixed.set);
    const refused = (change: (asked: AnswerRequest) => AnswerRequest) => ask(fixed, sum, change, 2);
    expect(await refused((asked) => ({ ...asked, shares: asked.shares.slice(1) }))).toBe('SET_REFUSED');
    const outsider = dealers.find((dealer) => !fixed.set.includes(dealer));
    if (outsider === undefined) throw new Error('everybody is in');
    const foreign = shareOf(fixed, outsider, 2);
    expect(await refused((asked) => ({ ...asked, shares: [...asked.shares, foreign] }))).toBe('SET_REFUSED');
    expect(await refused((asked) => ({ ...asked, shares: [foreign, ...asked.shares.slice(1)] }))).toBe('SET_REFUSED');
  });

  test('a round that is not finalised gets no answer', async () => {
    const fixed = await fixedRound();
    const sum = await sumOf(fixed, fixed.set);
    expect(await ask({ ...fixed, round: fixed.round + 1 }, sum)).toBe('SET_REFUSED');
  });
});

test('a key-holder does not start on a folder of another ledger, and registers no key from it', async () => {
  const [holder] = world.keyHolders;
  if (holder === undefined) throw new Error('no key-holder');
  const dir = join(world.directory, 'moved');
  await cp(join(world.directory, 'key-holder-1', 'identity.json'), join(dir, 'identity.json'));
  const store = await openStore(join(dir, 'store'));
  await bindToLedger(store, chain.client.chainId, holder.identity.address);
  await store.close();
  const keyHash = async () => (await chain.federation.keyHolders())[0]?.keyHash;
  const before = await keyHash();
  const where = ['--dir', dir, '--rpc', world.chain.rpcUrl, '--federation', world.federation];
  const started = startChild({
    name: 'moved',
    command: process.execPath,
    args: [join(PACKAGE_ROOT, 'bin/concordat.mjs'), 'key-holder', ...where],
    logFile: join(world.directory, 'logs', 'moved.log'),
  });
  await expect(started).rejects.toThrow(/belongs to ledger/);
  expect(await keyHash()).toBe(before);
});
