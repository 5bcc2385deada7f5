// The checks on the page: what each looked at, what that means, what it cannot show, and every failure.
import { countText, MARK } from './report.ts';
import { escaped } from './report-words.ts';
import type { CheckReport, Report } from './verify.ts';

/** A longer note folds. */
const OPEN_NOTE_CHARACTERS = 160;

export function checksSection({ checks }: Report): string {
  return `<section><h2>The checks</h2>\n${checks.map(checkCard).join('\n')}\n</section>`;
}

function checkCard(check: CheckReport): string {
  const { id, title, verdict, meaning, cannot, promises, ms } = check;
  return [
    `<article class="check ${verdict}" id="check-${id}">`,
    `<h3><span class="mark" aria-hidden="true">${MARK[verdict]}</span><span class="id">${id}</span> ${escaped(title)}</h3>`,
    `<p class="counts">${escaped(VERDICT[verdict])} · ${escaped(countText(check))} · ${ms} ms · ${promises.join(', ')}</p>`,
    failures(check),
    '<dl>',
    `<dt>${verdict === 'pass' ? 'What it means' : 'What it would mean if it held'}</dt><dd>${escaped(meaning)}</dd>`,
    `<dt>What it cannot show</dt><dd>${escaped(cannot)}</dd>`,
    ...(check.note === '' ? [] : [`<dt>Found</dt><dd>${noteOf(check.note)}</dd>`]),
    '</dl>',
    '</article>',
  ].join('\n');
}

const VERDICT: Readonly<Record<CheckReport['verdict'], string>> = {
  pass: 'holds',
  fail: 'does not hold',
  inconclusive: 'could not be decided',
};

/** One line per round grows long: only its first part stands open. */
function noteOf(note: string): string {
  if (note.length <= OPEN_NOTE_CHARACTERS) return escaped(note);
  const parts = note.split('; ');
  const items = parts.map((part) => `<li>${escaped(part)}</li>`).join('');
  return `<details><summary>${parts.length} findings</summary><ul>${items}</ul></details>`;
}

function failures({ failures: named, failed, inconclusive }: CheckReport): string {
  if (named.length === 0) return '';
  const rows = named.map(
    ({ what, expected, got }) =>
      `<tr><th scope="row">${escaped(what)}</th><td>${escaped(expected ?? '')}</td><td>${escaped(got ?? '')}</td></tr>`,
  );
  const unnamed = failed + inconclusive - named.length;
  const more = unnamed > 0 ? `<p>… and ${unnamed} more.</p>` : '';
  return `<table class="failures"><thead><tr><th scope="col">What was looked at</th><th scope="col">Expected</th><th scope="col">Got</th></tr></thead><tbody>${rows.join('')}</tbody></table>${more}`;
}
