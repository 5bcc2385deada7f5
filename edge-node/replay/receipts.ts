// Receipts of consent as it stood when the dealer committed: of the log up to that anchor, whatever was signed since.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import { readEvents, topicOf } from '../../engines/chain/events.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { abiWord } from '../../protocol/consent/hex-schema.ts';
import { pendingReceipt, type Receipt } from '../../protocol/consent/receipt.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { ConsentLedger } from '../consent/ledger.ts';
import type { StoredConsent } from '../consent/log-store.ts';
import { createReceiptDesk } from '../consent/receipts.ts';

export interface ReceiptsThenParts {
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly log: readonly StoredConsent[];
  readonly relyingParty: RelyingParty;
}

/** @throws ConcordatError NOT_FOUND when the root was never anchored, STATE_CORRUPT for a subject the log did not have by then */
export async function receiptsThen(
  subjects: readonly Hex[],
  root: Hex,
  { identity, chain, log, relyingParty }: ReceiptsThenParts,
): Promise<Receipt[]> {
  const { epoch, operationCount } = await anchorOf(root, identity.address, chain);
  const ledger = ConsentLedger.replay(identity.address, log.slice(0, operationCount), () => undefined);
  const receiptAt = (index: number): Receipt | undefined => {
    const [entry, head] = [ledger.entry(index), ledger.headAt(index)];
    return entry === undefined || head === undefined ? undefined : pendingReceipt(entry, index, head);
  };
  const book = {
    dealer: identity.address,
    receiptAt,
    entries: (from: number, to = ledger.length) => ledger.entries(from, to),
  };
  const desk = createReceiptDesk({ book, chain, identity, relyingParty });
  const pending = subjects.map((subject) => {
    const receipt = receiptAt(ledger.latestIndexOf(subject) ?? -1);
    if (receipt === undefined)
      throw new ConcordatError('STATE_CORRUPT', `no log entry of ${subject} by epoch ${epoch}`);
    return receipt;
  });
  const promised = desk.promise(pending);
  return Promise.all(promised.map((receipt) => desk.complete(receipt, { epoch, state: ledger.state })));
}

async function anchorOf(root: Hex, dealer: Hex, { client, registry }: ChainConnection) {
  const topics = [topicOf('Anchored'), toHex(abiWord(dealer))];
  const events = await readEvents(client, { address: registry.address, fromBlock: 0, topics });
  const found = events.find((event) => event.name === 'Anchored' && event.root === root);
  if (found?.name !== 'Anchored') throw new ConcordatError('NOT_FOUND', `root ${root} was never anchored`, { root });
  return found;
}
