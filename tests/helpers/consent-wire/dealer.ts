// A dealer's consent of the edge node's own parts: book, anchoring, prover, selection, receipts over HTTP. Its rounds are the
// test's to lie about.
import { createReceiptRouter } from '../../../edge-node/api/receipts.ts';
import { createRecordsCommitter } from '../../../edge-node/commitment.ts';
import { createAnchorProposer } from '../../../edge-node/consent/anchor-proposal.ts';
import { type Anchoring, createAnchoring } from '../../../edge-node/consent/anchoring.ts';
import type { ConsentBook } from '../../../edge-node/consent/book.ts';
import { createReceiptDesk } from '../../../edge-node/consent/receipts.ts';
import { createSelectionKeeper, type LiveSelection } from '../../../edge-node/consent/selection.ts';
import type { ConsentedRecord } from '../../../edge-node/data/gate.ts';
import { createParticipations, type Participations } from '../../../edge-node/participation.ts';
import { connectFederation } from '../../../engines/chain/connect.ts';
import { createApp, listen, problemHandler, requestJson } from '../../../kit/http.ts';
import type { Hex } from '../../../protocol/bytes.ts';
import { claimContext } from '../../../protocol/consent/policy.ts';
import type { Receipt } from '../../../protocol/consent/receipt.ts';
import { type Party, REQUIREMENT, witnessed } from '../../contracts/world.ts';
import { memoryLogStore, memoryProposalStore, openBook, quotes, RELYING_PARTY } from '../../unit/consent-world.ts';
import { SILENT } from '../../unit/coordinator-world.ts';
import { memoryStore } from '../../unit/secagg-fixtures.ts';
import type { ProvingWorld } from './world.ts';

const TOKEN = 'the operator';
const SECRET = new Uint8Array(32).fill(7);

export interface ProvingDealer {
  readonly party: Party;
  readonly book: ConsentBook;
  readonly anchoring: Anchoring;
  /** Anchored, proven and selected, as before every round. */
  select(): Promise<LiveSelection>;
  /** The commitment to the records of these customers, consented or not. */
  commitRecords(customers: ReadonlyMap<string, Hex>): ReturnType<ReturnType<typeof createRecordsCommitter>>;
  readonly participations: Participations;
  readonly url: string;
  /** What the node answers to the dealer who asks for a customer. */
  receiptOf(subject: Hex): Promise<Receipt>;
  stop(): Promise<void>;
}

export async function openProvingDealer(world: ProvingWorld, party: Party): Promise<ProvingDealer> {
  const dealer = party.address;
  const { registry } = party;
  const chain = await connectFederation(world.chain.rpcUrl, world.at.federation, party.privateKey);
  const book = await openBook(memoryLogStore(), dealer);
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, memoryProposalStore(), undefined),
    registry,
    coSign: async ({ anchor }) => witnessed(world, dealer, anchor, ['witness-1', 'witness-2']),
    onRootMoved: () => undefined,
    log: SILENT,
  });
  const context = claimContext(world.chain.chainId, registry.address, dealer);
  const keeper = createSelectionKeeper({
    ...{ dealer, book, quotes, anchoring, registry, context },
    prover: world.prover,
    log: SILENT,
  });
  const participations = createParticipations(memoryStore());
  const identity = { address: dealer, privateKey: party.privateKey, secret: SECRET };
  const desk = createReceiptDesk({ book, chain, identity, relyingParty: RELYING_PARTY });
  const app = createApp();
  app.use(createReceiptRouter({ token: TOKEN, book, desk, anchoring, participations }));
  app.use(problemHandler(SILENT));
  const service = await listen(app, 0);
  const committer = createRecordsCommitter(SECRET);

  return {
    ...{ party, book, anchoring, participations, url: service.url },
    async select() {
      const nowSeconds = await world.now();
      const access = { requirement: REQUIREMENT, nowSeconds, attestedAccuracyBps: undefined, epsilonAfterMilli: 500 };
      const selection = await keeper.ensure(access);
      if (selection === undefined) throw new Error('nobody is covered');
      return selection;
    },
    commitRecords(customers) {
      // past the gate, which would open for the selected alone
      const records = [...customers.keys()].map(
        (customerId) => ({ customerId, row: {} }) as unknown as ConsentedRecord,
      );
      return committer(records, customers);
    },
    receiptOf: (subject) =>
      requestJson<Receipt>(`${service.url}/v1/subjects/${subject}/receipt`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      }),
    stop: () => service.close(),
  };
}
