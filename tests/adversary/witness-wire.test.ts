// Liars and power cuts against witnesses over the wire: real processes on a real chain, asked as anyone could ask them.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { createSoftwarePasskey } from '../../engines/keys/software-passkey.ts';
import { createApp, listen, request, requestJson } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import type { Anchor } from '../../protocol/consent/anchor.ts';
import { encodeAssertion } from '../../protocol/consent/assertion.ts';
import type { Equivocation } from '../../protocol/consent/equivocation.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import type { LogEntry } from '../../protocol/consent/log.ts';
import { decodeOperation, encodeOperation, type Operation, operationHash } from '../../protocol/consent/operation.ts';
import type { HeadsMessage } from '../../protocol/messages/witness.ts';
import { expectRefusal } from '../contracts/world.ts';
import { run } from '../helpers/command.ts';
import {
  askWitness,
  type ConsentDealer,
  openWitnessWorld,
  startConsentDealer,
  type WitnessProcess,
  type WitnessWorld,
} from '../helpers/wire/witness-world.ts';
import {
  customer,
  faultOf,
  hash32,
  memoryLogStore,
  NO_TRAINING,
  ORIGIN,
  openBook,
  RELYING_PARTY,
  TRAINING,
} from '../unit/consent-world.ts';

let world: WitnessWorld;
beforeAll(async () => {
  world = await openWitnessWorld();
}, 120_000);
afterAll(() => world?.stop());

const witness = (number: number): WitnessProcess => {
  const found = world.witnesses[number - 1];
  if (found === undefined) throw new Error(`no witness ${number}`);
  return found;
};
const dealerOf = (number: number) => {
  const found = world.dealers[number - 1];
  if (found === undefined) throw new Error(`no dealer ${number}`);
  return found;
};
const urls = () => world.witnesses.map(({ url }) => url);
const headsOf = async (url: string, dealer: Hex) =>
  (await requestJson<HeadsMessage>(`${url}/v1/witness/heads`)).heads.filter(({ anchor }) => anchor.dealer === dealer);
const epochsOf = async (url: string, dealer: Hex) => (await headsOf(url, dealer)).map(({ anchor }) => anchor.epoch);
const logOf = async (url: string, dealer: Hex, from = 0) => {
  const pair = z.tuple([z.instanceof(Uint8Array), z.instanceof(Uint8Array)]);
  const bytes = await request(`${url}/v1/witness/log/${dealer}?from=${from}`);
  return decodeCbor(bytes, z.array(pair), 2 ** 20).map(([operation, assertion]) => ({ operation, assertion }));
};
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
};

