// Audit of one customer's receipt: every check always, each named, from the file and a chain endpoint alone.

import type { Hex } from '../protocol/bytes.ts';
import { anchoredRoot } from '../protocol/consent/anchor.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { verifyAbsence, verifyPresence } from '../protocol/consent/linked-tree.ts';
import type { DecodedEntry } from '../protocol/consent/log.ts';
import {
  entryOf,
  indexFault,
  pathFault,
  promisedRoot,
  type Receipt,
  rootFault,
  signatureFault,
} from '../protocol/consent/receipt.ts';
import { recoverSigner } from './chain/signer.ts';
import { verifyPasskey } from './passkey.ts';
import type { AnchoredAt, ReceiptChain } from './receipt-chain.ts';
import type { ReceiptDeployment } from './receipt-line.ts';

export interface ReceiptCheck {
  readonly id:
    | 'chain'
    | 'place'
    | 'passkey'
    | 'dealer'
    | 'anchor'
    | 'log'
    | 'path'
    | 'witnesses'
    | 'rounds'
    | `round ${number}`;
  readonly holds: boolean;
  /** What was found, in words. */
  readonly finding: string;
}

export interface ReceiptReport {
  readonly formatVersion: 'concordat/1/receipt-audit';
  readonly federation: Hex;
  /** The one of its line that is in force; undefined while none is. */
  readonly inForce: Hex | undefined;
  readonly chainId: number;
  readonly dealer: Hex;
  readonly subject: Hex;
  readonly seq: number;
  readonly logIndex: number;
  readonly withdrawal: boolean;
  readonly checks: readonly ReceiptCheck[];
  readonly checksFailed: number;
}

type Anchored = NonNullable<Receipt['anchored']>;

/** @throws ConcordatError MESSAGE_* when the operation or the assertion does not decode */
export function auditReceipt(receipt: Receipt, chain: ReceiptChain, relyingParty?: RelyingParty): ReceiptReport {
  const entry = entryOf(receipt);
  const { dealer, subject, seq, newDigest } = entry.operation;
  const checks = [
    check('chain', chain.doubt, chain.shown),
    checkPlace(receipt, chain),
    checkPasskey(entry, relyingParty ?? receipt.relyingParty),
    checkDealer(receipt, dealer, chain),
    ...checkAnchored(receipt, entry, chain),
    ...checkRounds(receipt, entry, chain),
  ];
  return {
    formatVersion: 'concordat/1/receipt-audit',
    federation: chain.federation,
    inForce: chain.notNamedBy === undefined ? chain.line.at(-1)?.federation : undefined,
    chainId: chain.chainId,
    dealer,
    subject,
    seq,
    logIndex: receipt.logIndex,
    withdrawal: newDigest === 0n,
    checks,
    checksFailed: checks.filter(({ holds }) => !holds).length,
  };
}

const check = (id: ReceiptCheck['id'], fault: string | undefined, found: string): ReceiptCheck => ({
  id,
  holds: fault === undefined,
  finding: fault ?? found,
});

function checkPlace({ place }: Receipt, { chainId, line, notNamedBy }: ReceiptChain): ReceiptCheck {
  if (place === undefined) return check('place', 'the receipt does not say where it stands', '');
  const said = `federation ${place.federation}, registry ${place.registry} on chain ${place.chainId}`;
  const found = line.find(({ federation, registry }) => place.federation === federation && place.registry === registry);
  if (found === undefined || place.chainId !== chainId) return check('place', `the receipt speaks of ${said}`, '');
  const waits = `${said}, which is not in force: ${notNamedBy} has not named it as its successor`;
  return check('place', notNamedBy && waits, `${said}${carriedOn(found, line)}`);
}

/** Nothing to say of the deployment in force. */
function carriedOn({ endedAtSeconds }: ReceiptDeployment, line: readonly ReceiptDeployment[]): string {
  if (endedAtSeconds === undefined) return '';
  return `, which ended at ${timeOf(endedAtSeconds)}: in force is ${line.at(-1)?.federation}`;
}

