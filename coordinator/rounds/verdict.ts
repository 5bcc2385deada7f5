// What the key-holders' words come to: which uploads are left out and why, and that a set holds none that nobody vouched for.
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import type { VouchMessage } from '../../protocol/messages/vouch.ts';
import { judgeSharings, type TestPoint } from '../../protocol/secagg/linear-test.ts';
import { type AdmittedUpload, isUploadOf } from '../intake/uploads.ts';

/** One key-holder's word, as asked or as written down. */
export type Vouched = Pick<VouchMessage, 'index' | 'keyHolder' | 'vouches' | 'signature'>;

export const speaksOf = ({ vouches }: Pick<Vouched, 'vouches'>, upload: AdmittedUpload): boolean =>
  vouches.some((vouch) => vouch.dealer === upload.dealer && isUploadOf(vouch, upload));

export interface UploadsVerdict {
  /** Why each is left out. */
  readonly refused: ReadonlyMap<Hex, string>;
  /** More than half fail: a key-holder is the likelier liar, and nobody is left out. */
  readonly undecided: boolean;
}

export function judgeUploads(
  uploads: readonly AdmittedUpload[],
  vouched: readonly Pick<Vouched, 'index' | 'vouches'>[],
  threshold: number,
): UploadsVerdict {
  const points = new Map(uploads.map((upload) => [upload.dealer, pointsOf(upload, vouched)]));
  const { refused, undecided } = judgeSharings(points, threshold);
  return { refused: new Map(refused.map((dealer) => [dealer, reasonFor(points.get(dealer) ?? [])])), undecided };
}

function pointsOf(upload: AdmittedUpload, vouched: readonly Pick<Vouched, 'index' | 'vouches'>[]): TestPoint[] {
  return vouched.flatMap(({ index, vouches }) => {
    const vouch = vouches.find(({ dealer }) => dealer === upload.dealer);
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
