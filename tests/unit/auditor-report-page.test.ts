// The page and the signature: whatever is changed in either, the reader is told; whatever is written in a report, the page shows.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import { reportJson } from '../../auditor/report.ts';
import { judgeReport, readReportFile, writeReport } from '../../auditor/report-command.ts';
import { reportPage } from '../../auditor/report-page.ts';
import { signedReport } from '../../auditor/report-schema.ts';
import { type SignedReport, signReport } from '../../auditor/report-signature.ts';
import { party } from '../helpers/audit/chronicle.ts';
import { badReport, checkReport, goodReport } from '../helpers/audit/small-report.ts';

const auditor = party('auditor');
const signed = signReport(goodReport, auditor.privateKey);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'concordat-report-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function judge(text: string, expected?: `0x${string}`) {
  const path = join(dir, 'report');
  await writeFile(path, text);
  return judgeReport(await readReportFile(path), expected, ['01']);
}

test('the schema knows every field of a report, and none more', () => {
  expectTypeOf<keyof z.output<typeof signedReport>>().toEqualTypeOf<keyof SignedReport>();
  expect(signedReport.parse(signed)).toEqual(signed);
});

describe('a report that is what it seems', () => {
  test.each([
    ['page', reportPage(signed)],
    ['JSON', reportJson(signed)],
  ])('as %s', async (_, text) => {
    const { holds, text: said } = await judge(text, auditor.address);
    expect(said).toContain(`✓ signed by ${auditor.address}\n`);
    expect(holds).toBe(true);
  });

  test('signed, and saying that something is wrong, is no all-clear', async () => {
    const { holds, text } = await judge(reportPage(signReport(badReport, auditor.privateKey)), auditor.address);
    expect(text).toContain('✗ says that 2 of 3 checks do not hold');
    expect(holds).toBe(false);
  });
});

const page = reportPage(signed);
const edited = (from: string, to: string): string => {
  if (!page.includes(from)) throw new Error(`the page has no ${from}`);
  return page.replaceAll(from, to);
};
const withJson = (change: { readonly [F in keyof SignedReport]?: SignedReport[F] | undefined }): string =>
  reportJson({ ...signed, ...change });

const FORGERIES: readonly (readonly [string, string, RegExp])[] = [
  ['an unsigned page', reportPage(goodReport), /NOT SIGNED: nobody/],
  ['a figure changed in the JSON', withJson({ headBlock: 100 }), /changed after it was signed/],
  [
    'a verdict turned',
    withJson({ checks: [checkReport('01', { checked: 4, note: 'a note' })] }),
    /changed after it was signed/,
  ],
  [
    'a hash made to fit',
    withJson({
      headBlock: 100,
      signature: signReport({ ...goodReport, headBlock: 100 }, party('x').privateKey).signature && {
        signer: auditor.address,
        hash: signReport({ ...goodReport, headBlock: 100 }, auditor.privateKey).signature?.hash ?? '0x',
        signature: signed.signature?.signature ?? '0x',
      },
    }),
    /did not sign it/,
  ],
  [
    'another signer named',
    withJson({ signature: signed.signature && { ...signed.signature, signer: party('other').address } }),
    /did not sign it/,
  ],
  [
    'signature bytes that are none',
    withJson({ signature: signed.signature && { ...signed.signature, signature: `0x${'00'.repeat(65)}` } }),
    /its signature is none/,
  ],
  [
    'a sentence changed on the page alone',
    edited('Meaning of 01.', 'Meaning of 02.').replace(
      /<script type="application\/json" id="report">.*?<\/script>/,
      /<script type="application\/json" id="report">.*?<\/script>/.exec(page)?.[0] ?? '',
    ),
    /✗ the page is not the one/,
  ],
  ['something added to the page', edited('</main>', '<p>All is well.</p></main>'), /✗ the page is not the one/],
  ['a style that hides', edited('</style>', '.fail{display:none}</style>'), /✗ the page is not the one/],
];

