// The rounds on the page: who took part with how many records, how good the model was, what it cost in privacy.
import type { Hex } from '../protocol/bytes.ts';
import { roundsChart } from './report-page-chart.ts';
import { escaped, percent, short, time } from './report-words.ts';
import type { RoundLine } from './timeline.ts';
import type { Report } from './verify.ts';

/** With more dealers than this a column each is too wide for paper. */
const MOST_COLUMNS = 12;

export function roundsSection({ timeline }: Report): string {
  if (timeline.length === 0) return '<section><h2>The rounds</h2><p>No round was opened.</p></section>';
  const dealers = [
    ...new Set(timeline.flatMap(({ dealers: set, leftOut }) => [...set.map(({ dealer }) => dealer), ...leftOut])),
  ].sort();
  const inColumns = dealers.length <= MOST_COLUMNS;
  const columns = inColumns ? dealers : [];
  const heads = ['Round', 'Opened', ...columns.map((_, i) => `D${i + 1}`), inColumns ? 'Records' : 'Dealers, records'];
  const figures = ['Accuracy', 'AUC', 'ε spent', 'End'];
  const head = [...heads, ...figures].map((text) => `<th scope="col">${text}</th>`).join('');
  return [
    '<section class="rounds"><h2>The rounds</h2>',
    '<p>Records that each dealer of the group added up had committed to; accuracy and AUC are of the model that the round started from, over those records. A dash under ε: no differential privacy.</p>',
    roundsChart(timeline),
    `<div class="wide"><table class="rounds"><thead><tr>${head}</tr></thead>`,
    `<tbody>${timeline.map((line) => roundRow(line, columns)).join('\n')}</tbody></table></div>`,
    inColumns ? `<p class="legend">${dealers.map(named).join(' ')}</p>` : '',
    '</section>',
  ].join('\n');
}

const named = (dealer: Hex, i: number): string => `<span>D${i + 1} <code>${escaped(dealer)}</code></span>`;

function roundRow(line: RoundLine, columns: readonly Hex[]): string {
  const { round, openedAt, dealers, status, reason, accuracyBps, aucBps, epsilonMilli } = line;
  const weight = dealers.reduce((sum, one) => sum + one.weight, 0);
  const sum = columns.length > 0 ? String(weight) : `${dealers.length}, ${weight}`;
  const cells = [
    time(openedAt).replace(' UTC', ''),
    ...columns.map((dealer) => cellOf(line, dealer)),
    `<b>${sum}</b>`,
    accuracyBps === undefined ? '–' : percent(accuracyBps),
    aucBps === undefined ? '–' : (aucBps / 10_000).toFixed(4),
    epsilonMilli === undefined ? '–' : String(epsilonMilli / 1_000),
    escaped(reason === undefined ? status : `${status}: ${reason}`),
  ];
  const kind = status.replace(' ', '-');
  return `<tr class="${kind}"><th scope="row">${round}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function cellOf({ dealers, leftOut }: RoundLine, dealer: Hex): string {
  const own = dealers.find((one) => one.dealer === dealer);
  if (own !== undefined) return String(own.weight);
  return leftOut.includes(dealer)
    ? `<abbr title="${escaped(short(dealer))} committed and was left out">out</abbr>`
    : '–';
}