/** The receipt's own; for one that says nothing, or says another federation, the one that was asked for. */
function deploymentOf({ place }: Receipt, { line, federation }: ReceiptChain): ReceiptDeployment | undefined {
  const at = (address: Hex | undefined) => line.find((deployment) => deployment.federation === address);
  return at(place?.federation) ?? at(federation);
}

const SIGNATURE_FAULTS: Readonly<Record<string, string>> = {
  assertion: 'the passkey did not sign this operation',
  subject: 'the subject is not that of the key that signed',
};

function checkPasskey(entry: DecodedEntry, relyingParty: RelyingParty | undefined): ReceiptCheck {
  if (relyingParty === undefined)
    return check('passkey', 'no relying party in the receipt: give --rp-id, --origin', '');
  const fault = signatureFault(entry, relyingParty, verifyPasskey);
  return check('passkey', fault && SIGNATURE_FAULTS[fault], `signed on pages of ${relyingParty.rpId}`);
}

function checkDealer(receipt: Receipt, dealer: Hex, chain: ReceiptChain): ReceiptCheck {
  const { chainId } = chain;
  const { federation = chain.federation, dealers } = deploymentOf(receipt, chain) ?? {};
  const root = promisedRoot(receipt);
  if (receipt.promise === undefined || root === undefined) return check('dealer', 'the dealer has not signed it', '');
  let signer: Hex | undefined;
  try {
    signer = recoverSigner({ chainId, federation }, 'Receipts', { dealer, root }, receipt.promise.signature);
  } catch {
    // no signature at all: signed by nobody
  }
  if (signer !== dealer) return check('dealer', `signed by ${signer ?? 'nobody'}, not by ${dealer}`, '');
  return check('dealer', dealers?.has(dealer) ? undefined : `${dealer} was never a dealer`, `signed by ${dealer}`);
}

function checkAnchored(receipt: Receipt, entry: DecodedEntry, chain: ReceiptChain): ReceiptCheck[] {
  const { anchored } = receipt;
  if (anchored === undefined) return [check('anchor', 'not anchored yet: no more than the dealer’s word', '')];
  const { operationCount } = anchored.anchor;
  const log = anchored.log === undefined ? 'the receipt does not carry the log up to its anchor' : undefined;
  const place = indexFault(receipt) && `the log does not lead from entry ${receipt.logIndex} to the anchor`;
  return [
    checkAnchor(anchored, entry, chain),
    checkWitnesses(
      anchored,
      chain,
      chain.anchors.get(anchored.anchor.epoch)?.deployment ?? deploymentOf(receipt, chain),
    ),
    check('log', log ?? place, `entry ${receipt.logIndex} of ${operationCount}`),
    checkPath(anchored, entry),
  ];
}

function checkAnchor(anchored: Anchored, entry: DecodedEntry, chain: ReceiptChain): ReceiptCheck {
  const { epoch } = anchored.anchor;
  const found = chain.anchors.get(epoch);
  if (found === undefined) return check('anchor', `epoch ${epoch} of this dealer is not on chain`, '');
  if (rootFault(entry, anchored, found.root) !== undefined) {
    return check(
      'anchor',
      `epoch ${epoch} has the root ${found.root} on chain, not ${anchoredRoot(anchored.anchor)}`,
      '',
    );
  }
  const standing = standingOf(found, epoch, chain);
  return check('anchor', undefined, `epoch ${epoch}, anchored at ${timeOf(found.atSeconds)}, ${standing}`);
}

function standingOf({ deployment }: AnchoredAt, epoch: number, { anchors, line }: ReceiptChain): string {
  const next = anchors.get(epoch + 1);
  if (next !== undefined) {
    const { federation } = next.deployment;
    const where = federation === deployment.federation ? '' : `, under ${federation}, which carries it on`;
    return `superseded by epoch ${epoch + 1} at ${timeOf(next.atSeconds)}${where}`;
  }
  if (deployment.endedAtSeconds === undefined) return 'current';
  return `the dealer’s last under ${deployment.federation}${carriedOn(deployment, line)}, and nothing is used before it has anchored there`;
}

