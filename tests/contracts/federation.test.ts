// Federation: who may change what, and what never changes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { federationAt } from '../../engines/chain/contracts.ts';
import { createFederation } from '../../engines/chain/federation.ts';
import { sealingKeysOf } from '../../engines/chain/sealing-keys.ts';
import { concatBytes, fromHex, type Hex, keccak256, toHex } from '../../protocol/bytes.ts';
import {
  addressOf,
  expectRefusal,
  hash,
  openRound,
  openWorld,
  PARAMETERS,
  type Party,
  sealingKey,
  type World,
} from './world.ts';

let world: World;
let operator: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  operator = await world.party('operator');
});
afterAll(() => world.stop());

const ZERO = `0x${'00'.repeat(20)}` as const;

describe('membership', () => {
  test('[P-01] only the operator changes membership', async () => {
    const stranger = await world.party('stranger');
    const { federation } = stranger;
    const who = addressOf('somebody');
    for (const attempt of [
      () => federation.setCoordinator(who),
      () => federation.registerDealer(who),
      () => federation.removeDealer(addressOf('dealer-1')),
      () => federation.registerWitness(who),
      () => federation.removeWitness(addressOf('witness-1')),
      () => federation.registerKeyHolder(who),
      () => federation.replaceKeyHolder(addressOf('key-holder-1'), who),
      () => federation.setContracts(world.at.registry, world.at.ledger),
      () => federation.pause(),
      () => federation.unpause(),
    ]) {
      await expectRefusal(attempt(), 'OwnableUnauthorizedAccount', { account: stranger.address });
    }
  });

  test('[P-01] the office is handed over only to one who takes it', async () => {
    const contract = federationAt(world.at.federation);
    const successor = await world.party('successor');
    await operator.client.send(contract, 'transferOwnership', [successor.address]);
    expect(await operator.federation.operator()).toBe(operator.address);
    await successor.client.send(contract, 'acceptOwnership', []);
    expect(await operator.federation.operator()).toBe(successor.address);
    await expectRefusal(operator.federation.pause(), 'OwnableUnauthorizedAccount');
  });

  test('[P-01] registering twice, removing a stranger and the zero address are refused', async () => {
    const { federation } = operator;
    await expectRefusal(federation.registerDealer(addressOf('dealer-1')), 'AlreadyRegistered', {
      party: addressOf('dealer-1'),
    });
    await expectRefusal(federation.registerWitness(addressOf('witness-1')), 'AlreadyRegistered');
    await expectRefusal(federation.removeDealer(addressOf('stranger')), 'NotRegistered');
    await expectRefusal(federation.removeWitness(addressOf('stranger')), 'NotRegistered');
    await expectRefusal(federation.registerDealer(ZERO), 'ZeroAddress');
    await expectRefusal(federation.setCoordinator(ZERO), 'ZeroAddress');
  });

  test('[P-01] what is registered is what is read', async () => {
    const { federation } = operator;
    expect(await federation.dealers()).toEqual(['dealer-1', 'dealer-2', 'dealer-3', 'dealer-4'].map(addressOf));
    await federation.removeDealer(addressOf('dealer-2'));
    await federation.removeWitness(addressOf('witness-3'));
    expect(await federation.isDealer(addressOf('dealer-2'))).toBe(false);
    expect(await federation.isDealer(addressOf('dealer-3'))).toBe(true);
    expect(await federation.isWitness(addressOf('witness-3'))).toBe(false);
    expect(await federation.witnesses()).toEqual(['witness-1', 'witness-2'].map(addressOf));
    expect(await federation.coordinator()).toBe(addressOf('coordinator'));
  });
});

