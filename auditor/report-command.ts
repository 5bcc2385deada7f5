// `concordat audit report`: a report that somebody else made: whose it is, and that its page shows what was signed and no more.
import { readFileOrExplain, writeFileAtomic } from '../kit/files.ts';
import type { Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { reportJson } from './report.ts';
import { contradictionIn } from './report-consistency.ts';
import { loadOrCreateReportKey } from './report-key.ts';
import { embeddedJson, reportPage } from './report-page.ts';
import { MAX_REPORT_BYTES, signedReport } from './report-schema.ts';
import { type SignedReport, type Standing, signReport, standingOf } from './report-signature.ts';
import { CHECKS, type Report } from './verify.ts';

export interface ReportFiles {
  readonly json?: string;
  readonly html?: string;
  /** Folder of the auditor's key. */
  readonly key?: string;
}

/** Signs with the auditor's key, if there is one, and writes what was asked for. */
export async function writeReport(report: Report, { json, html, key }: ReportFiles): Promise<SignedReport> {
  const signed = key === undefined ? report : signReport(report, await loadOrCreateReportKey(key));
  if (json !== undefined) await writeFileAtomic(json, reportJson(signed));
  if (html !== undefined) await writeFileAtomic(html, reportPage(signed));
  return signed;
}

export interface ReportFile {
  readonly report: SignedReport;
  readonly standing: Standing;
  /** Of a page: that it shows this very report, byte for byte; undefined for JSON. */
  readonly pageIsTrue: boolean | undefined;
}

/** @throws ConcordatError FILE_MISSING, FILE_UNREADABLE when it is no report at all */
export async function readReportFile(path: string): Promise<ReportFile> {
  const bytes = await readFileOrExplain(path);
  if (bytes.length > MAX_REPORT_BYTES) throw unreadable(path, `over ${MAX_REPORT_BYTES} bytes`);
  const text = bytes.toString('utf8');
  const isPage = text.startsWith('<!doctype html>');
  const report = parseReport(path, isPage ? pageJson(path, text) : text);
  return { report, standing: standingOf(report), pageIsTrue: isPage ? reportPage(report) === text : undefined };
}

function pageJson(path: string, page: string): string {
  const [report, signature] = [embeddedJson(page, 'report'), embeddedJson(page, 'signature')];
  if (report === undefined) throw unreadable(path, 'a page without a report in it');
  return signature === undefined ? report : `${report.slice(0, report.lastIndexOf('}'))},"signature":${signature}}`;
}

function parseReport(path: string, text: string): SignedReport {
  try {
    return signedReport.parse(JSON.parse(text)) as SignedReport;
  } catch (cause) {
    throw unreadable(path, `not an audit report: ${(cause as Error).message.slice(0, 300)}`);
  }
}

const unreadable = (path: string, why: string): ConcordatError =>
  new ConcordatError('FILE_UNREADABLE', `${path}: ${why}`, { path });

export interface Judgement {
  readonly text: string;
  /** Signed, by whom it should be, shown as signed, and every check in it holds. */
  readonly holds: boolean;
}

/**
 * @param expected whose report it is meant to be; anyone's when left out
 * @param wanted numbers of the checks that must be in it
 */
export function judgeReport(
  { report, standing, pageIsTrue }: ReportFile,
  expected?: Hex,
  wanted: readonly string[] = CHECKS.map(({ id }) => id),
): Judgement {
  const contradiction = contradictionIn(report, wanted);
  const { federation, chainId, headBlock, checksRun, checksFailed } = report;
  const mine = standing.kind === 'signed' && (expected === undefined || standing.signer === expected);
  const lines = [
    `Report on federation ${federation} on chain ${chainId}, up to block ${headBlock}`,
    signedText(standing, expected),
    ...(pageIsTrue === undefined ? [] : [pageIsTrue ? SHOWS_IT : SHOWS_OTHER]),
    checksFailed === 0
      ? `✓ says that all ${checksRun} checks hold`
      : `✗ says that ${checksFailed} of ${checksRun} checks do not hold`,
    ...(contradiction === undefined ? [] : [`✗ contradicts itself: a report ${contradiction}`]),
  ];
  return {
    text: `${lines.join('\n')}\n`,
    holds: mine && pageIsTrue !== false && checksFailed === 0 && contradiction === undefined,
  };
}

const SHOWS_IT = '✓ the page shows this report and nothing else';
const SHOWS_OTHER =
  '✗ the page is not the one that this version makes of its report: altered, or made by another version';

function signedText(standing: Standing, expected: Hex | undefined): string {
  if (standing.kind === 'unsigned') return '✗ NOT SIGNED: nobody stands for it';
  if (standing.kind === 'false') return `✗ NOT SIGNED RIGHTLY: ${standing.why}`;
  if (expected === undefined)
    return `✓ signed by ${standing.signer} (give --signer to be told whether that is your auditor)`;
  return standing.signer === expected
    ? `✓ signed by ${standing.signer}`
    : `✗ signed by ${standing.signer}, and not by ${expected}`;
}