describe('an honest dealer, and witnesses that die', () => {
  let dealer: ConsentDealer;
  beforeAll(async () => {
    dealer = await startConsentDealer(world, dealerOf(1), urls());
  });
  afterAll(() => dealer?.witnesses.stop());
  const anchorNext = async (name: string): Promise<number> => {
    await dealer.book.submit(customer(name, dealer.address).submission(TRAINING));
    return (await dealer.anchoring.flush()).epoch;
  };

  test('all three sign the same, show it, and serve the log behind it', async () => {
    expect(await anchorNext('anna')).toBe(1);
    expect(await anchorNext('bert')).toBe(2);
    for (const { url, identity } of world.witnesses) {
      await until(async () => (await epochsOf(url, dealer.address)).length === 2);
      const heads = await headsOf(url, dealer.address);
      expect(heads.map(({ anchor }) => anchor)).toEqual([1, 2].map((epoch) => expect.objectContaining({ epoch })));
      expect(heads[1]?.dealerSignature).toBe(dealer.sign(heads[1]?.anchor as Anchor));
      expect(heads[1]?.signature).toBe(
        signTypedStruct(identity.privateKey, dealer.chain.domain, 'Anchor', heads[1]?.anchor as Anchor),
      );
      expect(await logOf(url, dealer.address)).toEqual(dealer.book.entries(0));
      expect(await logOf(url, dealer.address, 1)).toEqual(dealer.book.entries(1));
      expect(await logOf(url, dealer.address, 2)).toEqual([]);
    }
    const { code, output } = await run(['witness', 'compare', ...urls(), ...onChain()]);
    expect(output).toContain('3 witnesses, 2 anchors of 1 dealers: they agree');
    expect(code).toBe(0);
  });

  test('one is killed: the others are a quorum; it is caught up when it is back', async () => {
    await witness(3).kill();
    for (const [i, name] of ['cara', 'dirk', 'else'].entries()) expect(await anchorNext(name)).toBe(3 + i);
    await witness(3).startAgain();
    // by itself: nothing new is anchored meanwhile
    await until(async () => (await epochsOf(witness(3).url, dealer.address)).length === 5);
    expect(await logOf(witness(3).url, dealer.address)).toEqual(await logOf(witness(1).url, dealer.address));
  });

  test('killed while it signs, again and again: it never signs a second anchor for an epoch', async () => {
    const { url } = witness(2);
    const other = await openBook(memoryLogStore(), dealer.address);
    await other.submit(customer('zoe', dealer.address).submission(TRAINING));
    for (const [i, waitMs] of [0, 3, 10].entries()) {
      await dealer.book.submit(customer(`customer ${i}`, dealer.address).submission(TRAINING));
      const flushed = dealer.anchoring.flush();
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await witness(2).kill();
      const { epoch } = await flushed;
      await witness(2).startAgain();
      const anchor = other.state().anchor(epoch);
      const forged = { firstIndex: 0, entries: other.entries(0), anchor, dealerSignature: dealer.sign(anchor) };
      expect(['ANCHOR_EQUIVOCATION', 'ANCHOR_MISMATCH', 'CONSENT_OPERATION_REFUSED', 'LOG_GAP']).toContain(
        (await faultOf(() => askWitness(url, forged))).split(' ')[0],
      );
      await until(async () => (await epochsOf(url, dealer.address)).includes(epoch));
    }
    expect(await headsOf(url, dealer.address)).toHaveLength(8);
    const anchors = async (number: number) => (await headsOf(witness(number).url, dealer.address)).map((h) => h.anchor);
    expect(await anchors(2)).toEqual(await anchors(1));
  }, 180_000);

  test('who rewrote its log hears why there is no quorum', async () => {
    const rewritten = await startConsentDealer(world, dealerOf(1), [witness(1).url, witness(2).url]);
    await rewritten.book.submit(customer('frank', dealer.address).submission(TRAINING));
    const missing = await rewritten.anchoring.flush().catch((error) => error);
    expect(missing).toMatchObject({ code: 'QUORUM_MISSING', fields: { signed: 0, quorum: 2, witnesses: 2 } });
    // the first refusal is enough to know that two will not sign
    expect(missing.fields.refused).toEqual([
      expect.stringMatching(/^http\S+: ANCHOR_EQUIVOCATION: epoch 1 is signed$/),
    ]);
    rewritten.witnesses.stop();
  });

  test('a signature by the key of no witness, or of the same one twice, does not count; nor does one that is down', async () => {
    const app = createApp();
    app.post('/v1/witness/anchors', (_request, response) => {
      response.json({ epoch: 1, signature: dealer.sign(dealer.book.state().anchor(1)) });
    });
    const liar = await listen(app, 0);
    const asked = { firstIndex: 0, entries: [], anchor: dealer.book.state().anchor(9) };
    for (const list of [
      [witness(1).url, liar.url],
      [witness(1).url, witness(1).url],
      [witness(1).url, 'http://127.0.0.1:9'],
    ]) {
      const lone = await startConsentDealer(world, dealerOf(1), list, 1_000);
      expect(await faultOf(() => lone.witnesses.coSign(asked))).toBe('QUORUM_MISSING');
      lone.witnesses.stop();
    }
    await liar.close();
  });
});

