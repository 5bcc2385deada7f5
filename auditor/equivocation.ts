// A file of evidence against one signer: what it proves by itself, and what the chain says of whose key that is.
import { readFileOrExplain } from '../kit/files.ts';
import {
  decodeEquivocation,
  type Proven,
  type SigningDomain,
  verifyEquivocation,
} from '../protocol/consent/equivocation.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { requireWired, viewFederation } from './chain/contract.ts';
import { readLogs } from './chain/logs.ts';
import { createReader } from './chain/rpc.ts';
import { recoverSigner } from './chain/signer.ts';

const MEANING: Readonly<Record<Proven['contradiction'], string>> = {
  'same-epoch': 'two different anchors for one epoch',
  'log-shrank': 'a log that is shorter at the later epoch',
  'log-forked': 'two logs of the same length with different entries',
  'roots-differ': 'different trees over the same entries',
};

/**
 * What is proven, in one sentence.
 * @throws ConcordatError FILE_MISSING, MESSAGE_MALFORMED, SIGNATURE_INVALID; with an endpoint CHAIN_WRONG, NOT_A_MEMBER
 */
export async function checkEquivocationFile(file: string, rpcUrl: string | undefined): Promise<string> {
  const evidence = decodeEquivocation(new Uint8Array(await readFileOrExplain(file)));
  const proven = verifyEquivocation(evidence, (domain, anchor, signature) =>
    recoverSigner(domain, 'Anchor', anchor, signature),
  );
  const { signer, role, dealer, contradiction } = proven;
  const { domain, statements } = evidence;
  if (rpcUrl !== undefined) await requireRegistered(rpcUrl, domain, proven);
  const epochs = [...new Set(statements.map(({ anchor }) => anchor.epoch))].sort((a, b) => a - b).join(' and ');
  const who = role === 'dealer' ? `dealer ${signer}` : `witness ${signer}, of dealer ${dealer},`;
  const known = rpcUrl === undefined ? 'not looked up on chain' : 'registered as such on chain';
  return `proven: ${who} signed ${MEANING[contradiction]} (epoch ${epochs}; chain ${domain.chainId}, federation ${domain.federation}; ${known})`;
}

/** At any time, then or since: whoever is removed afterwards still signed. */
async function requireRegistered(rpcUrl: string, { chainId, federation }: SigningDomain, { signer, role }: Proven) {
  const reader = createReader(rpcUrl);
  const found = await viewFederation(reader, federation);
  requireWired(found);
  if (found.chainId !== chainId) throw new ConcordatError('CHAIN_WRONG', `the evidence is of chain ${chainId}`);
  const toBlock = Number(await reader.ask('eth_blockNumber', []));
  const events = await readLogs(reader, { address: [federation], fromBlock: 0, toBlock });
  const registered = events.some(({ name, fields }) =>
    role === 'dealer'
      ? name === 'DealerRegistered' && fields.dealer === signer
      : name === 'WitnessRegistered' && fields.witness === signer,
  );
  if (!registered) throw new ConcordatError('NOT_A_MEMBER', `${signer} was never registered as a ${role}`, { signer });
}