describe('signed, and not what an audit writes', () => {
  const check = checkReport('01', { note: 'a note' });
  test.each([
    ['nothing checked at all', { checks: [], checksRun: 0 }, /without check 01/],
    ['a failed check and an all-clear', { checks: [{ ...check, verdict: 'fail', failed: 1 }] }, /1 checks do not hold/],
    ['a check that holds and looked at nothing', { checks: [{ ...check, checked: 0 }] }, /own figures/],
    ['a check that holds with something undecided', { checks: [{ ...check, inconclusive: 1 }] }, /own figures/],
    ['one check, counted as eighteen', { checksRun: 18 }, /speaks of 18/],
    ['the same check twice', { checks: [check, check], checksRun: 2 }, /a check twice/],
    ['a promise kept on no check', { promises: goodReport.promises.map((p) => ({ ...p, verdict: 'fail' })) }, /P3 is/],
  ] as const)('%s', async (_, change, said) => {
    const report = { ...goodReport, ...change } as typeof goodReport;
    const { holds, text } = await judge(reportPage(signReport(report, auditor.privateKey)), auditor.address);
    expect(text).toContain('✓ the page shows this report');
    expect(text).toMatch(said);
    expect(holds).toBe(false);
  });

  test('a report of fewer checks than this version runs', async () => {
    const path = join(dir, 'few');
    await writeFile(path, reportPage(signed));
    const { holds, text } = judgeReport(await readReportFile(path), auditor.address);
    expect(text).toContain('✗ contradicts itself: a report without check 02, 03');
    expect(holds).toBe(false);
  });
});

describe('forgeries', () => {
  test.each(FORGERIES)('%s', async (_, text, said) => {
    const judgement = await judge(text, auditor.address);
    expect(judgement.text).toMatch(said);
    expect(judgement.holds).toBe(false);
  });

  test('a report of somebody else than expected', async () => {
    const { holds, text } = await judge(page, party('expected').address);
    expect(text).toContain(`✗ signed by ${auditor.address}, and not by`);
    expect(holds).toBe(false);
  });

  test.each([
    ['no report at all', '{}'],
    ['a report with a field too many', reportJson({ ...signed, more: 1 })],
    ['a page without a report', '<!doctype html><p>'],
    ['a page with two', page.replace('</body>', '<script type="application/json" id="report">{}</script></body>')],
  ])('%s is refused', async (_, text) => {
    await expect(judge(text)).rejects.toThrow('FILE_UNREADABLE');
  });
});

test('what others wrote stays text, and ends neither an element nor the embedded JSON', async () => {
  const evil = '</script></style><script>alert(1)</script><img src=x onerror="a()">&\u2028';
  const report = {
    ...goodReport,
    checks: [
      checkReport('01', {
        note: evil,
        title: evil,
        verdict: 'fail',
        failed: 1,
        failures: [{ what: evil, expected: evil, got: evil }],
      }),
    ],
    checksFailed: 1,
  };
  const made = reportPage(signReport(report, auditor.privateKey));
  expect(made).not.toContain('<script>');
  expect(made).not.toContain('<img');
  expect((await judge(made, auditor.address)).text).toContain('✓ the page shows this report');
});

test('a key is made once, for its owner alone', async () => {
  const key = join(dir, 'auditor');
  const [first, second] = [await writeReport(goodReport, { key }), await writeReport(goodReport, { key })];
  expect(first.signature).toEqual(second.signature);
  expect((await stat(join(key, 'identity.json'))).mode & 0o777).toBe(0o600);
  await writeFile(join(key, 'identity.json'), '{"privateKey":"0xdead"}');
  const refused = writeReport(goodReport, { key });
  await expect(refused).rejects.toThrow('STATE_CORRUPT');
  await expect(refused).rejects.not.toThrow('dead');
});