describe('what no witness signs', () => {
  const passkey = (name: string, origin = ORIGIN, rpId = RELYING_PARTY.rpId) =>
    createSoftwarePasskey({ rpId, origin, seed: hash32(`key ${name}`) });
  /** The operation, changed, signed by that key. */
  const forged = (entry: LogEntry, by: ReturnType<typeof passkey>, change: Partial<Operation> = {}): LogEntry => {
    const operation = encodeOperation({ ...decodeOperation(entry.operation), ...change });
    return { operation, assertion: encodeAssertion(by.sign(operationHash(operation))) };
  };

  test('forged, replayed, stale and stolen operations, strangers, and anchors of other logs; nothing of it is kept', async () => {
    const { address, chain, sign, book } = await startConsentDealer(world, dealerOf(2), []);
    const { url } = witness(1);
    const anna = customer('anna', address);
    const [first, second] = [anna.submission(TRAINING), anna.submission(NO_TRAINING)];
    const anchor: Anchor = { ...book.state().anchor(1), operationCount: 2 };
    const ask = (entries: readonly LogEntry[], change: Partial<Anchor> = {}, signature?: Hex, firstIndex = 0) => {
      const stated = { ...anchor, ...change };
      return faultOf(() =>
        askWitness(url, { firstIndex, entries, anchor: stated, dealerSignature: signature ?? sign(stated) }),
      );
    };
    const mallory = passkey('mallory');

    expect(await ask([forged(first, mallory)])).toBe('PASSKEY_REFUSED signature');
    expect(await ask([forged(first, mallory, { publicKey: mallory.publicKey })])).toBe(
      'CONSENT_OPERATION_REFUSED subject',
    );
    expect(await ask([forged(first, passkey('anna', 'https://evil.example'))])).toBe('PASSKEY_REFUSED origin');
    expect(await ask([forged(first, passkey('anna', ORIGIN, 'evil.example'))])).toBe('PASSKEY_REFUSED rp-id');
    expect(await ask([first, { ...second, assertion: first.assertion }])).toBe('PASSKEY_REFUSED challenge');
    expect(await ask([first, first])).toBe('CONSENT_OPERATION_REFUSED seq');
    expect(await ask([first, second, forged(first, passkey('anna'))])).toBe('CONSENT_OPERATION_REFUSED seq');
    expect(await ask([first, forged(second, passkey('anna'), { oldDigest: 5n })])).toBe(
      'CONSENT_OPERATION_REFUSED old-digest',
    );
    expect(await ask([second])).toBe('CONSENT_OPERATION_REFUSED seq');
    // the operations of another dealer's customers, all of them real
    expect(await ask(await logOf(url, dealerOf(1).address))).toBe('CONSENT_OPERATION_REFUSED dealer');
    // another dealer's epochs are not mine to use up, and nobody but a dealer has any
    const theirs = { dealer: dealerOf(1).address, epoch: 9 };
    expect(await ask([], theirs)).toBe('SIGNATURE_INVALID');
    const stranger = { ...anchor, dealer: witness(2).identity.address };
    const { privateKey } = witness(2).identity;
    const strangers = signTypedStruct(privateKey, chain.domain, 'Anchor', stranger);
    expect(await ask([], stranger, strangers)).toBe('NOT_A_MEMBER');
    // signed for another federation
    const elsewhere = { ...chain.domain, federation: address };
    expect(await ask([first], {}, signTypedStruct(dealerOf(2).privateKey, elsewhere, 'Anchor', anchor))).toBe(
      'SIGNATURE_INVALID',
    );
    expect(await ask([first, second])).toBe('ANCHOR_MISMATCH');
    expect(await ask([first, second], { epoch: 2 })).toBe('LOG_GAP');
    expect(await ask([first, second], {}, undefined, 1)).toBe('LOG_GAP');
    expect(await faultOf(() => request(`${url}/v1/witness/anchors`, { method: 'POST', body: 'x' }))).toBe(
      'MESSAGE_MALFORMED',
    );
    for (const path of ['heads?after=x', 'heads?after=0x1/2', `log/${address}x`, `log/${address}?from=-1`]) {
      expect(await faultOf(() => request(`${url}/v1/witness/${path}`))).toBe('MESSAGE_MALFORMED');
    }

    expect(await epochsOf(url, address)).toEqual([]);
    expect(await logOf(url, address)).toEqual([]);
    await book.submitAll([first, second]);
    const honest = { firstIndex: 0, entries: book.entries(0), anchor: book.state().anchor(1) };
    expect(await faultOf(() => askWitness(url, { ...honest, dealerSignature: sign(honest.anchor) }))).toBe('no error');
  });
});

