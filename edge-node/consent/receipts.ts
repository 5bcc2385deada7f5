// Receipts a customer can check without this node: signed, with place, path, log and the witnesses' signatures.
import { readRegistryCall } from '../../engines/chain/calldata.ts';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { readEvents, topicOf } from '../../engines/chain/events.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { EMPTY_LOG_HEAD } from '../../protocol/consent/log.ts';
import { anchoredReceipt, promised, type Receipt, withLog } from '../../protocol/consent/receipt.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { ConsentBook } from './book.ts';

export interface Anchored {
  readonly epoch: number;
  readonly state: ConsentState;
}

export interface ReceiptDesk {
  /** The dealer's word for all of them, by one signature. */
  promise(pending: readonly Receipt[]): Receipt[];
  /**
   * With its path, when the anchor covers it. When it does not yet, or covers a later operation of the same subject, the
   * receipt stays the dealer's word.
   */
  withPath(receipt: Receipt, anchored: Anchored): Receipt;
  /** With path, log and witnesses, where there is a path. */
  complete(receipt: Receipt, anchored: Anchored): Promise<Receipt>;
}

export interface ReceiptParts {
  readonly book: Pick<ConsentBook, 'dealer' | 'receiptAt' | 'entries'>;
  readonly chain: Pick<ChainConnection, 'client' | 'registry' | 'domain'>;
  readonly identity: Identity;
  readonly relyingParty: RelyingParty;
}

export function createReceiptDesk({ book, chain, identity, relyingParty }: ReceiptParts): ReceiptDesk {
  const { client, registry, domain } = chain;
  const { dealer } = book;
  const place = { ...domain, registry: registry.address };
  const pages = { rpId: relyingParty.rpId, origins: [...relyingParty.origins] };
  let known: { readonly epoch: number; readonly signatures: Promise<readonly Hex[]> } | undefined;

  async function readWitnessSignatures(epoch: number): Promise<readonly Hex[]> {
    const topics = [topicOf('Anchored'), toHex(abiWord(dealer)), toHex(abiWord(epoch))];
    const [event] = await readEvents(client, { address: await registry.line(), fromBlock: 0, topics });
    if (event === undefined) throw new ConcordatError('NOT_FOUND', `epoch ${epoch} is not on chain`, { epoch });
    const call = await readRegistryCall(client, event.address, event.txHash);
    return call.method === 'anchor' ? call.witnessSignatures : [];
  }

  /** Of the last epoch asked for: customers ask for the current one. */
  function witnessSignatures(epoch: number): Promise<readonly Hex[]> {
    if (known?.epoch !== epoch) known = { epoch, signatures: readWitnessSignatures(epoch) };
    known.signatures.catch(() => {
      known = undefined;
    });
    return known.signatures;
  }

  function withPath(receipt: Receipt, { state, epoch }: Anchored): Receipt {
    if (receipt.logIndex >= state.operationCount) return receipt;
    try {
      return anchoredReceipt(receipt, state, epoch);
    } catch (error) {
      if (error instanceof ConcordatError && error.code === 'CONFLICT') return receipt;
      throw error;
    }
  }

  return {
    withPath,
    promise: (pending) =>
      promised(
        pending.map((receipt) => ({ ...receipt, place, relyingParty: pages })),
        (root) => signTypedStruct(identity.privateKey, domain, 'Receipts', { dealer, root }),
      ),
    async complete(receipt, { state, epoch }) {
      const previousHead = book.receiptAt(receipt.logIndex - 1)?.logHead ?? EMPTY_LOG_HEAD;
      const following = book.entries(receipt.logIndex + 1, state.operationCount);
      const { anchored, ...rest } = withLog(withPath(receipt, { state, epoch }), previousHead, following);
      if (anchored === undefined) return receipt;
      return { ...rest, anchored: { ...anchored, witnessSignatures: [...(await witnessSignatures(epoch))] } };
    },
  };
}
