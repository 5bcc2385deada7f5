// Where dealers hand in the fingerprints of their payloads while a sum waits for them.
import { recoverTypedStruct } from '../../engines/chain/typed-data.ts';
import { type Hex, toHex } from '../../protocol/bytes.ts';
import { decodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { fingerprintMessage, MAX_FINGERPRINT_MESSAGE_BYTES } from '../../protocol/messages/fingerprint.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import type { Domain } from '../../protocol/messages/typed-data.ts';
import { fingerprintsAddUp } from '../../protocol/secagg/fingerprint.ts';
import type { SignedFingerprint } from '../key-holders/answers.ts';

export interface AskedFor {
  readonly round: number;
  readonly aggregateHash: Hex;
  /** Dealers of the set. */
  readonly dealers: readonly Hex[];
}

export interface FingerprintDesk {
  /** @param known fingerprints that stand in the transcript: they stay */
  open(asked: AskedFor, known: ReadonlyMap<Hex, SignedFingerprint>): void;
  close(): void;
  /** @throws ConcordatError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, CONFLICT not asked for, NOT_A_MEMBER, SIGNATURE_INVALID */
  take(body: Uint8Array): void;
  /** By dealer, the first that each handed in. */
  taken(): ReadonlyMap<Hex, SignedFingerprint>;
  /** For a dealer whose link comes up meanwhile. */
  announcement(): CoordinatorEvent | undefined;
}

export function createFingerprintDesk(domain: Domain): FingerprintDesk {
  let current: AskedFor | undefined;
  let taken = new Map<Hex, SignedFingerprint>();

  return {
    open(asked, known) {
      current = asked;
      taken = new Map(known);
    },
    close() {
      current = undefined;
    },
    take(body) {
      const message = decodeCbor(body, fingerprintMessage, MAX_FINGERPRINT_MESSAGE_BYTES);
      const { dealer, round, aggregateHash, fingerprint, signature } = message;
      if (current?.round !== round || current.aggregateHash !== aggregateHash) {
        throw new ConcordatError('CONFLICT', `no fingerprints of round ${round} for ${aggregateHash} are asked for`);
      }
      if (!current.dealers.includes(dealer)) throw new ConcordatError('NOT_A_MEMBER', `${dealer} is not in the set`);
      fingerprintsAddUp([], fingerprint); // refuses what is no fingerprint
      const statement = { dealer, round, aggregateHash, fingerprint: toHex(fingerprint) };
      if (recoverTypedStruct(domain, 'Fingerprint', statement, signature) !== dealer) {
        throw new ConcordatError('SIGNATURE_INVALID', `the fingerprint of ${dealer}`, { dealer, round });
      }
      if (!taken.has(dealer)) taken.set(dealer, { fingerprint, signature });
    },
    taken: () => taken,
    announcement: () =>
      current && { type: 'aggregate-ready', round: current.round, aggregateHash: current.aggregateHash },
  };
}