describe('equivocation', () => {
  /** Two logs of one dealer, each with the anchor of its first epoch. */
  async function twoLogs(dealer: ConsentDealer) {
    const showing = async (name: string) => {
      const book = await openBook(memoryLogStore(), dealer.address);
      await book.submit(customer(name, dealer.address).submission(TRAINING));
      const anchor = book.state().anchor(1);
      return { firstIndex: 0, entries: book.entries(0), anchor, dealerSignature: dealer.sign(anchor) };
    };
    return [await showing('anna'), await showing('bert')] as const;
  }

  let showings: Awaited<ReturnType<typeof twoLogs>>;

  test('a dealer with two logs: only one is quorate, and everybody who compares has the evidence', async () => {
    const dealer = await startConsentDealer(world, dealerOf(3), []);
    showings = await twoLogs(dealer);
    const [one, two] = showings;
    const signedOne = await askWitness(witness(1).url, one);
    const signedTwo = await askWitness(witness(2).url, two);
    expect(await faultOf(() => askWitness(witness(1).url, two))).toBe('ANCHOR_EQUIVOCATION');
    await expectRefusal(dealer.chain.registry.anchor(one.anchor, [signedOne]), 'WitnessQuorumMissing');
    await expectRefusal(dealer.chain.registry.anchor(two.anchor, [signedTwo]), 'WitnessQuorumMissing');
    // the second witness, from a backup that is too old, signs the other log as well
    const restored = await world.forgetful(witness(2));
    await dealer.chain.registry.anchor(one.anchor, [signedOne, await askWitness(restored.url, one)]);
    // who signed the other is not followed any further, and signs no other either
    expect(await faultOf(() => askWitness(witness(2).url, one))).toBe('ANCHOR_EQUIVOCATION');
    const next: Anchor = { ...two.anchor, epoch: 2 };
    const onward = { firstIndex: 1, entries: [], anchor: next, dealerSignature: dealer.sign(next) };
    expect(await faultOf(() => askWitness(witness(2).url, onward))).toBe('ANCHOR_MISMATCH');

    // the witness that was shown both kept both
    const kept = await requestJson<Equivocation[]>(`${witness(1).url}/v1/witness/evidence`);
    expect(kept.map(({ signer }) => signer)).toContain(dealer.address);
    const out = join(world.directory, 'evidence-1');
    const compared = await run(['witness', 'compare', witness(1).url, witness(2).url, '--out', out]);
    expect(compared.code).toBe(1);
    expect(compared.output).toContain('1 contradictions');
    const [file, ...more] = (await readdir(out)).map((name) => join(out, name));
    expect(more).toEqual([]);
    const checked = await run(['audit', 'evidence', file ?? '', '--rpc', world.chain.rpcUrl]);
    expect(checked.output).toContain(`proven: dealer ${dealer.address} signed two different anchors for one epoch`);
    expect(checked.output).toContain('registered as such on chain');
    expect(checked.code).toBe(0);
  });

  test('a witness that signed both: what it shows and what the chain took is evidence against it', async () => {
    const [, two] = showings;
    const { url, identity } = witness(2);
    expect((await headsOf(url, two.anchor.dealer)).map(({ anchor }) => anchor)).toEqual([two.anchor]);
    const out = join(world.directory, 'evidence-2');
    const { code, output } = await run(['witness', 'compare', url, ...onChain(), '--out', out]);
    expect(output).toContain(`witness ${identity.address}, of dealer ${two.anchor.dealer}`);
    expect(code).toBe(1);
    const [file, ...more] = (await readdir(out)).map((name) => join(out, name));
    expect(more).toEqual([]);
    const checked = await run(['audit', 'evidence', file ?? '']);
    expect(checked.output).toContain(`proven: witness ${identity.address}`);
    expect(checked.code).toBe(0);
  });

  test('evidence that was tampered with proves nothing', async () => {
    const [name = ''] = await readdir(join(world.directory, 'evidence-2'));
    const text = await readFile(join(world.directory, 'evidence-2', name), 'utf8');
    const { address } = witness(2).identity;
    for (const [i, changed] of [
      text.replace(`"signer":"${address}`, `"signer":"${witness(1).identity.address}`),
      `${text} `,
    ].entries()) {
      const file = join(world.directory, `changed-${i}.json`);
      await writeFile(file, changed);
      const { code, output } = await run(['audit', 'evidence', file]);
      expect(output).toMatch(i === 0 ? /SIGNATURE_INVALID/ : /MESSAGE_MALFORMED/);
      expect(code).toBe(1);
    }
  });

  test('a page that shows what was never signed is named, and does not hide the others', async () => {
    const heads = await requestJson<HeadsMessage>(`${witness(1).url}/v1/witness/heads`);
    const app = createApp();
    const bend = { ...heads, heads: heads.heads.map((h) => ({ ...h, anchor: { ...h.anchor, logHead: hexWord(7n) } })) };
    app.get('/v1/witness/heads', (_request, response) => {
      response.json(bend);
    });
    const liar = await listen(app, 0);
    const { code, output } = await run(['witness', 'compare', witness(1).url, witness(3).url, liar.url]);
    expect(output).toContain('2 witnesses');
    expect(output).toContain('not compared: SIGNATURE_INVALID');
    expect(code).toBe(1);
    await liar.close();
  });
});

const onChain = () => ['--rpc', world.chain.rpcUrl, '--federation', world.federation];
