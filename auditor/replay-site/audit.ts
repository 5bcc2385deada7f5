// Audit on site of one dealer's part in one round: every check always, each named, and a list of exactly what was opened.
import { createHash } from 'node:crypto';
import { concatBytes, fromHex, type Hex, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { LinkedTree } from '../../protocol/consent/linked-tree.ts';
import { requirementKey } from '../../protocol/consent/policy.ts';
import { canonicalJson } from '../../protocol/learning/canonical-json.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import { requirementOfTask } from '../../protocol/learning/task.ts';
import type { Row } from '../../protocol/learning/validate-row.ts';
import { uniqueCheck, validateRow } from '../../protocol/learning/validate-row.ts';
import {
  drawSample,
  manifestHash,
  type OpenedRecord,
  type PackageFile,
} from '../../protocol/messages/replay-package.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';
import type { SealContext } from '../../protocol/secagg/attempt.ts';
import type { Ring } from '../../protocol/secagg/ring.ts';
import { recoverSigner } from '../chain/signer.ts';
import { type ConsentThen, consentThen } from './consent.ts';
import type { ReplayChain } from './on-chain.ts';
import { blobHash, type ReplayPackage } from './package.ts';
import { type Rerun, rerun } from './rerun.ts';

export interface SiteCheck {
  readonly id:
    | 'chain'
    | 'opening'
    | 'commit'
    | 'task'
    | 'model'
    | 'records'
    | 'sample'
    | 'consent'
    | 'training'
    | 'noise'
    | 'payload';
  readonly holds: boolean;
  /** In words; never a value of a record. */
  readonly finding: string;
}

export interface ShownRecord extends ConsentThen {
  readonly recordHash: Hex;
  /** Only when asked for. */
  readonly row?: Row;
}

export interface SiteReport {
  readonly formatVersion: 'concordat/1/replay-audit';
  readonly federation: Hex;
  readonly chainId: number;
  readonly dealer: Hex;
  readonly round: number;
  readonly attempt: number;
  readonly checks: readonly SiteCheck[];
  readonly checksFailed: number;
  /** Everything that this audit was shown. */
  readonly opened: {
    /** The dealer's own words, under its signature. */
    readonly for: string;
    readonly atSeconds: number;
    readonly files: readonly PackageFile[];
    /** In the clear, to this process. */
    readonly records: number;
    /** Of these, of customers whose consent has ended since the round. */
    readonly ofEndedConsent: number;
    readonly beacon: { readonly blockNumber: number; readonly blockHash: Hex } | undefined;
    readonly sample: readonly ShownRecord[];
  };
}

export interface SiteAudit {
  readonly chain: ReplayChain;
  /** SEAL: no aggregate, and no replay, rests on the fast kernel alone. */
  readonly ring: Ring;
  readonly sample: number;
  readonly showRecords: boolean;
  readonly relyingParty?: RelyingParty;
}

const check = (id: SiteCheck['id'], fault: string | undefined, found: string): SiteCheck => ({
  id,
  holds: fault === undefined,
  finding: fault ?? found,
});

export async function auditReplay(opened: ReplayPackage, audit: SiteAudit): Promise<SiteReport> {
  const { chain } = audit;
  const { manifest } = opened;
  const hashes = opened.records.map(recordHash);
  const sample = chain.beacon === undefined ? [] : shownRecords(opened, hashes, chain.beacon.blockHash, audit);
  const given = [
    check('chain', chain.receipts.doubt, chain.receipts.shown),
    checkOpening(opened, chain),
    checkCommit(opened, chain),
    checkTask(opened, chain),
    checkModel(opened, chain),
    checkRecords(opened, hashes, chain),
    checkSample(sample, audit),
    checkConsent(sample),
  ];
  const checks = [...given, ...(await checkRerun(opened, audit))];
  return {
    formatVersion: 'concordat/1/replay-audit',
    federation: chain.federation,
    chainId: chain.chainId,
    dealer: manifest.dealer,
    round: manifest.round,
    attempt: manifest.attempt,
    checks,
    checksFailed: checks.filter(({ holds }) => !holds).length,
    opened: {
      for: manifest.openedFor,
      atSeconds: manifest.openedAtSeconds,
      files: Object.keys(manifest.files).sort() as PackageFile[],
      records: opened.records.length,
      ofEndedConsent: manifest.endedSince.length,
      beacon: chain.beacon,
      sample,
    },
  };
}

/** sha256("concordat/1/record" ‖ salt ‖ canonical JSON of the row) */
function recordHash({ salt, row }: OpenedRecord): Hex {
  const bytes = concatBytes(utf8ToBytes(`${PROTOCOL_VERSION}/record`), fromHex(salt), utf8ToBytes(canonicalJson(row)));
  return toHex(createHash('sha256').update(bytes).digest());
}

function checkOpening({ manifest, alteredFiles }: ReplayPackage, { chainId, federation }: ReplayChain): SiteCheck {
  const { signature, ...unsigned } = manifest;
  const { dealer, round, attempt } = manifest;
  if (manifest.chainId !== chainId || manifest.federation !== federation) {
    return check('opening', `the package is of federation ${manifest.federation} on chain ${manifest.chainId}`, '');
  }
  const statement = { dealer, round, attempt, packageHash: manifestHash(unsigned) };
  let signer: Hex | undefined;
  try {
    signer = recoverSigner({ chainId, federation }, 'Opening', statement, signature);
  } catch {
    // no signature at all: signed by nobody
  }
  const stranger = signer === dealer ? undefined : `signed by ${signer ?? 'nobody'}, not by ${dealer}`;
  const altered = alteredFiles.length === 0 ? undefined : `not what the dealer signed: ${alteredFiles.join(', ')}`;
  return check('opening', stranger ?? altered, `opened and signed by ${dealer}`);
}

function checkCommit({ manifest, records }: ReplayPackage, { commit }: ReplayChain): SiteCheck {
  const { attempt, weight, transaction } = commit;
  const other =
    attempt === manifest.attempt ? undefined : `attempt ${attempt} stands on chain, not ${manifest.attempt}`;
  const fewer =
    weight === records.length ? undefined : `the commit weighs ${weight}, ${records.length} records were opened`;
  return check('commit', other ?? fewer, `transaction ${transaction}, ${weight} records`);
}

function checkTask({ task, contract }: ReplayPackage, { round }: ReplayChain): SiteCheck {
  const other = task.hash === round.taskHash ? undefined : `${task.hash}, the round is of ${round.taskHash}`;
  // the selection is looked up by what the round asked for: were that less than the task needs, consent would mean nothing
  const needs = requirementKey(requirementOfTask(task, contract));
  const less =
    needs === round.requirementKey
      ? undefined
      : `it needs ${needs} of customers, the round asked ${round.requirementKey}`;
  return check('task', other ?? less, task.hash);
}

function checkModel({ baseModel, serverState, task, contract }: ReplayPackage, { round }: ReplayChain): SiteCheck {
  const hash = blobHash(baseModel);
  if (hash !== round.baseModelHash) {
    return check('model', `${hash}, the round starts from ${round.baseModelHash}`, '');
  }
  let state: Hex | undefined;
  try {
    ({ state } = decodeModel(baseModel, layoutOf(task, featureCount(contract))));
  } catch (cause) {
    return check('model', `not a model of the task that was opened: ${(cause as Error).message}`, '');
  }
  const stated = serverState && blobHash(serverState);
  return check('model', stated === state ? undefined : `the state ${stated}, the model names ${state}`, hash);
}

function checkRecords(
  { records, contract }: ReplayPackage,
  hashes: readonly Hex[],
  { commit }: ReplayChain,
): SiteCheck {
  const root = rootOver(records, hashes);
  if (root !== commit.recordsRoot) {
    return check('records', `they come to the root ${root ?? 'none'}, committed was ${commit.recordsRoot}`, '');
  }
  const unique = uniqueCheck(contract);
  const { split } = contract;
  for (const [i, { row, subject }] of records.entries()) {
    try {
      unique(validateRow(contract, row, i + 1), i + 1);
    } catch {
      return check('records', `the record of ${subject} breaks the data contract`, '');
    }
    if (split !== undefined && row[split.name] === 'test') return check('records', `${subject} is of the hold-out`, '');
  }
  return check('records', undefined, `all ${records.length} under the committed root ${root}`);
}

function rootOver(records: readonly OpenedRecord[], hashes: readonly Hex[]): Hex | undefined {
  try {
    return LinkedTree.of(records.map(({ subject }, i): [Hex, Hex] => [subject, hashes[i] ?? '0x'])).root;
  } catch {
    return undefined; // one subject twice
  }
}

function shownRecords(opened: ReplayPackage, hashes: readonly Hex[], beacon: Hex, audit: SiteAudit): ShownRecord[] {
  const { records } = opened;
  const { chain, sample, showRecords } = audit;
  const subjects = records.map(({ subject }) => subject);
  const places = new Map(subjects.map((subject, i) => [subject, i]));
  return drawSample(subjects, beacon, chain.commit.recordsRoot, sample).map((subject) => {
    const i = places.get(subject) ?? -1;
    const row = records[i]?.row;
    return {
      ...consentThen(subject, opened.receipts, chain, audit.relyingParty),
      recordHash: hashes[i] ?? '0x',
      ...(showRecords && row !== undefined && { row }),
    };
  });
}

function checkSample(sample: readonly ShownRecord[], { chain }: SiteAudit): SiteCheck {
  const { beacon } = chain;
  if (beacon === undefined) return check('sample', 'the round is not over, or no block came after its end', '');
  const missing = sample.filter(({ receipt }) => !receipt).map(({ subject }) => subject);
  const fault =
    missing.length === 0 ? undefined : `no receipt of ${missing.length} that block ${beacon.blockNumber} draws`;
  const drawn = `${sample.length} drawn by block ${beacon.blockNumber}, the first after the end of the round`;
  return check('sample', sample.length === 0 ? 'nothing was drawn' : fault, drawn);
}

function checkConsent(sample: readonly ShownRecord[]): SiteCheck {
  const bad = sample.filter(({ covered }) => !covered);
  const fault = bad.length === 0 ? undefined : `${bad.length} of ${sample.length} not covered: ${bad[0]?.finding}`;
  return check(
    'consent',
    sample.length === 0 ? 'nobody was shown' : fault,
    `all ${sample.length} covered when the dealer committed`,
  );
}

/** The traces are the dealer's own word and only say where a payload departs; the payload's hash is the chain's. */
async function checkRerun(opened: ReplayPackage, { chain, ring }: SiteAudit): Promise<SiteCheck[]> {
  const { round, attempt, dealer } = opened.manifest;
  const { chainId, ledger, commit } = chain;
  const context: SealContext = { chainId, ledger, round, attempt, dealer, seed: chain.round.seed };
  let again: Rerun;
  try {
    again = await rerun(opened, context, ring);
  } catch (cause) {
    return [check('payload', `could not be re-run: ${(cause as Error).message}`, '')];
  }
  const { stages } = opened.attempt;
  const { traces, payloadHash, payloadBytes } = again;
  const same = 'as the dealer traced it';
  return [
    check('training', traces.training === stages.training ? undefined : 'another update than the dealer traced', same),
    check('noise', traces.noise === stages.noise ? undefined : 'other values than the dealer traced', same),
    check(
      'payload',
      payloadHash === commit.payloadHash ? undefined : `sealed again: ${payloadHash}; committed: ${commit.payloadHash}`,
      `${payloadBytes} bytes, byte for byte: ${payloadHash}`,
    ),
  ];
}
