// Reading what witnesses signed, from the witnesses themselves and from the chain: every signature checked, nothing trusted.
import { readRegistryCall } from '../engines/chain/calldata.ts';
import type { ChainConnection } from '../engines/chain/connect.ts';
import { readEvents, topicOf } from '../engines/chain/events.ts';
import { recoverTypedStruct } from '../engines/chain/typed-data.ts';
import { request } from '../kit/http.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { SigningDomain, Statement } from '../protocol/consent/equivocation.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { type HeadsMessage, headsMessage, MAX_HEADS_BYTES } from '../protocol/messages/witness.ts';

export interface WitnessHeads {
  readonly url: string;
  readonly witness: Hex;
  readonly domain: SigningDomain;
  /** The witness's signatures and the dealers', of every anchor it showed. */
  readonly statements: readonly Statement[];
}

/** Of 100 anchors each: what no witness comes near. */
const MAX_PAGES = 100_000;

/**
 * Everything a witness says it signed.
 * @throws ConcordatError TIMED_OUT, MESSAGE_MALFORMED, SIGNATURE_INVALID when it shows what was not signed
 */
export async function readHeads(url: string): Promise<WitnessHeads> {
  const first = await readPage(url, undefined);
  const { witness, domain } = first;
  const statements = statementsOf(first, first, url);
  for (let { next } = first, pages = 1; next !== undefined; pages++) {
    const page = await readPage(url, next);
    if (pages === MAX_PAGES || page.next === next)
      throw new ConcordatError('MESSAGE_MALFORMED', `${url}: no last page`);
    statements.push(...statementsOf(page, first, url));
    next = page.next;
  }
  return { url, witness, domain, statements };
}

async function readPage(url: string, after: string | undefined): Promise<HeadsMessage> {
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  const bytes = await request(`${url}/v1/witness/heads${query}`, { maxBytes: MAX_HEADS_BYTES });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new ConcordatError('MESSAGE_MALFORMED', `${url}: heads are not JSON`, { url }, { cause });
  }
  const parsed = headsMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ConcordatError('MESSAGE_MALFORMED', `${url}: heads: ${issue?.path.join('.')}: ${issue?.message}`, { url });
}

function statementsOf(page: HeadsMessage, { witness, domain }: HeadsMessage, url: string): Statement[] {
  return page.heads.flatMap(({ anchor, dealerSignature, signature }) => {
    const signers = [
      recoverTypedStruct(domain, 'Anchor', anchor, signature),
      recoverTypedStruct(domain, 'Anchor', anchor, dealerSignature),
    ];
    if (signers[0] !== witness || signers[1] !== anchor.dealer) {
      const detail = `${url} shows epoch ${anchor.epoch} of ${anchor.dealer} without its own or the dealer's signature`;
      throw new ConcordatError('SIGNATURE_INVALID', detail, { url });
    }
    return [
      { signer: witness, anchor, signature },
      { signer: anchor.dealer, anchor, signature: dealerSignature },
    ];
  });
}

/** The witnesses' signatures under every anchor that the chain took. */
export async function readChainStatements({ client, registry, domain }: ChainConnection): Promise<Statement[]> {
  const topics = [topicOf('Anchored')];
  const events = await readEvents(client, { address: registry.address, fromBlock: 0, topics });
  const statements: Statement[] = [];
  for (const event of events) {
    if (event.name !== 'Anchored') continue;
    const { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount } = event;
    const anchor = { dealer, epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
    for (const signature of await signaturesBehind(client, registry.address, event.txHash)) {
      statements.push({ signer: recoverTypedStruct(domain, 'Anchor', anchor, signature), anchor, signature });
    }
  }
  return statements;
}

/** None when the transaction reached the registry some other way: what it carried cannot be read then. */
async function signaturesBehind(
  client: ChainConnection['client'],
  registry: Hex,
  txHash: Hex,
): Promise<readonly Hex[]> {
  try {
    const call = await readRegistryCall(client, registry, txHash);
    return call.method === 'anchor' ? call.witnessSignatures : [];
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'CHAIN_WRONG') return [];
    throw error;
  }
}
