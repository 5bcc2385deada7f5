// ConsentRegistry.anchor: epochs without a gap, a log that never shrinks or forks, and a quorum of witnesses.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import {
  addressOf,
  expectRefusal,
  hash,
  keyOf,
  openWorld,
  type Party,
  stateOf,
  type World,
  witnessed,
} from './world.ts';

let world: World;
let dealer: Party;
beforeAll(async () => {
  world = await openWorld();
});
beforeEach(async () => {
  await world.reset();
  dealer = await world.party('dealer-1');
});
afterAll(() => world.stop());

const QUORUM = ['witness-1', 'witness-2'];

async function anchor(epoch: number, names: readonly string[] = QUORUM, change: object = {}) {
  const state = { ...stateOf(epoch), ...change };
  return dealer.registry.anchor(state, witnessed(world, dealer.address, state, names));
}

describe('epochs and the log', () => {
  test('[P-05] the root on chain is the protocol’s', async () => {
    expect(await dealer.registry.currentAnchor(dealer.address)).toBeUndefined();
    await anchor(1);
    const state = stateOf(1);
    const record = await dealer.registry.currentAnchor(dealer.address);
    expect(record).toMatchObject(state);
    expect(record?.root).toBe(anchoredRoot({ dealer: dealer.address, ...state }));
    expect(record?.anchoredAt).toBe(await world.now());
  });

  test('[P-05] an epoch is neither skipped nor taken twice, and the first is 1', async () => {
    await expectRefusal(anchor(0), 'EpochNotNext', { given: '0', expected: '1' });
    await expectRefusal(anchor(2), 'EpochNotNext', { given: '2', expected: '1' });
    await anchor(1);
    await expectRefusal(anchor(1), 'EpochNotNext', { given: '1', expected: '2' });
    await expectRefusal(anchor(3), 'EpochNotNext', { given: '3', expected: '2' });
    await anchor(2);
  });

  test('[P-05] the log never shrinks', async () => {
    await anchor(1);
    await expectRefusal(anchor(2, QUORUM, { operationCount: 9 }), 'OperationCountFell', { given: '9', current: '10' });
  });

  test('[P-05] the same length with another head is a fork', async () => {
    await anchor(1);
    await expectRefusal(anchor(2, QUORUM, { operationCount: 10 }), 'LogForked', { current: hash('log 1') });
    await anchor(2, QUORUM, { operationCount: 10, logHead: hash('log 1') });
  });
});

describe('witnesses', () => {
  test('[P-06] a quorum is enough, in any order, and one more does no harm', async () => {
    await anchor(1, ['witness-3', 'witness-1']);
    await anchor(2, ['witness-2', 'witness-1', 'witness-3']);
  });

  test('[P-06] one fewer is not', async () => {
    await expectRefusal(anchor(1, ['witness-1']), 'WitnessQuorumMissing', { given: '1', needed: '2' });
    await expectRefusal(anchor(1, []), 'WitnessQuorumMissing', { given: '0', needed: '2' });
  });

  test('[P-06] one witness does not count twice', async () => {
    await expectRefusal(anchor(1, ['witness-1', 'witness-1']), 'DuplicateWitness', { signer: addressOf('witness-1') });
    await expectRefusal(anchor(1, ['witness-1', 'witness-2', 'witness-1']), 'DuplicateWitness');
  });

  test('[P-06] a stranger, a dealer and a removed witness are none', async () => {
    await expectRefusal(anchor(1, ['witness-1', 'stranger']), 'UnknownWitness', { signer: addressOf('stranger') });
    await expectRefusal(anchor(1, ['witness-1', 'dealer-2']), 'UnknownWitness', { signer: addressOf('dealer-2') });
    await (await world.party('operator')).federation.removeWitness(addressOf('witness-2'));
    await expectRefusal(anchor(1), 'UnknownWitness', { signer: addressOf('witness-2') });
  });

  test('[P-06] a dealer who is a witness too may not witness itself', async () => {
    await (await world.party('operator')).federation.registerWitness(dealer.address);
    await expectRefusal(anchor(1, ['witness-1', 'dealer-1']), 'SelfWitnessed', { dealer: dealer.address });
  });

  test('[P-06] signatures for another dealer, chain, federation or state are no use', async () => {
    const state = stateOf(1);
    const struct = { dealer: dealer.address, ...state };
    const domain = { chainId: world.chain.chainId, federation: world.at.federation };
    const good = signTypedStruct(keyOf('witness-1'), domain, 'Anchor', struct);
    const sign = (d: typeof domain, s: typeof struct) => signTypedStruct(keyOf('witness-2'), d, 'Anchor', s);
    const strays = [
      sign(domain, { ...struct, dealer: addressOf('dealer-2') }),
      sign({ ...domain, chainId: 1 }, struct),
      sign({ ...domain, federation: world.at.registry }, struct),
      sign(domain, { ...struct, epoch: 2 }),
      sign(domain, { ...struct, bucketsRoot: hash('x') }),
      sign(domain, { ...struct, subjectsRoot: hash('x') }),
      sign(domain, { ...struct, logHead: hash('x') }),
      sign(domain, { ...struct, operationCount: 11 }),
    ];
    for (const stray of strays) await expectRefusal(dealer.registry.anchor(state, [good, stray]), 'UnknownWitness');
    await dealer.registry.anchor(state, [good, sign(domain, struct)]);
  });

  test('[P-06] a malformed or high-s signature is refused by position', async () => {
    const state = stateOf(1);
    const [first = '0x', second = '0x'] = witnessed(world, dealer.address, state, QUORUM);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = BigInt(`0x${second.slice(66, 130)}`);
    const v = second.endsWith('1b') ? '1c' : '1b';
    const highS = `${second.slice(0, 66)}${(order - s).toString(16).padStart(64, '0')}${v}` as const;
    for (const bad of [highS, second.slice(0, -2), '0x']) {
      const sending = dealer.registry.anchor(state, [first, bad as `0x${string}`]);
      await expectRefusal(sending, 'WitnessSignatureMalformed', { position: '1' });
    }
  });
});

describe('who may anchor, and when', () => {
  test('[P-05] only a registered dealer anchors', async () => {
    const stranger = await world.party('stranger');
    const state = stateOf(1);
    const signatures = witnessed(world, stranger.address, state, QUORUM);
    await expectRefusal(stranger.registry.anchor(state, signatures), 'NotADealer', { sender: stranger.address });
    await (await world.party('operator')).federation.removeDealer(dealer.address);
    await expectRefusal(anchor(1), 'NotADealer', { sender: dealer.address });
  });

  test('[P-07] an anchor is taken while the federation is paused', async () => {
    await (await world.party('operator')).federation.pause();
    await anchor(1);
  });
});
