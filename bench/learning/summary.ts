// Means over seeds, their spread, and the sampling error of the hold-out: what a figure may be said to show.
import type { Quality } from './federation.ts';
import type { SeedFigures } from './seed.ts';
import { aucError, deviation, hitsError, mean } from './statistics.ts';

/** `hits800` on CoIL 2000, whose hold-out has 4,000 records: positives among the best fifth. */
export type Summary = Readonly<Record<string, number | Spread>> & { readonly auc: number; readonly sd: Spread };

export interface Spread {
  readonly auc: number;
  readonly hits: number;
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));

/** `sd`: over seeds. `standardError`: of one hold-out of this size, which no number of seeds makes smaller. */
export function summarise(found: readonly Quality[], { positives, negatives }: SeedFigures['holdOut']): Summary {
  const [aucs, hits] = [found.map((one) => one.auc), found.map((one) => one.hits)];
  const [auc, top] = [mean(aucs), mean(hits)];
  const spread = (a: number, h: number): Spread => ({ auc: round(a, 4), hits: round(h, 1) });
  return {
    auc: round(auc, 4),
    [`hits${Math.round((positives + negatives) / 5)}`]: round(top, 1),
    sd: spread(deviation(aucs), deviation(hits)),
    standardError: spread(aucError(auc, positives, negatives), hitsError(top, positives)),
  };
}

/** Mean of the differences in AUC, seed by seed: both sides score the same hold-out, so its error cancels in part. */
export const aucDifference = (found: readonly Quality[], reference: readonly Quality[]): number =>
  round(mean(found.map(({ auc }, i) => auc - (reference[i]?.auc ?? Number.NaN))), 4);

/** One table line. */
export function lineOf(name: string, { auc, sd, standardError, ...rest }: Summary, difference?: number): string {
  const hits = Object.entries(rest).find(([key]) => key.startsWith('hits'))?.[1];
  const error = standardError as Spread;
  const shown = typeof hits === 'number' ? hits.toFixed(1) : '';
  const against = difference === undefined ? '' : difference.toFixed(4).padStart(9);
  const [left, right] = [`${auc.toFixed(4)} ± ${sd.auc.toFixed(4)}`, `${shown.padStart(6)} ± ${sd.hits.toFixed(1)}`];
  return `${name.padEnd(20)} ${left}  ${right.padEnd(14)} (${error.auc.toFixed(4)}, ${error.hits.toFixed(1)})${against}`;
}