function checkWitnesses(
  { anchor, witnessSignatures = [] }: Anchored,
  { chainId, federation: asked }: ReceiptChain,
  deployment: ReceiptDeployment | undefined,
): ReceiptCheck {
  const { federation = asked, witnesses, witnessQuorum = 1 } = deployment ?? {};
  const signers = new Set<Hex>();
  for (const signature of witnessSignatures) {
    let signer: Hex;
    try {
      signer = recoverSigner({ chainId, federation }, 'Anchor', anchor, signature);
    } catch {
      return check('witnesses', 'a witness’s signature is none', '');
    }
    if (signer === anchor.dealer || !witnesses?.has(signer)) {
      return check('witnesses', `co-signed by ${signer}, who was never a witness of this dealer’s anchors`, '');
    }
    signers.add(signer);
  }
  const few = signers.size < witnessQuorum ? `${signers.size} witnesses, the quorum is ${witnessQuorum}` : undefined;
  return check('witnesses', few, `co-signed by ${[...signers].join(', ')}`);
}

function checkPath(anchored: Anchored, entry: DecodedEntry): ReceiptCheck {
  const fault = pathFault(entry, anchored);
  const gone = entry.operation.newDigest === 0n;
  const where = fault === 'membership' ? 'the bucket' : 'the subject';
  const found = gone ? 'the subject is in no bucket' : 'the subject is a member of the bucket of its policy';
  return check('path', fault && `no path from ${where} to the anchored roots`, found);
}

type Round = NonNullable<Receipt['rounds']>[number];

function checkRounds({ rounds, anchored }: Receipt, entry: DecodedEntry, chain: ReceiptChain): ReceiptCheck[] {
  if (rounds === undefined) return [];
  const withdrawnIn = entry.operation.newDigest === 0n ? anchored?.anchor.epoch : undefined;
  return [
    checkNoneLeftOut(rounds, chain),
    ...rounds
      .map((round) => checkRound(round, entry, chain))
      .map((one, i) => notAfter(withdrawnIn, rounds[i], one, chain)),
  ];
}

/** A receipt is as old as its last round; one in between that it does not speak of was kept from the customer. */
function checkNoneLeftOut(rounds: readonly Round[], { recordsRoots }: ReceiptChain): ReceiptCheck {
  const told = new Set(rounds.map(({ round }) => round));
  const last = Math.max(0, ...told);
  const silent = [...recordsRoots.keys()].filter((round) => !told.has(round)).sort((a, b) => a - b);
  const between = silent.filter((round) => round < last);
  const fault = between.length > 0 ? `it says nothing of rounds ${between.join(', ')}` : undefined;
  const since =
    silent.length === 0 ? 'speaks of every round' : `speaks of every round up to ${last}; ask again for later ones`;
  return check('rounds', fault, since);
}

/** What a dealer cannot do honestly: commit under a root from which the customer is gone, with the record in. */
function notAfter(
  withdrawnIn: number | undefined,
  round: Round | undefined,
  checked: ReceiptCheck,
  { commitEpochs }: ReceiptChain,
): ReceiptCheck {
  const epoch = commitEpochs.get(round?.round ?? 0) ?? 0;
  if (!checked.holds || round?.used !== true || withdrawnIn === undefined || epoch < withdrawnIn) return checked;
  const said = `used under epoch ${epoch}, after this withdrawal was anchored in epoch ${withdrawnIn}`;
  return check(checked.id, `${said}, unless consent was given anew since`, '');
}

function checkRound(round: Round, entry: DecodedEntry, chain: ReceiptChain): ReceiptCheck {
  const id = `round ${round.round}` as const;
  const committed = chain.recordsRoots.get(round.round);
  if (committed === undefined) return check(id, 'the dealer committed to nothing in this round', '');
  if (committed !== round.recordsRoot) return check(id, `the dealer committed to ${committed}, not this root`, '');
  const verify = round.used ? verifyPresence : verifyAbsence;
  const word = round.used ? 'used' : 'not used';
  const proven = verify(committed, entry.operation.subject, round.proof);
  return check(id, proven ? undefined : `the proof does not show that the record was ${word}`, word);
}

const timeOf = (seconds: number): string => new Date(seconds * 1_000).toISOString();
