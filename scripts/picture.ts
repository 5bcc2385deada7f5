// Draws docs/result.svg from bench/results/federate.json: what federating is worth, and what privacy costs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../kit/sources.ts';

interface Spread {
  readonly mean: number;
  readonly sd: number;
}
type Row = { readonly auc: Spread; readonly hits800: Spread };
const data = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'bench/results/federate.json'), 'utf8')) as {
  readonly seeds: readonly number[];
  readonly holdOut: { readonly rows: number; readonly positives: number; readonly topK: number };
} & Record<'federated' | 'centralised' | 'localMean', Row>;

const { rows, positives, topK } = data.holdOut;
const random = (positives * topK) / rows;
const bars: readonly { label: string; value: Spread; colour: string }[] = [
  { label: 'picked at random', value: { mean: random, sd: 0 }, colour: '#b9c0cc' },
  { label: 'one dealer alone', value: data.localMean.hits800, colour: '#8a94a6' },
  { label: 'all data in one place', value: data.centralised.hits800, colour: '#5b6b88' },
  { label: 'Concordat: federated, encrypted', value: data.federated.hits800, colour: '#0b7a5c' },
];

const [left, top, barHeight, gap, scale] = [270, 74, 34, 16, 3.1];
const width = 780;
const height = top + bars.length * (barHeight + gap) + 46;
const text = (x: number, y: number, content: string, attributes = '') =>
  `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
const drawn = bars.map(({ label, value, colour }, i) => {
  const y = top + i * (barHeight + gap);
  const length = value.mean * scale;
  const whisker =
    value.sd > 0
      ? `<path d="M${left + length - value.sd * scale} ${y + barHeight / 2}h${2 * value.sd * scale}" stroke="#1a2233" stroke-width="2"/>`
      : '';
  return [
    text(left - 12, y + 22, label, 'text-anchor="end"'),
    `<rect x="${left}" y="${y}" width="${length}" height="${barHeight}" rx="3" fill="${colour}"/>`,
    whisker,
    text(left + length + value.sd * scale + 10, y + 22, value.mean.toFixed(value.sd > 0 ? 1 : 0), 'font-weight="700"'),
  ].join('\n');
});

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Buyers found among the best ${topK} of ${rows} customers" font-family="system-ui, sans-serif" font-size="15" fill="#1a2233">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${text(24, 34, `Buyers found among the ${topK} best-scored of ${rows.toLocaleString('en')} customers`, 'font-size="19" font-weight="700"')}
${text(24, 56, `CoIL 2000 hold-out, ${positives} buyers in all; mean of ${data.seeds.length} seeds, whiskers one standard deviation`, 'font-size="13" fill="#5a6475"')}
${drawn.join('\n')}
${text(24, height - 14, 'bench/results/federate.json, drawn by scripts/picture.ts', 'font-size="11" fill="#8a94a6"')}
</svg>
`;
writeFileSync(join(PACKAGE_ROOT, 'docs/result.svg'), svg);
