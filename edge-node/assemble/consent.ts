// The consent side of an edge node, put together: the book, its witnesses and anchors, and the selections that are proven from it.
import { join } from 'node:path';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import { verifyPasskeySignature } from '../../engines/keys/passkey.ts';
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';
import { createProver } from '../../engines/proof/prove.ts';
import type { Store } from '../../engines/store/store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { claimContext } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { createAnchorProposer } from '../consent/anchor-proposal.ts';
import { createAnchoring } from '../consent/anchoring.ts';
import { openConsentBook } from '../consent/book.ts';
import { createForcedWithdrawals } from '../consent/forced.ts';
import { createInvitations } from '../consent/invitations.ts';
import { createQuotes } from '../consent/quotes.ts';
import { createSelectionKeeper } from '../consent/selection.ts';
import { createConsentLogStore, createProposalStore } from '../consent/stores.ts';
import { createDrill } from '../drill.ts';
import { createWitnesses } from '../witnesses.ts';

export interface ConsentSideParts {
  readonly directory: string;
  readonly cacheDir: string;
  /** Of a ceremony; the embedded single-operator setup without it. */
  readonly artifactsDir?: string;
  readonly witnessUrls: readonly string[];
  readonly relyingParty: RelyingParty;
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly openStore: () => Promise<Store>;
  readonly clock: Clock;
  readonly log: Log;
}

export type ConsentSide = Awaited<ReturnType<typeof openConsentSide>>;

/** @throws ConcordatError CHAIN_WRONG when the federation verifies with another key */
export async function openConsentSide(parts: ConsentSideParts) {
  const { identity, chain, clock, log, relyingParty, cacheDir, artifactsDir } = parts;
  const artifacts = await preparePolicyCircuit({ cacheDir, ...(artifactsDir !== undefined && { artifactsDir }) });
  await requireSameKey(artifacts.verificationKeyHash, chain);
  const store = await parts.openStore();

  const quotes = createQuotes(identity.secret);
  const invitations = createInvitations(identity.secret);
  const book = await openConsentBook({
    dealer: identity.address,
    store: createConsentLogStore(store),
    relyingParty,
    quotes,
    invitations,
    verifySignature: verifyPasskeySignature,
  });
  const lastAnchor = await chain.registry.currentAnchor(identity.address);
  const carriedOver = await chain.registry.hasAnchored(identity.address);
  const drill = createDrill();
  const witnesses = createWitnesses({ urls: parts.witnessUrls, chain, identity, entries: book.entries, clock, log });
  const anchoring = createAnchoring({
    proposer: createAnchorProposer(
      book,
      createProposalStore(store),
      lastAnchor && { dealer: identity.address, ...pickAnchor(lastAnchor) },
      carriedOver,
    ),
    registry: chain.registry,
    coSign: witnesses.coSign,
    forced: createForcedWithdrawals({ book, chain, log }),
    onRootMoved: drill.rootMoved,
    log,
  });
  const prover = createProver({ artifacts, cacheDir: join(parts.directory, 'proofs') });
  const selections = createSelectionKeeper({
    dealer: identity.address,
    book,
    quotes,
    anchoring,
    registry: chain.registry,
    prover,
    context: claimContext(chain.client.chainId, chain.registry.address, identity.address),
    log,
  });
  return { store, quotes, invitations, book, drill, witnesses, anchoring, prover, selections };
}

async function requireSameKey(ours: Hex, chain: ChainConnection): Promise<void> {
  const { verificationKeyHash } = await chain.federation.parameters();
  if (verificationKeyHash !== ours) {
    throw new ConcordatError(
      'CHAIN_WRONG',
      'the federation verifies proofs with another key than this node proves with',
      {
        onChain: verificationKeyHash,
        ours,
      },
    );
  }
}

function pickAnchor({
  epoch,
  bucketsRoot,
  subjectsRoot,
  logHead,
  operationCount,
}: {
  readonly epoch: number;
  readonly bucketsRoot: Hex;
  readonly subjectsRoot: Hex;
  readonly logHead: Hex;
  readonly operationCount: number;
}) {
  return { epoch, bucketsRoot, subjectsRoot, logHead, operationCount };
}
