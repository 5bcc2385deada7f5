// `concordat deploy` as an operator runs it: a members file in, a federation on chain out.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { connectFederation } from '../../engines/chain/connect.ts';
import { type EmbeddedChain, startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { loadOrCreateIdentity } from '../../engines/keys/identity.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { CACHE_DIR, run } from '../helpers/command.ts';
import { addressOf, keyOf, sealingKey } from './world.ts';

let dir: string;
let chain: EmbeddedChain;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'concordat-deploy-'));
  chain = await startEmbeddedChain({ dir: join(dir, 'chain') });
  await chain.fund((await loadOrCreateIdentity(join(dir, 'operator'))).address, 10n ** 20n);
});
afterAll(async () => {
  await chain?.stop();
  await rm(dir, { recursive: true, force: true });
});

const named = (what: string, count: number) => Array.from({ length: count }, (_, i) => addressOf(`${what}-${i + 1}`));
const MEMBERS = {
  parameters: { minCohort: 3, keyHolderThreshold: 3, witnessQuorum: 1, metricMaxAgeSeconds: 3_600 },
  coordinator: addressOf('coordinator'),
  dealers: named('dealer', 4),
  keyHolders: named('key-holder', 4),
  witnesses: named('witness', 1),
};

async function deploy(members: object, ...more: readonly string[]) {
  const file = join(dir, 'members.yaml');
  await writeFile(file, stringify(members));
  const json = join(dir, 'deployed.json');
  const common = ['--dir', join(dir, 'operator'), '--rpc', chain.rpcUrl, '--cache-dir', CACHE_DIR];
  return { ...(await run(['deploy', ...common, '--members', file, '--json', json, ...more])), json };
}

test('deploys, registers everybody in order, and says where', async () => {
  const { code, output, json } = await deploy(MEMBERS);
  expect(output).toContain('for the embedded chain only');
  expect(code).toBe(0);
  const deployed = JSON.parse(await readFile(json, 'utf8'));
  const { federation, ledger, registry } = await connectFederation(chain.rpcUrl, deployed.federation);
  expect([deployed.ledger, deployed.registry]).toEqual([ledger.address, registry.address]);
  expect(await federation.coordinator()).toBe(MEMBERS.coordinator);
  expect((await federation.dealers()).toSorted()).toEqual(MEMBERS.dealers.toSorted());
  expect(await federation.witnesses()).toEqual(MEMBERS.witnesses);
  expect((await federation.keyHolders()).map(({ address }) => address)).toEqual(MEMBERS.keyHolders);
  expect(await federation.parameters()).toMatchObject(MEMBERS.parameters);
});

test.each([
  ['fewer key-holders than the threshold', { keyHolders: named('key-holder', 2) }, '2 keyHolders, at least 3'],
  ['an address twice', { dealers: [...named('dealer', 3), addressOf('dealer-1')] }, 'an address appears twice'],
  ['no address', { coordinator: '0x12' }, 'coordinator'],
  ['a cohort of two', { parameters: { ...MEMBERS.parameters, minCohort: 2 } }, 'minCohort'],
])('refuses %s, before anything is sent', async (_what, change, said) => {
  const { code, output } = await deploy({ ...MEMBERS, ...change });
  expect(code).toBe(1);
  expect(output).toContain(said);
});

describe('a new version', () => {
  const succeed = (federation: string, successor: string, folder = 'operator') => {
    const at = ['--rpc', chain.rpcUrl, '--federation', federation, '--successor', successor];
    return run(['deploy', 'succeed', '--dir', join(dir, folder), ...at]);
  };
  const deployed = async (members: object, ...more: readonly string[]) => {
    const { code, output, json } = await deploy(members, ...more);
    expect(output).toContain('Federation ');
    expect(code).toBe(0);
    return { output, ...(JSON.parse(await readFile(json, 'utf8')) as { federation: Hex; predecessor?: Hex }) };
  };

  test('is deployed beside the old one, which then hands over to it, once its key-holders have keys', async () => {
    const old = await deployed(MEMBERS);
    const members = { ...MEMBERS, dealers: named('dealer', 3), keyHolders: named('key-holder', 3) };
    const heir = await deployed(members, '--predecessor', old.federation);
    expect(heir.predecessor).toBe(old.federation);
    expect(heir.output).toContain(`--federation ${old.federation} --successor ${heir.federation}`);

    const early = await succeed(old.federation, heir.federation);
    expect(early.output).toContain('KeyMissing');
    const stranger = await succeed(old.federation, heir.federation, 'somebody');
    expect(stranger.output).toContain('the operator of');
    expect([early.code, stranger.code]).toEqual([1, 1]);
    for (const name of members.keyHolders.map((_, i) => `key-holder-${i + 1}`)) {
      await chain.fund(addressOf(name), 10n ** 20n);
      const { federation } = await connectFederation(chain.rpcUrl, heir.federation, keyOf(name));
      await federation.rotateKey(sealingKey(name));
    }
    const done = await succeed(old.federation, heir.federation);
    expect(done.output).toContain(`${heir.federation} carries it on`);
    expect(done.output).toContain(`Dealer ${addressOf('dealer-4')} is not registered there`);
    expect(done.code).toBe(0);
    const { federation } = await connectFederation(chain.rpcUrl, old.federation);
    expect(await federation.successor()).toBe(heir.federation);

    const again = await deploy(MEMBERS, '--predecessor', old.federation);
    expect(again.output).toContain('has a successor already');
    expect(again.code).toBe(1);
  });

  test('of no federation is refused before anything is paid for', async () => {
    const { code, output } = await deploy(MEMBERS, '--predecessor', addressOf('nobody'));
    expect(output).toContain('CHAIN_WRONG');
    expect(code).toBe(1);
  });
});