describe('sealing keys', () => {
  const keyHashOf = (label: string): Hex => toHex(keccak256(sealingKey(label)));
  const hashOfAll = (labels: readonly string[]): Hex =>
    toHex(keccak256(concatBytes(...labels.map((label) => fromHex(keyHashOf(label))))));
  const FIRST = ['key-holder-1, first', 'key-holder-2, first'] as const;

  test('[P-04] a key-holder keeps its index; its epochs rise by one with its own rotations alone', async () => {
    const holder = await world.party('key-holder-1');
    await holder.federation.rotateKey(sealingKey('second'));
    await holder.federation.rotateKey(sealingKey('third'));
    await operator.federation.registerKeyHolder(addressOf('k3'));
    expect(await operator.federation.keyHolders()).toEqual([
      { address: holder.address, index: 1, keyEpoch: 3, keyHash: keyHashOf('third') },
      { address: addressOf('key-holder-2'), index: 2, keyEpoch: 1, keyHash: keyHashOf(FIRST[1]) },
      { address: addressOf('k3'), index: 3, keyEpoch: 0, keyHash: undefined },
    ]);
  });

  test('[P-04] nobody is a key-holder twice, and nobody is one under address zero', async () => {
    await expectRefusal(operator.federation.registerKeyHolder(ZERO), 'ZeroAddress');
    const again = operator.federation.registerKeyHolder(addressOf('key-holder-2'));
    await expectRefusal(again, 'AlreadyRegistered', { party: addressOf('key-holder-2') });
  });

  test('[P-04] not even the operator rotates a key that is not its own', async () => {
    for (const name of ['operator', 'coordinator', 'dealer-1']) {
      const { federation, address } = await world.party(name);
      await expectRefusal(federation.rotateKey(sealingKey('x')), 'NotRegistered', { party: address });
    }
  });

  test.each([0, 32, 1_215, 1_217])('[P-04] a key of %i bytes is none', async (length) => {
    const { federation } = await world.party('key-holder-1');
    await expectRefusal(federation.rotateKey(new Uint8Array(length).fill(7)), 'PublicKeyMalformed', {
      length: String(length),
    });
  });

  test('[P-04] the key in use is not taken for a new one', async () => {
    const { federation } = await world.party('key-holder-1');
    await expectRefusal(federation.rotateKey(sealingKey(FIRST[0])), 'KeyNotNew', { keyHash: keyHashOf(FIRST[0]) });
    await federation.rotateKey(sealingKey('second'));
    await expectRefusal(federation.rotateKey(sealingKey('second')), 'KeyNotNew');
  });

  test('[P-04] a key is rotated, and so can be erased, while the federation is paused', async () => {
    await operator.federation.pause();
    const { federation } = await world.party('key-holder-1');
    await federation.rotateKey(sealingKey('second'));
    expect((await federation.keyHolders())[0]).toMatchObject({ keyEpoch: 2 });
  });

  test('[P-22] keysHash is over the keys in force, in order of index', async () => {
    expect(await operator.federation.keysHash()).toBe(hashOfAll(FIRST));
    await (await world.party('key-holder-2')).federation.rotateKey(sealingKey('second'));
    expect(await operator.federation.keysHash()).toBe(hashOfAll([FIRST[0], 'second']));
  });

  test('[P-22] while a key-holder has no key no round opens, and its index is named', async () => {
    const coordinator = await world.party('coordinator');
    await operator.federation.registerKeyHolder(addressOf('key-holder-3'));
    await expectRefusal(operator.federation.keysHash(), 'KeyMissing', { index: '3' });
    await expectRefusal(openRound(world, coordinator), 'KeyMissing', { index: '3' });
    await (await world.party('key-holder-3')).federation.rotateKey(sealingKey('k3'));
    const round = await openRound(world, coordinator);
    expect((await coordinator.ledger.roundOf(round))?.keysHash).toBe(hashOfAll([...FIRST, 'k3']));
  });
});

describe('a key-holder that never had a key', () => {
  const mistyped = addressOf('mistyped');
  const third = async () => {
    await operator.federation.registerKeyHolder(mistyped);
    return world.party('key-holder-3');
  };

  test('[P-04] gives its index to another, whose key it then is; the number of key-holders stays', async () => {
    const successor = await third();
    const coordinator = await world.party('coordinator');
    await expectRefusal(openRound(world, coordinator), 'KeyMissing', { index: '3' });
    await operator.federation.replaceKeyHolder(mistyped, successor.address);
    await successor.federation.rotateKey(sealingKey('k3'));
    const holders = await operator.federation.keyHolders();
    expect(holders.map(({ address }) => address)).toEqual([
      addressOf('key-holder-1'),
      addressOf('key-holder-2'),
      successor.address,
    ]);
    expect(holders[2]).toMatchObject({ index: 3, keyEpoch: 1 });
    const round = await openRound(world, coordinator);
    const keys = await sealingKeysOf(coordinator, round);
    expect(keys.map(({ keyHolder, index }) => [keyHolder, index])).toEqual(holders.map(({ address }, i) => [address, i + 1])); // biome-ignore format: one thought
  });

  test('[P-04] is nobody afterwards, and may come back under an index of its own', async () => {
    const successor = await third();
    const { federation } = await world.party('mistyped');
    await operator.federation.replaceKeyHolder(mistyped, successor.address);
    await expectRefusal(federation.rotateKey(sealingKey('late')), 'NotRegistered', { party: mistyped });
    const again = operator.federation.replaceKeyHolder(mistyped, addressOf('another'));
    await expectRefusal(again, 'NotRegistered', { party: mistyped });
    await operator.federation.registerKeyHolder(mistyped);
    expect((await operator.federation.keyHolders())[3]).toMatchObject({ address: mistyped, index: 4 });
  });

  test('[P-04] may be replaced more than once, until one of them has a key', async () => {
    const successor = await third();
    await operator.federation.replaceKeyHolder(mistyped, addressOf('mistyped again'));
    await operator.federation.replaceKeyHolder(addressOf('mistyped again'), successor.address);
    await successor.federation.rotateKey(sealingKey('k3'));
    const late = operator.federation.replaceKeyHolder(successor.address, mistyped);
    await expectRefusal(late, 'KeyHolderActive', { keyHolder: successor.address });
  });

  test('[P-04] is not replaced by nobody, by a key-holder, or by itself', async () => {
    await third();
    const by = (successor: Hex) => operator.federation.replaceKeyHolder(mistyped, successor);
    await expectRefusal(by(ZERO), 'ZeroAddress');
    const other = addressOf('key-holder-1');
    await expectRefusal(by(other), 'AlreadyRegistered', { party: other });
    await expectRefusal(by(mistyped), 'AlreadyRegistered', { party: mistyped });
    const stranger = addressOf('stranger');
    const ofStranger = operator.federation.replaceKeyHolder(stranger, addressOf('another'));
    await expectRefusal(ofStranger, 'NotRegistered', { party: stranger });
    await expectRefusal(operator.federation.replaceKeyHolder(ZERO, addressOf('another')), 'NotRegistered');
  });

  test('[P-04] and one that had a key stays for ever: shares may be sealed to it', async () => {
    const active = addressOf('key-holder-1');
    const replaced = operator.federation.replaceKeyHolder(active, addressOf('another'));
    await expectRefusal(replaced, 'KeyHolderActive', { keyHolder: active });
  });

  test('[P-04] nobody is key-holder 33: more than 32 share hashes fit into no message', async () => {
    for (let index = 3; index <= 32; index++) await operator.federation.registerKeyHolder(addressOf(`k${index}`));
    await expectRefusal(operator.federation.registerKeyHolder(addressOf('k33')), 'TooManyKeyHolders', { most: '32' });
    // a replacement is not one more
    await operator.federation.replaceKeyHolder(addressOf('k32'), addressOf('k33'));
    expect(await operator.federation.keyHolders()).toHaveLength(32);
  });
});

