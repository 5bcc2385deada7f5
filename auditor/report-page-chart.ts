// Accuracy and AUC over the rounds, as a small drawing: inline SVG, no script.
import { percent } from './report-words.ts';
import type { RoundLine } from './timeline.ts';

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 150, 46, 60, 12, 22];

interface Point {
  readonly round: number;
  readonly bps: number;
}

/** Nothing to draw with fewer than two published rounds. */
export function roundsChart(timeline: readonly RoundLine[]): string {
  const accuracy = pointsOf(timeline, ({ accuracyBps }) => accuracyBps);
  const auc = pointsOf(timeline, ({ aucBps }) => aucBps).filter(({ bps }) => bps > 0);
  const all = [...accuracy, ...auc];
  if (accuracy.length < 2) return '';
  const low = Math.max(0, Math.floor(Math.min(...all.map(({ bps }) => bps)) / 500) * 500);
  const high = Math.min(10_000, Math.ceil((Math.max(...all.map(({ bps }) => bps)) + 1) / 500) * 500);
  const [from, to] = [Math.min(...all.map(({ round }) => round)), Math.max(...all.map(({ round }) => round))];
  const x = (round: number): number => LEFT + ((round - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const y = (bps: number): number => TOP + ((high - bps) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const line = (points: readonly Point[], kind: string, name: string): string => {
    const last = points.at(-1);
    if (last === undefined) return '';
    const path = points.map(({ round, bps }) => `${x(round).toFixed(1)},${y(bps).toFixed(1)}`).join(' ');
    return `<polyline class="${kind}" points="${path}"/><text class="${kind}" x="${WIDTH - RIGHT + 6}" y="${(y(last.bps) + 4).toFixed(1)}">${name}</text>`;
  };
  const guides = [low, (low + high) / 2, high].map(
    (bps) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(bps).toFixed(1)}" y2="${y(bps).toFixed(1)}"/><text x="${LEFT - 6}" y="${(y(bps) + 4).toFixed(1)}" text-anchor="end">${percent(bps).replace(/\.00| /g, '')}</text>`,
  );
  const ends = [from, to].map(
    (round) => `<text x="${x(round).toFixed(1)}" y="${HEIGHT - 4}" text-anchor="middle">${round}</text>`,
  );
  const label = `Accuracy from ${percent(accuracy[0]?.bps ?? 0)} to ${percent(accuracy.at(-1)?.bps ?? 0)} over rounds ${from} to ${to}`;
  return `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${[...guides, ...ends].join('')}${line(accuracy, 'accuracy', 'accuracy')}${line(auc, 'auc', 'AUC')}</svg>`;
}

function pointsOf(timeline: readonly RoundLine[], value: (line: RoundLine) => number | undefined): Point[] {
  return timeline.flatMap((line) => {
    const bps = value(line);
    return bps === undefined ? [] : [{ round: line.round, bps }];
  });
}
