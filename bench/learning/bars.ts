// What the figures have to reach, per example: means over seeds.
import type { Example } from './material.ts';
import type { Summary } from './summary.ts';

export interface Figures {
  readonly strategies: Readonly<Record<string, Summary>>;
  readonly dp: Readonly<Record<string, Summary>>;
  /** AUC less centralised. */
  readonly aucDifference: Readonly<Record<string, number>>;
  readonly ridgeAucDifference: number | undefined;
  readonly msPerEpoch: { readonly ratio: number };
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly least?: number;
  readonly most?: number;
}

const hits = (summary: Summary | undefined): number => Number(summary?.hits800 ?? Number.NaN);

function coil2000({ strategies, dp, aucDifference, ridgeAucDifference = Number.NaN }: Figures): Bar[] {
  const { fedavg, ridge } = strategies;
  const narrow = strategies['fedavg, 8 bits'];
  const gap = (name: string) => Math.abs(aucDifference[name] ?? Number.POSITIVE_INFINITY);
  // one of them has to meet both
  const [best = 'fedavg'] = ['fedavg', 'fedavg, 30 rounds', 'fedavg, one epoch a round', 'fedadam'].sort(
    (a, b) => gap(a) - gap(b),
  );
  return [
    { name: `${best}, hits`, value: hits(strategies[best]), least: 120 },
    { name: `${best}, AUC less centralised`, value: aucDifference[best] ?? Number.NaN, least: -0.004, most: 0.004 },
    { name: 'ridge, hits', value: hits(ridge), least: 127 },
    { name: 'ridge, AUC from the one in one place', value: ridgeAucDifference, most: 1e-6 },
    {
      name: '8 bits, AUC lost',
      value: Number(((fedavg?.auc ?? Number.NaN) - (narrow?.auc ?? Number.NaN)).toFixed(4)),
      most: 0.001,
    },
    { name: 'epsilon 8, hits', value: hits(dp['8']), least: 118 },
    { name: 'epsilon 3, hits', value: hits(dp['3']), least: 114 },
    { name: 'epsilon 1, hits', value: hits(dp['1']), least: 108 },
  ];
}

export const barsOf = (example: Example, figures: Figures): Bar[] => [
  ...(example === 'coil2000'
    ? coil2000(figures)
    : [{ name: 'epsilon 1, AUC', value: figures.dp['1']?.auc ?? Number.NaN, least: 0.84 }]),
  { name: 'training, times the reference', value: figures.msPerEpoch.ratio, most: 1.5 },
];

/** A figure that is not there misses. */
export const isMet = ({ value, least = -Infinity, most = Infinity }: Bar): boolean => value >= least && value <= most;