describe('parameters and contracts', () => {
  test('[P-02] parameters are read as deployed', async () => {
    expect(await operator.federation.parameters()).toEqual(PARAMETERS);
  });

  test.each([
    ['a cohort of two', [2, 2, 2, 3600, hash('vk')]],
    ['no key-holder', [3, 0, 2, 3600, hash('vk')]],
    ['one key-holder who opens alone', [3, 1, 2, 3600, hash('vk')]],
    ['no witness', [3, 2, 0, 3600, hash('vk')]],
    ['no age for metrics', [3, 2, 2, 0, hash('vk')]],
  ])('[P-02] %s is no federation', async (_, parameters) => {
    const args = [operator.address, parameters, ZERO];
    await expectRefusal(operator.client.deploy(world.artifacts.Federation, args, 'Federation'), 'InvalidParameters');
  });

  test('[P-22] fewer key-holders than the threshold are named by the first that is missing', async () => {
    const { client } = operator;
    const parameters = [3, 2, 2, 3600, hash('vk')];
    const { address } = await client.deploy(
      world.artifacts.Federation,
      [operator.address, parameters, ZERO],
      'Federation',
    );
    const other = createFederation(client, address);
    await expectRefusal(other.keysHash(), 'KeyMissing', { index: '1' });
    await other.registerKeyHolder(operator.address);
    await other.rotateKey(sealingKey('the only one'));
    await expectRefusal(other.keysHash(), 'KeyMissing', { index: '2' });
  });

  test('[P-03] the contracts are bound once', async () => {
    expect(await operator.federation.registry()).toBe(world.at.registry);
    expect(await operator.federation.ledger()).toBe(world.at.ledger);
    await expectRefusal(operator.federation.setContracts(world.at.registry, world.at.ledger), 'ContractsAlreadySet');
  });

  test('[P-03] contracts of another federation are not bound', async () => {
    const { client } = operator;
    const { artifacts } = world;
    const p = PARAMETERS;
    const parameters = [
      p.minCohort,
      p.keyHolderThreshold,
      p.witnessQuorum,
      p.metricMaxAgeSeconds,
      p.verificationKeyHash,
    ];
    const other = await client.deploy(artifacts.Federation, [operator.address, parameters, ZERO], 'Federation');
    const registry = await client.deploy(
      artifacts.ConsentRegistry,
      [other.address, world.at.verifier],
      'ConsentRegistry',
    );
    const twin = await client.deploy(artifacts.ConsentRegistry, [other.address, world.at.verifier], 'ConsentRegistry');
    const ledger = await client.deploy(artifacts.RoundLedger, [other.address, twin.address], 'RoundLedger');
    const bind = (r: string, l: string) => client.send(federationAt(other.address), 'setContracts', [r, l]);
    await expectRefusal(bind(world.at.registry, ledger.address), 'ForeignContract', { given: world.at.registry });
    await expectRefusal(bind(registry.address, world.at.ledger), 'ForeignContract', { given: world.at.ledger });
    // a ledger of this federation, but over another registry
    await expectRefusal(bind(registry.address, ledger.address), 'ForeignContract', { given: ledger.address });
    await bind(twin.address, ledger.address);
  });
});

test('[P-01] the operator hands its office over, and cannot leave it empty', async () => {
  const operator = await world.party('operator');
  await expectRefusal(
    operator.client.send(federationAt(world.at.federation), 'renounceOwnership', []),
    'OfficeNotEmptied',
  );
  expect(await operator.federation.operator()).toBe(operator.address);
});
