// Faults in consent: operations, anchors, witnesses, claims, selections, and commits that stand on none of them.

import { decode } from 'cborg';
import { Wallet } from 'ethers';
import type { AnchorCall, ChainEvent, EventOf } from '../../../auditor/history.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import { encodeCbor } from '../../../protocol/codec.ts';
import { decodeOperation } from '../../../protocol/consent/operation.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import {
  blobOf,
  bodyOf,
  changeBodies,
  changeEvents,
  flipped,
  putBlob,
  type RawEvidence,
  theEvent,
} from './raw-evidence.ts';

type Operations = [Uint8Array, Uint8Array][];

/** Changes the operations of the first consent entry. */
function changeOperations(raw: RawEvidence, change: (operations: Operations) => Operations): void {
  const target = bodyOf(raw, 'consent');
  const operations = decode(blobOf(raw, target.operations)) as Operations;
  const changed = putBlob(raw, encodeCbor(change(operations)));
  changeBodies(raw, 'consent', (body) => (body.operations === target.operations ? { operations: changed } : {}));
}

const changeWitnesses = (
  raw: RawEvidence,
  change: (signatures: readonly Hex[], event: EventOf<'Anchored'>) => readonly Hex[],
): void =>
  changeEvents(raw, 'Anchored', (event) => {
    const call: AnchorCall = { witnessSignatures: change(event.call?.witnessSignatures ?? [], event) };
    return { call };
  });

/** Inserts an event right before the first event that matches. */
function insertBefore(
  raw: RawEvidence,
  matches: (event: ChainEvent) => boolean,
  make: (next: ChainEvent) => ChainEvent,
): void {
  const { events } = raw.history;
  const at = events.findIndex(matches);
  const next = first(events.slice(at === -1 ? events.length : at), 'such event');
  raw.history = { ...raw.history, events: [...events.slice(0, at), make(next), ...events.slice(at)] };
}

const isCommit = (event: ChainEvent): event is EventOf<'Committed'> => event.name === 'Committed';

const SOMEBODY = toHex(sha256(encodeCbor('somebody')));

const insertForced = (raw: RawEvidence, matches: (event: ChainEvent) => boolean): void =>
  insertBefore(raw, matches, (next) => {
    const { dealer } = next as EventOf<'Committed' | 'SelectionAdmitted'>;
    return { name: 'ForcedWithdrawal', at: next.at, dealer, subject: SOMEBODY, seq: 2 };
  });

/** In the operations of the first consent entry. */
const subjectsOf = (raw: RawEvidence): Hex[] =>
  (decode(blobOf(raw, bodyOf(raw, 'consent').operations)) as Operations).map(
    ([operation]) => decodeOperation(operation).subject,
  );

function lastAnchorOf(raw: RawEvidence, dealer: Hex): EventOf<'Anchored'> {
  const own = raw.history.events.filter((event) => event.name === 'Anchored' && event.dealer === dealer);
  return first(own.reverse(), 'anchor') as EventOf<'Anchored'>;
}

const stranger = Wallet.createRandom();

