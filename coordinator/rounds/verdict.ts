// What the key-holders' words come to: which uploads are left out and why, that a set holds none that nobody vouched for, and
// whose answer contradicts its own word.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { Vouch, VouchMessage } from '../../protocol/messages/vouch.ts';
import { judgeSharings, sharingHolds, type TestPoint } from '../../protocol/secagg/linear-test.ts';
import { type AdmittedUpload, isUploadOf, type UploadCommit } from '../intake/uploads.ts';

/** One key-holder's word, as asked or as written down. */
export type Vouched = Pick<VouchMessage, 'index' | 'keyHolder' | 'vouches' | 'signature'>;

/** An upload as a word or a set names it. */
type NamedUpload = UploadCommit & { readonly dealer: Hex };

const isNamed = (upload: NamedUpload) => (vouch: Vouch) => vouch.dealer === upload.dealer && isUploadOf(vouch, upload);

export const speaksOf = ({ vouches }: Pick<Vouched, 'vouches'>, upload: NamedUpload): boolean =>
  vouches.some(isNamed(upload));

export interface UploadsVerdict {
  /** Why each is left out. */
  readonly refused: ReadonlyMap<Hex, string>;
  /** Key-holders that could not open most of their shares: their key is the fault, not the dealers. */
  readonly disregarded: readonly number[];
  /** So many fail that a key-holder is the likelier liar: nobody is left out. */
  readonly undecided: boolean;
}

/**
 * Over every upload that the words speak of, whoever of their dealers is still there: all who judge the same words, now or
 * later, come to the same.
 * @param least the smallest set that may be fixed
 */
export function judgeUploads(
  vouched: readonly Pick<Vouched, 'index' | 'vouches'>[],
  threshold: number,
  least: number,
): UploadsVerdict {
  const spokenOf = new Map(vouched.flatMap(({ vouches }) => vouches.map((vouch) => [vouch.dealer, vouch] as const)));
  const points = new Map([...spokenOf].map(([dealer, upload]) => [dealer, pointsOf(upload, vouched)]));
  const { refused, disregarded, undecided } = judgeSharings(points, threshold, least);
  const reasons = refused.map((dealer) => {
    const heard = (points.get(dealer) ?? []).filter(({ index }) => !disregarded.includes(index));
    return [dealer, reasonFor(heard)] as const;
  });
  return { refused: new Map(reasons), disregarded, undecided };
}

function pointsOf(upload: NamedUpload, vouched: readonly Pick<Vouched, 'index' | 'vouches'>[]): TestPoint[] {
  return vouched.flatMap(({ index, vouches }) => {
    const vouch = vouches.find(isNamed(upload));
    return vouch === undefined ? [] : [{ index, value: vouch.value ?? undefined }];
  });
}

function reasonFor(points: readonly TestPoint[]): string {
  const unread = points.filter(({ value }) => value === undefined).map(({ index }) => index);
  if (unread.length === 0) return 'its shares are not those of one secret';
  return `its share does not open at key-holder ${unread.join(', ')}`;
}

/**
 * That nobody slipped another upload in between the vouches and the set.
 * @throws ConcordatError SHARES_INSUFFICIENT naming the dealer
 */
export function requireVouched(
  set: readonly AdmittedUpload[],
  vouched: readonly Pick<Vouched, 'vouches'>[],
  threshold: number,
): void {
  for (const upload of set) {
    const count = vouched.filter((one) => speaksOf(one, upload)).length;
    if (count >= threshold) continue;
    const { dealer, attempt } = upload;
    const detail = `${count} of ${threshold} key-holders vouched for attempt ${attempt} of ${dealer}`;
    throw new ConcordatError('SHARES_INSUFFICIENT', detail, { dealer, attempt });
  }
}

/**
 * Whether a key-holder whose answer is off the polynomial said of every upload of the set that its share is on the one of those
 * who make the sum: then it lies in the one or in the other. Otherwise a dealer may have given it a false share.
 * @param agreeing key-holders whose answers make the sum, `threshold` or more
 */
export function contradictsItself(
  index: number,
  agreeing: readonly number[],
  set: readonly NamedUpload[],
  vouched: readonly Pick<Vouched, 'index' | 'vouches'>[],
  threshold: number,
): boolean {
  return set.every((upload) => {
    const points = pointsOf(upload, vouched).filter((point) => point.index === index || agreeing.includes(point.index));
    const isHeard = points.some((point) => point.index === index);
    return isHeard && points.length > threshold && sharingHolds(points, threshold);
  });
}
