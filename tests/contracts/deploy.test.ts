// Deployment, and the typed data that every party signs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChainClient } from '../../engines/chain/client.ts';
import { federationAt } from '../../engines/chain/contracts.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { hashTypedStruct, recoverTypedStruct, signTypedStruct } from '../../engines/chain/typed-data.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { StructValues } from '../../protocol/messages/typed-data.ts';
import { addressOf, hash, keyOf, openWorld, PARAMETERS, type Party, stateOf, type World } from './world.ts';

let world: World;
let operator: Party;
beforeAll(async () => {
  world = await openWorld();
  operator = await world.party('operator');
});
afterAll(() => world.stop());

describe('deployment', () => {
  const deployOn = (client: ChainClient, setup: 'single-operator' | 'ceremony', who = 'operator') =>
    deployFederation(client, world.artifacts, { operator: addressOf(who), parameters: PARAMETERS, setup });

  test('a single operator’s verification key is refused on any chain but the embedded one', async () => {
    const before = await operator.client.blockNumber();
    const elsewhere = { ...operator.client, chainId: 1 };
    await expect(deployOn(elsewhere, 'single-operator')).rejects.toMatchObject({
      code: 'VERIFICATION_KEY_UNSAFE',
      fields: { chainId: 1 },
    });
    expect(await operator.client.blockNumber()).toBe(before);
  });

  test('a key from a ceremony is taken, and the four contracts know each other', async () => {
    const at = await deployOn(operator.client, 'ceremony');
    expect(new Set([at.federation, at.registry, at.ledger, at.verifier]).size).toBe(4);
    expect(at.gasUsed).toBeLessThan(9_000_000);
    expect(await operator.registry.verifier()).toBe(world.at.verifier);
    expect(await operator.registry.federation()).toBe(world.at.federation);
    expect(await operator.ledger.federation()).toBe(world.at.federation);
    expect(await operator.ledger.registry()).toBe(world.at.registry);
  });

  test('whoever deploys must be the operator', async () => {
    await expect(deployOn(operator.client, 'ceremony', 'coordinator')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('typed data', () => {
  const domain = () => ({ chainId: world.chain.chainId, federation: world.at.federation });
  const EXAMPLES: StructValues = {
    Anchor: { dealer: addressOf('dealer-1'), ...stateOf(3) },
    Receipts: { dealer: addressOf('dealer-1'), root: hash('root') },
    Upload: { dealer: addressOf('dealer-1'), round: 7, attempt: 2, payloadHash: hash('p'), sharesRoot: hash('s') },
    Opening: { dealer: addressOf('dealer-1'), round: 7, attempt: 2, packageHash: hash('package') },
    Answer: {
      keyHolder: addressOf('k'),
      round: 7,
      setHash: hash('set'),
      aggregateHash: hash('aggregate'),
      answerHash: hash('answer'),
    },
    Vouch: { keyHolder: addressOf('k'), round: 7, vouchesHash: hash('vouches') },
    Fingerprint: { dealer: addressOf('dealer-1'), round: 7, aggregateHash: hash('aggregate'), fingerprint: '0x0102' },
    Hello: { party: addressOf('dealer-1'), issuedAtMs: 1_795_372_615_123, nonce: hash('nonce') },
  };

  test('[P-06] the hash of an Anchor is the one the contract checks', async () => {
    const onChain = await operator.registry.anchorDigest(addressOf('dealer-1'), stateOf(3));
    expect(hashTypedStruct(domain(), 'Anchor', EXAMPLES.Anchor)).toBe(onChain);
  });

  test('the domain of the hash is the federation’s own (ERC-5267)', async () => {
    const contract = federationAt(world.at.federation);
    const [, name, version, chainId, verifyingContract] = await operator.client.call(contract, 'eip712Domain', []);
    expect([name, version, Number(chainId), String(verifyingContract).toLowerCase()]).toEqual([
      'Concordat',
      '1',
      31337,
      world.at.federation,
    ]);
  });

  const NAMES = ['Anchor', 'Receipts', 'Upload', 'Opening', 'Answer', 'Vouch', 'Fingerprint', 'Hello'] as const;
  test.each(NAMES)('%s: what one signs the other recovers', (name) => {
    const signature = signTypedStruct(keyOf('signer'), domain(), name, EXAMPLES[name]);
    expect(recoverTypedStruct(domain(), name, EXAMPLES[name], signature)).toBe(addressOf('signer'));
    const elsewhere = { ...domain(), chainId: 1 };
    expect(recoverTypedStruct(elsewhere, name, EXAMPLES[name], signature)).not.toBe(addressOf('signer'));
  });

  test('the structs differ although fields may coincide', () => {
    const hashes = NAMES.map((name) => hashTypedStruct(domain(), name, EXAMPLES[name]));
    expect(new Set(hashes).size).toBe(NAMES.length);
  });

  test('only the form the contract takes is a signature: no 64 bytes, no v of 0, no high s', () => {
    const signature = signTypedStruct(keyOf('signer'), domain(), 'Hello', EXAMPLES.Hello);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const highS = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0');
    const v = signature.endsWith('1b') ? '1c' : '1b';
    const bad: Hex[] = [
      '0x',
      signature.slice(0, -2) as Hex,
      `${signature.slice(0, -2)}00` as Hex,
      `${signature.slice(0, 66)}${highS}${v}` as Hex,
      signature.toUpperCase().replace('0X', '0x') as Hex,
      `0x${'00'.repeat(64)}1b`,
    ];
    for (const form of bad) {
      expect(() => recoverTypedStruct(domain(), 'Hello', EXAMPLES.Hello, form)).toThrow(/SIGNATURE_INVALID/);
    }
  });
});
