// Opening one round to an auditor: what that round was made of, and nothing of any other. Signed by the dealer.
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { roundBeacon } from '../../engines/chain/dealer-commit.ts';
import { signTypedStruct } from '../../engines/chain/typed-data.ts';
import { writeFileAtomic } from '../../kit/files.ts';
import { sha256, toHex, utf8ToBytes } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import {
  drawSample,
  type Manifest,
  manifestHash,
  type OpenedAttempt,
  type OpenedRecord,
  type PackageFile,
  type SignedManifest,
} from '../../protocol/messages/replay-package.ts';
import { PROTOCOL_VERSION } from '../../protocol/params.ts';
import { recordSalt } from '../commitment.ts';
import type { OpenedDealer } from './dealer.ts';
import { receiptsThen } from './receipts.ts';
import { type RecalledRound, type ReplayOptions, type ReplayParts, recallRound } from './replay.ts';

export interface ExportOptions extends ReplayOptions {
  /** New or empty. */
  readonly folder: string;
  /** To whom and why, in the dealer's own words: goes under its signature. */
  readonly openedFor: string;
  readonly sample: number;
  readonly relyingParty: RelyingParty;
  readonly nowSeconds: number;
}

export interface Exported {
  readonly folder: string;
  readonly round: number;
  readonly records: number;
  readonly receipts: number;
}

type Contents = ReadonlyMap<PackageFile, Uint8Array | string>;

/**
 * Does not ask whether the records still are those of the round: what differs is for the auditor to see.
 * @throws ConcordatError as recallRound; REPLAY_IMPOSSIBLE while the round has no beacon; CONFLICT when the folder holds something
 */
export async function exportRound(
  round: number,
  dealer: OpenedDealer,
  parts: ReplayParts,
  options: ExportOptions,
): Promise<Exported> {
  const recalled = await recallRound(round, parts, options);
  const { folder, openedFor, nowSeconds } = options;
  try {
    await requireEmpty(folder);
    const { contents, receipts } = await contentsOf(recalled, dealer, options);
    const { federation, chainId } = dealer.chain.domain;
    const { attempt } = recalled.context;
    const { records, ended, endedOpened } = recalled.matched;
    const manifest: Manifest = {
      v: `${PROTOCOL_VERSION}/replay-package`,
      ...{ chainId, federation, dealer: dealer.identity.address, round, attempt, openedFor },
      openedAtSeconds: nowSeconds,
      endedSince: endedOpened ? [...ended] : [],
      files: Object.fromEntries([...contents].map(([name, content]) => [name, toHex(sha256(bytesOf(content)))])),
    };
    for (const [name, content] of contents) await writeFileAtomic(join(folder, name), content, 0o600);
    await writeFileAtomic(join(folder, 'manifest.json'), json(signed(manifest, dealer)), 0o600);
    return { folder, round, records: records.length, receipts };
  } finally {
    recalled.kept.seed.fill(0);
  }
}

async function requireEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) throw new ConcordatError('CONFLICT', `${folder} is not empty`, { folder });
}

async function contentsOf(recalled: RecalledRound, dealer: OpenedDealer, options: ExportOptions) {
  const { kept, matched, record, commit, participation } = recalled;
  const { identity, chain } = dealer;
  const beacon = await roundBeacon(chain, commit.round);
  if (beacon === undefined) {
    throw new ConcordatError('REPLAY_IMPOSSIBLE', `round ${commit.round} is not over, or no block came after its end`);
  }
  const subjects = participation.leaves.map(([subject]) => subject);
  const sampled = drawSample(subjects, beacon.blockHash, commit.recordsRoot, options.sample);
  const receipts = await receiptsThen(sampled, commit.anchoredRoot, { ...dealer, relyingParty: options.relyingParty });
  const attempt: OpenedAttempt = { seed: toHex(kept.seed), stages: kept.trace.stages };
  const base = await dealer.readBlob(record.baseModelHash);
  const { state } = decodeModel(base, layoutOf(dealer.task, featureCount(dealer.contract)));
  const contents = new Map<PackageFile, Uint8Array | string>([
    [
      'records.jsonl',
      matched.records
        .map(({ subject, record: { row } }) =>
          line({ subject, salt: toHex(recordSalt(identity.secret, subject)), row }),
        )
        .join(''),
    ],
    ['attempt.json', json(attempt)],
    ['receipts.json', json(receipts)],
    ['task.yaml', dealer.taskSource],
    ['contract.yaml', dealer.contractSource],
    ['base-model.cbor', base],
  ]);
  if (state !== undefined) contents.set('server-state.cbor', await dealer.readBlob(state));
  if (kept.trace.dealerState !== undefined) contents.set('dealer-state.cbor', kept.trace.dealerState);
  return { contents: contents as Contents, receipts: receipts.length };
}

function signed(manifest: Manifest, { identity, chain }: OpenedDealer): SignedManifest {
  const { dealer, round, attempt } = manifest;
  const statement = { dealer, round, attempt, packageHash: manifestHash(manifest) };
  return { ...manifest, signature: signTypedStruct(identity.privateKey, chain.domain, 'Opening', statement) };
}

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === 'string' ? utf8ToBytes(content) : content;
const json = (value: unknown): string => `${JSON.stringify(value, undefined, 1)}\n`;
const line = (record: OpenedRecord): string => `${JSON.stringify(record)}\n`;
