// Vouching: what this key-holder's shares say to the linear test of each upload, before the set is fixed.
import { nodeShake128 } from '../kit/shake.ts';
import type { Hex } from '../protocol/bytes.ts';
import { encodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import {
  type Vouch,
  type VouchMessage,
  type VouchRequest,
  type VouchStatement,
  vouchesHash,
} from '../protocol/messages/vouch.ts';
import { testCombination, testValue } from '../protocol/secagg/linear-test.ts';
import { refused } from '../protocol/secagg/set.ts';
import type { Keyring } from './keys/keyring.ts';
import type { ChainView, Commitment } from './round-facts.ts';
import { foreignTo, type OwnershipParts, type ShareBook, type ShareEntry } from './shares.ts';

export interface VoucherParts {
  readonly address: Hex;
  readonly index: number;
  readonly keyring: Pick<Keyring, 'withKeys'>;
  readonly shares: ShareBook;
  readonly chain: Pick<ChainView, 'statusOf' | 'commitmentOf'>;
  readonly recoverUpload: OwnershipParts['recoverUpload'];
  /** EIP-712 `Vouch` under the federation's domain. */
  readonly sign: (statement: VouchStatement) => Promise<Hex>;
}

export interface Voucher {
  /**
   * The canonical CBOR of a `vouchMessage`. The combination of an upload follows from what its dealer signed, once an attempt,
   * so asking again gives nothing new: nothing needs to be stored.
   * An entry that is not what its dealer has committed by now is left out: the key-holder has nothing to say about it.
   * @throws ConcordatError SET_REFUSED the round is not open, a dealer appears twice, or nothing named is committed
   */
  vouch(request: VouchRequest): Promise<Uint8Array>;
}

export function createVoucher(parts: VoucherParts): Voucher {
  const { address, index, keyring, shares, chain, sign } = parts;

  async function committed({ round, shares: entries }: VouchRequest) {
    const commitments = await Promise.all(entries.map(({ dealer }) => chain.commitmentOf(round, dealer)));
    return entries.flatMap((entry, i): (readonly [ShareEntry, Commitment])[] => {
      const commitment = commitments[i];
      const own = commitment !== undefined && foreignTo(round, entry, commitment, parts) === undefined;
      return own ? [[entry, commitment]] : [];
    });
  }

  return {
    async vouch(request) {
      const { round } = request;
      refuseRepeats(request);
      if ((await chain.statusOf(round)) !== 'open') throw refused(round, 'the round is not open');
      const entries = await committed(request);
      if (entries.length === 0) throw refused(round, 'no share named is one that its dealer has committed');
      const vouches = await keyring.withKeys(round, async (keys) => {
        const all: Vouch[] = [];
        for (const [entry, commitment] of entries) {
          const { dealer } = entry;
          const { attempt, payloadHash, sharesRoot } = commitment;
          const value = testValueOf(
            () => shares.open(round, entry, commitment, keys),
            (share) =>
              testValue(share, testCombination(shares.contextOf(round, dealer, commitment), sharesRoot, nodeShake128)),
          );
          all.push({ dealer, attempt, payloadHash, sharesRoot, value });
          await pause();
        }
        return all;
      });
      const statement = { keyHolder: address, round, vouchesHash: vouchesHash(vouches) };
      const signature = await sign(statement);
      const message: VouchMessage = { v: 'concordat/1/vouch', keyHolder: address, index, round, vouches, signature };
      return encodeCbor(message);
    },
  };
}

function refuseRepeats({ round, shares }: VouchRequest): void {
  const seen = new Set<Hex>();
  for (const { dealer } of shares) {
    if (seen.has(dealer)) throw refused(round, `${dealer} appears twice in the request`, dealer);
    seen.add(dealer);
  }
}

/** null for a share that does not open: that is its dealer's fault, and says so. */
function testValueOf<T>(open: () => T, compute: (share: T) => Uint8Array): Vouch['value'] {
  let share: T;
  try {
    share = open();
  } catch (error) {
    if (error instanceof ConcordatError && error.code === 'SHARE_UNREADABLE') return null;
    throw error;
  }
  return new Uint8Array(compute(share));
}

/** A large round takes a second: others are heard in between. */
const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
