// Federation: who may change what, and what never changes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { federationAt } from '../../engines/chain/contracts.ts';
import { addressOf, expectRefusal, hash, openWorld, PARAMETERS, type Party, type World } from './world.ts';

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
      () => federation.registerKeyHolder(who, hash('x25519')),
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
    expect(await federation.dealers()).toEqual(['dealer-1', 'dealer-2', 'dealer-3'].map(addressOf));
    await federation.removeDealer(addressOf('dealer-2'));
    await federation.removeWitness(addressOf('witness-3'));
    expect(await federation.isDealer(addressOf('dealer-2'))).toBe(false);
    expect(await federation.isDealer(addressOf('dealer-3'))).toBe(true);
    expect(await federation.isWitness(addressOf('witness-3'))).toBe(false);
    expect(await federation.witnesses()).toEqual(['witness-1', 'witness-2'].map(addressOf));
    expect(await federation.coordinator()).toBe(addressOf('coordinator'));
  });

  test('[P-04] key-holders keep their index and key', async () => {
    const { federation } = operator;
    await expectRefusal(federation.registerKeyHolder(ZERO, hash('x')), 'ZeroAddress');
    await expectRefusal(federation.registerKeyHolder(addressOf('k1'), `0x${'00'.repeat(32)}`), 'ZeroPublicKey');
    await federation.registerKeyHolder(addressOf('k1'), hash('x1'));
    await federation.registerKeyHolder(addressOf('k2'), hash('x2'));
    await expectRefusal(federation.registerKeyHolder(addressOf('k1'), hash('x3')), 'AlreadyRegistered');
    expect(await federation.keyHolders()).toEqual([
      { address: addressOf('k1'), index: 1, x25519PublicKey: hash('x1') },
      { address: addressOf('k2'), index: 2, x25519PublicKey: hash('x2') },
    ]);
  });
});

describe('parameters and contracts', () => {
  test('[P-02] parameters are read as deployed', async () => {
    expect(await operator.federation.parameters()).toEqual(PARAMETERS);
  });

  test.each([
    ['a cohort of one', [1, 2, 2, 3600, hash('vk')]],
    ['no key-holder', [2, 0, 2, 3600, hash('vk')]],
    ['no witness', [2, 2, 0, 3600, hash('vk')]],
    ['no age for metrics', [2, 2, 2, 0, hash('vk')]],
  ])('[P-02] %s is no federation', async (_, parameters) => {
    const args = [operator.address, parameters];
    await expectRefusal(operator.client.deploy(world.artifacts.Federation, args, 'Federation'), 'InvalidParameters');
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
    const other = await client.deploy(artifacts.Federation, [operator.address, parameters], 'Federation');
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
