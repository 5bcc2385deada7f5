// A report as one page: no scripts, nothing fetched, the same content as the text, and the signed JSON inside.
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import { MARK, remarks, SAID_OF_PROMISE, seconds, sizesText, undecided } from './report.ts';
import { checksSection } from './report-page-checks.ts';
import { roundsSection } from './report-page-rounds.ts';
import { canonicalReport, messageOf, type SignedReport } from './report-signature.ts';
import { STYLE } from './report-style.ts';
import { escaped, time } from './report-words.ts';

/** The same bytes for the same report: whoever verifies a page makes it again and compares. */
export function reportPage(report: SignedReport): string {
  const verdict = verdictOf(report);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // a page that shows what others wrote: whatever slipped through is inert
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">',
    `<title>Audit of ${escaped(report.federation)}: ${escaped(verdict.title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    header(report, verdict),
    '<main>',
    promisesSection(report),
    openSection(report),
    roundsSection(report),
    checksSection(report),
    signatureSection(report),
    '</main>',
    embedded('report', canonicalReport(report)),
    ...(report.signature ? [embedded('signature', canonicalJson(report.signature))] : []),
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

interface PageVerdict {
  readonly tone: 'pass' | 'fail' | 'inconclusive';
  readonly title: string;
  readonly text: string;
}

function verdictOf({ checks, checksRun, checksFailed }: SignedReport): PageVerdict {
  if (checksFailed === 0) {
    const text = 'Every check was run and holds. What that means, and what it does not show, stands below.';
    return { tone: 'pass', title: `All ${checksRun} checks hold`, text };
  }
  const title = `${checksFailed} of ${checksRun} checks do not hold`;
  const failed = checks.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
  if (failed.length === 0) {
    return { tone: 'inconclusive', title, text: 'Nothing was found wrong, but not everything could be decided.' };
  }
  return { tone: 'fail', title, text: `Something is wrong: see ${failed.map((id) => `check ${id}`).join(', ')}.` };
}

function header(report: SignedReport, { tone, title, text }: PageVerdict): string {
  const { opened, published, failed } = report.rounds;
  const facts: readonly (readonly [string, string])[] = [
    ['Federation', `<code>${escaped(report.federation)}</code>`],
    ['Chain', `${report.chainId}, up to block ${report.headBlock}`],
    ['Last entry', `<code>${escaped(report.transcriptHead ?? 'none')}</code>`],
    ['Rounds', `${opened} opened, ${published} published, ${failed} failed`],
    ['Audited', `${time(report.madeAt)}; ${escaped(sizesText(report))}`],
    [
      'Signed by',
      report.signature
        ? `<code>${escaped(report.signature.signer)}</code>`
        : '<strong>nobody: this report is not signed</strong>',
    ],
  ];
  return [
    '<header>',
    '<p class="kind">Concordat · audit report</p>',
    `<div class="verdict ${tone}"><span class="mark" aria-hidden="true">${MARK[tone]}</span>`,
    `<div><h1>${escaped(title)}</h1><p>${escaped(text)}</p></div></div>`,
    `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`,
    '</header>',
  ].join('\n');
}

function promisesSection({ promises }: SignedReport): string {
  const rows = promises.map(({ id, title, says, checks, verdict }) => {
    const basis = checks.length === 0 ? '' : ` · <span class="basis">checks ${checks.map(linked).join(', ')}</span>`;
    return [
      `<li class="${verdict.replace(' ', '-')}"><span class="mark" aria-hidden="true">${MARK[verdict]}</span><div>`,
      `<h3>${escaped(title)} <span class="id">${id}</span></h3><p>${escaped(says)}</p>`,
      `<p class="said">${escaped(SAID_OF_PROMISE[verdict])}${basis}</p></div></li>`,
    ].join('');
  });
  return `<section><h2>What that means</h2><ul class="promises">${rows.join('\n')}</ul></section>`;
}

const linked = (id: string): string => `<a href="#check-${id}">${id}</a>`;

function openSection(report: SignedReport): string {
  const found = undecided(report).map(({ id, text }) => `<li>Check ${linked(id)}: ${escaped(text)}</li>`);
  const inThisRun =
    found.length === 0
      ? '<p>Nothing that this audit looks at was left undecided.</p>'
      : `<p>Undecided in this audit:</p><ul>${found.join('')}</ul>`;
  const never = report.promises.map(
    ({ id, title, leavesOpen }) =>
      `<tr><th scope="row">${escaped(title)} <span class="id">${id}</span></th><td>${escaped(leavesOpen)}</td></tr>`,
  );
  return [
    '<section><h2>What was not verified, and why</h2>',
    inThisRun,
    ...remarks(report).map((text) => `<p>${escaped(text)}</p>`),
    '<p>No audit of public data shows:</p>',
    `<table class="plain"><tbody>${never.join('')}</tbody></table>`,
    '</section>',
  ].join('\n');
}

function signatureSection(report: SignedReport): string {
  const { signature } = report;
  const body =
    signature === undefined
      ? '<p><strong>This report is not signed.</strong> Nobody stands for it: whoever wants to rely on it runs the audit again.</p>'
      : [
          '<p>The auditor signed the report inside this page. To check signature and page:</p>',
          `<pre>concordat audit report THIS-PAGE.html --signer ${escaped(signature.signer)}</pre>`,
          '<dl class="facts">',
          `<div><dt>Signer</dt><dd><code>${escaped(signature.signer)}</code></dd></div>`,
          `<div><dt>Message (EIP-191)</dt><dd><code>${escaped(messageOf(signature.hash))}</code></dd></div>`,
          `<div><dt>Signature</dt><dd><code>${escaped(signature.signature)}</code></dd></div>`,
          '</dl>',
          '<p>Whose address that is this page cannot tell: ask the auditor by another way.</p>',
        ].join('\n');
  return `<section><h2>Signature</h2>${body}<p class="small">Protocol ${escaped(report.protocolVersion)}, checks took ${seconds(report.ms)}. The whole report is embedded in this page as canonical JSON (RFC 8785).</p></section>`;
}

/** `<` in its JSON escape: no string of a report can end the element. */
const embedded = (id: string, json: string): string =>
  `<script type="application/json" id="${id}">${json.replaceAll('<', '\\u003c')}</script>`;

/** The JSON that a page carries; undefined when there is none of that name, or several. */
export function embeddedJson(page: string, id: 'report' | 'signature'): string | undefined {
  const opening = `<script type="application/json" id="${id}">`;
  const [, after, ...more] = page.split(opening);
  if (after === undefined || more.length > 0) return undefined;
  const end = after.indexOf('</script>');
  return end === -1 ? undefined : after.slice(0, end);
}