export const CONSENT_FAULTS: readonly PlantedFault[] = [
  fault('04', 'a commit of a dealer that was removed before', (raw) => {
    insertBefore(raw, isCommit, (next) => ({
      name: 'DealerRemoved',
      at: next.at,
      dealer: (next as EventOf<'Committed'>).dealer,
    }));
  }),
  fault('04', 'an anchor that somebody else sent', (raw) => {
    changeEvents(raw, 'Anchored', ({ at }) => ({ at: { ...at, sender: stranger.address.toLowerCase() as Hex } }));
  }),
  fault('04', 'a publication by somebody who is not the coordinator', (raw) => {
    changeEvents(raw, 'Published', ({ at }) => ({ at: { ...at, sender: stranger.address.toLowerCase() as Hex } }));
  }),
  fault('04', 'a commit while the federation was paused', (raw) => {
    insertBefore(raw, isCommit, (next) => ({ name: 'Paused', at: next.at, account: next.at.sender }));
  }),
  fault('04', 'an answer of somebody who holds no key', (raw) => {
    changeBodies(raw, 'answer', () => ({ keyHolder: stranger.address.toLowerCase() as Hex }));
  }),

  fault('05', 'an operation left out', (raw) => changeOperations(raw, (operations) => operations.slice(1))),
  fault('05', 'an operation told twice', (raw) =>
    changeOperations(raw, (operations) => [...operations, ...operations.slice(-1)]),
  ),
  fault('05', 'operations in another order', (raw) => changeOperations(raw, (operations) => operations.toReversed())),
  fault('05', 'a consent that the customer did not sign', (raw) =>
    changeOperations(raw, (operations) =>
      operations.map(([operation, assertion]) => [operation, flipped(assertion, assertion.length - 5)]),
    ),
  ),
  fault('05', 'one customer’s signature under another’s consent', (raw) =>
    changeOperations(raw, (operations) =>
      operations.map(([operation], i) => [operation, operations[(i + 1) % operations.length]?.[1] ?? operation]),
    ),
  ),
  fault('05', 'a page that the customers never signed on', (raw) =>
    changeBodies(raw, 'genesis', () => ({
      relyingParty: { rpId: 'elsewhere.example', origins: ['https://elsewhere.example'] },
    })),
  ),
  ...(['bucketsRoot', 'subjectsRoot', 'logHead', 'root'] as const).map((field) =>
    fault('05', `another ${field} anchored than the operations lead to`, (raw) => {
      changeEvents(raw, 'Anchored', () => ({ [field]: toHex(sha256(encodeCbor(field))) }));
    }),
  ),
  fault('05', 'an epoch skipped', (raw) => changeEvents(raw, 'Anchored', ({ epoch }) => ({ epoch: epoch + 1 }))),

  fault('06', 'a forged witness', (raw) => {
    const { chainId, federation } = raw.history.deployment;
    changeWitnesses(raw, (signatures, event) => [
      ...signatures.slice(1),
      signTypedStruct(stranger.privateKey as Hex, { chainId, federation }, 'Anchor', event),
    ]);
  }),
  fault('06', 'one witness counted more than once', (raw) => {
    const { deployment } = raw.history;
    const parameters = { ...deployment.parameters, witnessQuorum: 2 };
    raw.history = { ...raw.history, deployment: { ...deployment, parameters } };
    changeWitnesses(raw, ([signature]) => (signature === undefined ? [] : [signature, signature]));
  }),
  fault(
    '05',
    'a forced withdrawal acknowledged while the customer is still there',
    (raw) => {
      const { events } = raw.history;
      const anchor = theEvent(raw, 'Anchored');
      const subject = subjectsOf(raw)[0] ?? '0x';
      const { dealer, epoch } = anchor;
      const at = events.indexOf(anchor) + 1;
      const forced = { name: 'ForcedWithdrawal', at: anchor.at, dealer, subject, seq: 2 } as const;
      const acknowledged = { name: 'ForcedWithdrawalAcknowledged', at: anchor.at, dealer, subject, epoch } as const;
      raw.history = { ...raw.history, events: [...events.slice(0, at), forced, acknowledged, ...events.slice(at)] };
    },
    /forced withdrawal/,
  ),

  fault('06', 'no witness', (raw) => changeWitnesses(raw, () => [])),
  fault('06', 'witnesses who signed another state', (raw) =>
    changeEvents(raw, 'Anchored', ({ operationCount }) => ({ operationCount: operationCount + 1 })),
  ),
  fault('06', 'witnesses registered only afterwards', (raw) => {
    const { events } = raw.history;
    const isWitness = (event: ChainEvent) => event.name === 'WitnessRegistered';
    raw.history = { ...raw.history, events: [...events.filter((e) => !isWitness(e)), ...events.filter(isWitness)] };
  }),

  fault('07', 'a proof used again for another dealer', (raw) => {
    const { call, dealer } = theEvent(raw, 'PoliciesAdmitted');
    changeEvents(raw, 'PoliciesAdmitted', (event) => (event.dealer === dealer ? {} : { call }));
  }),
  fault('07', 'a proof that proves nothing', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', ({ call }) => ({ call: call && { ...call, c: call.a } }));
  }),
  fault('07', 'a public signal changed under a proof', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', ({ call }) => {
      const publicSignals = call?.publicSignals.map((signal, i) => (i === 4 ? signal + 1n : signal));
      return { call: call && { ...call, publicSignals: publicSignals ?? [] } };
    });
  }),
  fault('07', 'a claim that the chain recorded more loosely than it was proven', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', ({ validUntil }) => ({ validUntil: validUntil + 1 }));
  }),
  fault('07', 'a claim on a policy that is not in the proof', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', ({ digests }) => ({ digests: [...digests, 5n] }));
  }),

  fault('08', 'a selection of policies that nobody proved', (raw) => {
    const { events } = raw.history;
    raw.history = { ...raw.history, events: events.filter(({ name }) => name !== 'PoliciesAdmitted') };
  }),
  fault('08', 'a bucket with more members than it has', (raw) => {
    changeEvents(raw, 'SelectionAdmitted', ({ call, memberCount }) => {
      const buckets = call?.buckets.map((bucket, i) =>
        i === 0 ? { ...bucket, memberCount: bucket.memberCount + 1 } : bucket,
      );
      return { memberCount: memberCount + 1, call: call && { ...call, buckets: buckets ?? [] } };
    });
  }),
  fault('08', 'a bucket counted twice', (raw) => {
    changeEvents(raw, 'SelectionAdmitted', ({ call, bucketCount }) => ({
      bucketCount: bucketCount + 1,
      call: call && { ...call, buckets: [...call.buckets, ...call.buckets.slice(0, 1)] },
    }));
  }),
  fault('08', 'a selection recorded with a lower floor than its claims', (raw) => {
    changeEvents(raw, 'SelectionAdmitted', ({ accuracyFloorBps }) => ({ accuracyFloorBps: accuracyFloorBps + 1 }));
  }),
  fault('08', 'a selection under a root that is no longer current', (raw) => {
    insertBefore(
      raw,
      ({ name }) => name === 'SelectionAdmitted',
      (next) => {
        const anchor = lastAnchorOf(raw, (next as EventOf<'SelectionAdmitted'>).dealer);
        return { ...anchor, at: next.at, epoch: anchor.epoch + 1, root: toHex(sha256(encodeCbor('next'))) };
      },
    );
  }),

  fault('09', 'a commit under a root that a withdrawal had just replaced', (raw) => {
    insertBefore(raw, isCommit, (next) => {
      const anchor = lastAnchorOf(raw, (next as EventOf<'Committed'>).dealer);
      return { ...anchor, at: next.at, epoch: anchor.epoch + 1, root: toHex(sha256(encodeCbor('withdrawn'))) };
    });
  }),
  fault(
    '08',
    'a selection while a customer had been taken out by force',
    (raw) => insertForced(raw, ({ name }) => name === 'SelectionAdmitted'),
    /forced withdrawal/,
  ),
  fault(
    '09',
    'a commit while a customer had been taken out by force',
    (raw) => insertForced(raw, isCommit),
    /forced withdrawal/,
  ),
  fault('09', 'a commit to another root than the current one', (raw) => {
    changeEvents(raw, 'Committed', () => ({ anchoredRoot: toHex(sha256(encodeCbor('stale'))) }));
  }),
  fault('09', 'a commit without a selection', (raw) => {
    const { events } = raw.history;
    raw.history = { ...raw.history, events: events.filter(({ name }) => name !== 'SelectionAdmitted') };
  }),
  fault('09', 'a commit after the consent had expired', (raw) => {
    const { validUntil } = theEvent(raw, 'SelectionAdmitted');
    changeEvents(raw, 'Committed', ({ at }) => ({ at: { ...at, timestamp: validUntil } }));
    changeEvents(raw, 'RoundOpened', () => ({ deadline: validUntil + 10 }));
  }),
  fault('09', 'a commit after the deadline', (raw) =>
    changeEvents(raw, 'RoundOpened', ({ at }) => ({ deadline: at.timestamp })),
  ),
  fault('09', 'a commit while the model was under a customer’s floor', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', () => ({ accuracyFloorBps: 10_001 }));
  }),
  fault('09', 'a commit with no measurement at all, against a floor', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', () => ({ accuracyFloorBps: 1 }));
    const { events } = raw.history;
    raw.history = { ...raw.history, events: events.filter(({ name }) => name !== 'Published') };
  }),
  fault('09', 'a commit past a customer’s privacy cap', (raw) => {
    changeEvents(raw, 'PoliciesAdmitted', () => ({ privacyCapMilli: 1 }));
  }),
  fault('09', 'a commit that weighs more than the customers behind it', (raw) => {
    changeEvents(raw, 'Committed', ({ weight }) => ({ weight: weight + 1_000_000 }));
  }),
  fault('09', 'a commit that weighs nothing', (raw) => changeEvents(raw, 'Committed', () => ({ weight: 0 }))),
  fault('09', 'an attempt that does not rise', (raw) => changeEvents(raw, 'Committed', () => ({ attempt: 0 }))),
  fault('09', 'a commit after the set was fixed', (raw) => {
    const { events } = raw.history;
    const commit = first(events.filter(isCommit), 'commit');
    raw.history = { ...raw.history, events: [...events, { ...commit, attempt: commit.attempt + 1 }] };
  }),
];
