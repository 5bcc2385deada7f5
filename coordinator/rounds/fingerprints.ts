// After the sum: the dealers' fingerprints of their own payloads, and which of them are true.
import type { ChainClient } from '../../engines/chain/client.ts';
import { equalBytes, type Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { fingerprintChallenge, fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import { fingerprintOfPayload, fingerprintOfSum } from '../aggregate/fingerprint.ts';
import type { SealedSum } from '../aggregate/sum.ts';
import type { SignedFingerprint } from '../key-holders/answers.ts';
import type { Transcript } from '../transcript/transcript.ts';
import type { RoundParts } from './parts.ts';
import type { RoundSet } from './set.ts';

export interface FingerprintsParts
  extends Pick<RoundParts, 'transcript' | 'desk' | 'blocks' | 'clock' | 'signal' | 'present' | 'broadcast' | 'log'> {
  readonly client: Pick<ChainClient, 'chainId'>;
  readonly ledger: { readonly address: Hex };
}

/** Dealers that take longer are as good as gone: the key-holders then look at their payloads. */
const WAIT_MS = 3_000;
const LOOK_EVERY_MS = 20;

export type Signed = ReadonlyMap<Hex, SignedFingerprint>;

/** True fingerprints, signed and in the transcript: of the dealers that are there. */
export async function collectFingerprints(
  round: number,
  set: RoundSet,
  sum: SealedSum,
  parts: FingerprintsParts,
): Promise<Signed> {
  const { transcript, desk } = parts;
  const { aggregateHash } = sum;
  const known = readFingerprints(round, transcript);
  desk.open({ round, aggregateHash, dealers: set.uploads.map(({ dealer }) => dealer) }, known);
  try {
    parts.broadcast({ type: 'aggregate-ready', round, aggregateHash });
    await waitForDealers(set, parts);
  } finally {
    desk.close();
  }
  const signed = await keepTrue(round, set, sum, desk.taken(), parts);
  for (const [dealer, { fingerprint, signature }] of signed) {
    await transcript.appendOnce({
      type: 'fingerprint',
      round,
      dealer,
      aggregate: aggregateHash,
      fingerprint,
      signature,
    });
  }
  return signed;
}

function readFingerprints(round: number, transcript: Pick<Transcript, 'entries'>): Map<Hex, SignedFingerprint> {
  const entries = transcript.entries().map(({ body }) => body);
  return new Map(
    entries.flatMap((body): [Hex, SignedFingerprint][] =>
      body.type === 'fingerprint' && body.round === round
        ? [[body.dealer, { fingerprint: body.fingerprint, signature: body.signature }]]
        : [],
    ),
  );
}

/** Until all of the set whose link is up have handed in. */
async function waitForDealers({ uploads }: RoundSet, parts: FingerprintsParts): Promise<void> {
  const { desk, clock, signal, present } = parts;
  const untilMs = clock.nowMs() + WAIT_MS;
  while (clock.nowMs() < untilMs && !signal.aborted) {
    const [here, taken] = [present(), desk.taken()];
    if (uploads.every(({ dealer }) => !here.has(dealer) || taken.has(dealer))) return;
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/**
 * Those that are true: all of them when they add up, with the coordinator's own for the dealers that are gone. If they do
 * not, each is held against the stored payload, so that one dealer's lie does not cost the round.
 * @throws ConcordatError STATE_CORRUPT when the sum is not that of the stored payloads
 */
async function keepTrue(
  round: number,
  { setHash, uploads }: RoundSet,
  { aggregateHash, residues }: SealedSum,
  signed: Signed,
  parts: Pick<FingerprintsParts, 'client' | 'ledger' | 'blocks' | 'transcript' | 'log'>,
): Promise<Signed> {
  const challenge = fingerprintChallenge({
    chainId: parts.client.chainId,
    ledger: parts.ledger.address,
    round,
    setHash,
    payloadHashes: uploads.map(({ payloadHash }) => payloadHash),
    aggregateHash,
    blocks: parts.blocks,
  });
  const whole = await fingerprintOfSum(challenge, residues);
  const own = new Map<Hex, Uint8Array>();
  const compute = async (dealers: readonly { readonly dealer: Hex; readonly payloadHash: Hex }[]): Promise<void> => {
    for (const { dealer, payloadHash } of dealers) {
      own.set(dealer, await fingerprintOfPayload(challenge, payloadHash, parts.blocks, parts.transcript));
    }
  };
  await compute(uploads.filter(({ dealer }) => !signed.has(dealer)));
  const told = [...signed.values()].map(({ fingerprint }) => fingerprint);
  if (fingerprintsAddUp([...told, ...own.values()], whole)) return signed;
  await compute(uploads.filter(({ dealer }) => signed.has(dealer)));
  if (!fingerprintsAddUp([...own.values()], whole)) {
    throw new ConcordatError('STATE_CORRUPT', `the sum of round ${round} is not that of its payloads`, { round });
  }
  const isTrue = ([dealer, { fingerprint }]: readonly [Hex, SignedFingerprint]): boolean =>
    equalBytes(fingerprint, own.get(dealer) ?? new Uint8Array());
  const liars = [...signed].filter((entry) => !isTrue(entry)).map(([dealer]) => dealer);
  parts.log.error({ round, dealers: liars }, 'the fingerprints of these dealers are not those of their payloads');
  return new Map([...signed].filter(isTrue));
}
