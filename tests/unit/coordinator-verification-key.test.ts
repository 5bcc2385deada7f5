// The coordinator takes the federation's own verification key into the transcript, in one spelling, and no other key.
import { describe, expect, test } from 'vitest';
import { federationsKey } from '../../coordinator/verification-key.ts';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { canonicalJson } from '../../protocol/consent/canonical-json.ts';
import { hashVerificationKey } from '../../protocol/proof/verification-key.ts';
import { trapdoorSetup } from '../helpers/audit/trapdoor-proofs.ts';

const { verificationKey: key } = trapdoorSetup(3);
const onChain = (verificationKeyHash: string) => {
  const federation = { parameters: () => Promise.resolve({ verificationKeyHash }) };
  return { federation } as unknown as Pick<ChainConnection, 'federation'>;
};
const ours = onChain(hashVerificationKey(key));

describe('the federation’s own key', () => {
  const { IC, ...rest } = key;
  test.each([
    [
      'as snarkjs prints it, with a pairing computed beforehand',
      JSON.stringify({ ...key, vk_alphabeta_12: [] }, undefined, 1),
    ],
    ['its fields in another order', JSON.stringify({ IC, ...rest })],
    ['canonical', canonicalJson(key)],
  ])('%s: goes in as canonical JSON, whose sha256 the contract holds', async (_, text) => {
    expect(await federationsKey(text, ours)).toBe(canonicalJson(key));
  });
});

describe('refuses', () => {
  test.each([
    ['another key', JSON.stringify(trapdoorSetup(3, { delta: 12n }).verificationKey), 'CHAIN_WRONG'],
    [
      'a key that anybody can forge under',
      JSON.stringify(trapdoorSetup(3, { delta: 7n }).verificationKey),
      'VERIFICATION_KEY_UNSAFE',
    ],
    ['no key', '{}', 'MESSAGE_MALFORMED'],
    ['no JSON', 'vk_alpha_1', 'MESSAGE_MALFORMED'],
  ])('%s', async (_, text, code) => {
    await expect(federationsKey(text, ours)).rejects.toMatchObject({ code });
  });
});
