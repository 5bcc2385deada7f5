// Faults in what key-holders vouched for, and in who was let into a set by it: those that anybody could try.
import { Wallet } from 'ethers';
import type { BodyOf } from '../../../auditor/evidence.ts';
import { signTypedStruct } from '../../../engines/chain/typed-data.ts';
import { type Hex, sha256, toHex } from '../../../protocol/bytes.ts';
import { decodeCbor } from '../../../protocol/codec.ts';
import { encodeVouches, MAX_VOUCH_BYTES, type Vouch, vouchMessage } from '../../../protocol/messages/vouch.ts';
import { fault, first, type PlantedFault } from './fault.ts';
import {
  blobOf,
  bodiesOf,
  bodyOf,
  changeBodies,
  changeEvents,
  flipped,
  putBlob,
  type RawEvidence,
  rewriteTranscript,
  theEvent,
} from './raw-evidence.ts';

type VouchBody = BodyOf<'vouch'>;

const vouchesOf = (raw: RawEvidence, body: VouchBody): readonly Vouch[] =>
  decodeCbor(blobOf(raw, body.vouches), vouchMessage.shape.vouches, MAX_VOUCH_BYTES);

/** The vouches of one entry changed, and signed again by whoever is given. */
export function changeVouches(
  raw: RawEvidence,
  isMeant: (body: VouchBody) => boolean,
  change: (vouches: readonly Vouch[]) => readonly Vouch[],
  signer?: { readonly privateKey: Hex },
): void {
  const { chainId, federation } = raw.history.deployment;
  changeBodies(raw, 'vouch', (body) => {
    if (!isMeant(body)) return {};
    const { round, keyHolder } = body;
    const vouches = putBlob(raw, encodeVouches(change(vouchesOf(raw, body))));
    if (signer === undefined) return { vouches };
    const statement = { keyHolder, round, vouchesHash: vouches };
    return { vouches, signature: signTypedStruct(signer.privateKey, { chainId, federation }, 'Vouch', statement) };
  });
}

const isVouch = (round: number) => (body: { type: string; round?: number }) =>
  body.type === 'vouch' && body.round === round;

const stranger = Wallet.createRandom();

export const SHARING_FAULTS: readonly PlantedFault[] = [
  fault(
    '11',
    'a forged signature under a vouch',
    (raw) => {
      const vouches = bodiesOf(raw).flatMap((body) => (body.type === 'vouch' ? [body] : []));
      const other = first(vouches.slice(1), 'second vouch').signature;
      changeBodies(raw, 'vouch', () => ({ signature: other }));
    },
    /vouch of 0x.*: signed by/,
  ),
  fault(
    '11',
    'vouches for other payloads than were committed to',
    (raw) =>
      changeVouches(raw, isVouch(1), (vouches) =>
        vouches.map((vouch) => ({ ...vouch, payloadHash: toHex(sha256(new Uint8Array())) })),
      ),
    /was committed to like that/,
  ),
  fault(
    '11',
    'a vouch by a stranger',
    (raw) => {
      const { chainId, federation } = raw.history.deployment;
      const { round, vouches } = bodyOf(raw, 'vouch', 1);
      const keyHolder = stranger.address.toLowerCase() as Hex;
      const statement = { keyHolder, round, vouchesHash: vouches };
      const key = stranger.privateKey as Hex;
      const signature = signTypedStruct(key, { chainId, federation }, 'Vouch', statement);
      rewriteTranscript(raw, (bodies) => [...bodies, { type: 'vouch', round, keyHolder, vouches, signature }]);
    },
    /from a key-holder registered when the round opened/,
  ),
  fault(
    '11',
    'fewer vouches than the threshold',
    (raw) => {
      const { keyHolderThreshold } = raw.history.deployment.parameters;
      rewriteTranscript(raw, (bodies) => {
        const kept = bodies.filter(isVouch(1)).slice(0, keyHolderThreshold - 1);
        return bodies.filter((body) => !isVouch(1)(body) || kept.includes(body));
      });
    },
    /key-holders vouching for the upload of/,
  ),
  fault(
    '11',
    'a set that nobody vouched for',
    (raw) => rewriteTranscript(raw, (bodies) => bodies.filter((body) => !isVouch(1)(body))),
    /key-holders vouching for the upload of/,
  ),
  fault(
    '11',
    '[TRA-4] two vouches of one key-holder',
    (raw) => {
      const vouch = bodyOf(raw, 'vouch', 1);
      rewriteTranscript(raw, (bodies) => [...bodies, vouch]);
    },
    /vouch of 0x.*: the only one/,
  ),
  fault(
    '11',
    'vouches in another encoding of the same values',
    (raw) =>
      changeBodies(raw, 'vouch', (body) => {
        const bytes = blobOf(raw, body.vouches);
        // the head of a short list: 0x80 + length, written in two bytes
        return { vouches: putBlob(raw, Uint8Array.of(0x98, (bytes[0] ?? 0) & 0x1f, ...bytes.slice(1))) };
      }),
    /^round 1, vouch of 0x[0-9a-f]{40}$/m,
  ),
  fault(
    '11',
    'a vouch for a commit that was replaced before the set was fixed',
    (raw) => {
      const fixed = raw.history.events.findIndex(({ name }) => name === 'SetFinalised');
      const commit = first(
        raw.history.events.slice(0, fixed).flatMap((event) => (event.name === 'Committed' ? [event] : [])),
        'commit',
      );
      const next = { ...commit, attempt: commit.attempt + 1, sharesRoot: toHex(flipped(sha256(new Uint8Array()))) };
      const { events } = raw.history;
      raw.history = { ...raw.history, events: [...events.slice(0, fixed), next, ...events.slice(fixed)] };
    },
    /key-holders vouching for the upload of/,
  ),
  fault(
    '11',
    'a dealer in the set whom nobody vouched for under the attempt that stands',
    (raw) => {
      const commit = theEvent(raw, 'Committed');
      changeEvents(raw, 'Committed', (event) => (event === commit ? { attempt: event.attempt + 1 } : {}));
    },
    /key-holders vouching for the upload of/,
  ),
];
