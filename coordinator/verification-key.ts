// The key that consent proofs are judged by, as it goes into the transcript: the very one whose hash the contract holds.
import type { ChainConnection } from '../engines/chain/connect.ts';
import { canonicalJson } from '../protocol/consent/canonical-json.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { hashVerificationKey, parseVerificationKey } from '../protocol/proof/verification-key.ts';

/**
 * A transcript is never rewritten: another key in its genesis would fail every audit for good.
 * @param json snarkjs' verification key, however it is spaced and ordered
 * @returns canonical JSON, whose sha256 is what the contract holds
 * @throws ConcordatError MESSAGE_MALFORMED, VERIFICATION_KEY_UNSAFE, CHAIN_WRONG when the contract holds another key's hash
 */
export async function federationsKey(
  json: string,
  { federation }: Pick<ChainConnection, 'federation'>,
): Promise<string> {
  const key = parseVerificationKey(parseJson(json));
  const ours = hashVerificationKey(key);
  const { verificationKeyHash: onChain } = await federation.parameters();
  if (ours === onChain) return canonicalJson(key);
  throw new ConcordatError(
    'CHAIN_WRONG',
    `the federation's verification key has the hash ${onChain}, this one ${ours}`,
    {
      onChain,
      ours,
    },
  );
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new ConcordatError('MESSAGE_MALFORMED', 'the verification key is not JSON', {}, { cause });
  }
}
