// One dealer's consent, assembled of the edge node's own parts, with its simulated customers beside it.
import { join } from 'node:path';
import { createAnchorProposer } from '../../edge-node/consent/anchor-proposal.ts';
import { type Anchoring, createAnchoring } from '../../edge-node/consent/anchoring.ts';
import { type ConsentBook, openConsentBook } from '../../edge-node/consent/book.ts';
import { createInvitations } from '../../edge-node/consent/invitations.ts';
import { createQuotes } from '../../edge-node/consent/quotes.ts';
import { createSelectionKeeper, type SelectionKeeper } from '../../edge-node/consent/selection.ts';
import { createConsentLogStore, createProposalStore } from '../../edge-node/consent/stores.ts';
import type { ConsentRegistry } from '../../engines/chain/consent-registry.ts';
import type { Receipt } from '../../engines/chain/receipts.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { openStore } from '../../engines/store/store.ts';
import { type SimulatedCustomers, simulateCustomers } from '../../examples/simulation/customers.ts';
import type { Population } from '../../examples/simulation/population.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import { claimContext } from '../../protocol/consent/policy.ts';
import { type Party, RELYING_PARTY, SILENT, type World } from './world.ts';

/** Gas of each transaction a registry sent, by method. */
export interface GasLog {
  readonly anchor: number[];
  readonly admitPolicies: number[];
  readonly admitSelection: number[];
}

export interface BenchDealer {
  readonly party: Party;
  readonly book: ConsentBook;
  readonly anchoring: Anchoring;
  readonly selections: SelectionKeeper;
  readonly gas: GasLog;
  /** Devices that sign; the dealer never sees their keys. */
  customersOf(population: Population, nowSeconds: number): SimulatedCustomers;
  close(): Promise<void>;
}

function logged(registry: ConsentRegistry, gas: GasLog): ConsentRegistry {
  const keep = async (method: keyof GasLog, sending: Promise<Receipt>): Promise<Receipt> => {
    const receipt = await sending;
    gas[method].push(receipt.gasUsed);
    return receipt;
  };
  return {
    ...registry,
    anchor: (state, signatures) => keep('anchor', registry.anchor(state, signatures)),
    admitPolicies: (proof) => keep('admitPolicies', registry.admitPolicies(proof)),
    admitSelection: (request) => keep('admitSelection', registry.admitSelection(request)),
  };
}

export async function openDealer(world: World, name: string): Promise<BenchDealer> {
  const party = await world.party(name);
  const { identity, directory, chain } = party;
  await world.federation.registerDealer(identity.address);
  const gas: GasLog = { anchor: [], admitPolicies: [], admitSelection: [] };
  const registry = logged(chain.registry, gas);
  const store = await openStore(join(directory, 'store'));
  const quotes = createQuotes(identity.secret);
  const invitations = createInvitations(identity.secret);
  const book = await openConsentBook({
    dealer: identity.address,
    store: createConsentLogStore(store),
    relyingParty: RELYING_PARTY,
    quotes,
    invitations,
    verifySignature: verifyPasskeySignature,
  });
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(book, createProposalStore(store), undefined),
    registry,
    coSign: async (proposal) => {
      const dealerSignature = signTypedStruct(identity.privateKey, chain.domain, 'Anchor', proposal.anchor);
      return [(await world.witness.coSign(identity.address, { ...proposal, dealerSignature })).signature];
    },
    onRootMoved: () => undefined,
    log: SILENT,
  });
  const selections = createSelectionKeeper({
    dealer: identity.address,
    book,
    quotes,
    anchoring,
    registry,
    prover: world.prover,
    context: claimContext(chain.client.chainId, chain.registry.address, identity.address),
    log: SILENT,
  });
  return {
    party,
    book,
    anchoring,
    selections,
    gas,
    customersOf: (population, nowSeconds) =>
      simulateCustomers({
        population,
        terms: {
          controller: { address: identity.address, name, contact: 'https://localhost/contact' },
          notice: { id: 'bench', version: '1', sha256: toHex(sha256(utf8ToBytes('bench'))), language: 'en' },
          storage: { location: 'edge-node', retentionDays: 365 },
          jurisdiction: 'NL',
          withdrawal: { url: 'https://localhost/consent' },
        },
        rpId: RELYING_PARTY.rpId,
        origin: RELYING_PARTY.origins[0] ?? '',
        keySeed: sha256(identity.secret),
        nowSeconds,
        quote: quotes.quote,
        invitationOf: invitations.codeFor,
      }),
    close: () => store.close(),
  };
}
