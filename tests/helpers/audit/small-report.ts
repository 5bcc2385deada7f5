// A report made by hand, of three checks and two rounds: what texts, pages and signatures are tried on.
import type { CheckReport, Report } from '../../../auditor/verify.ts';
import { addressNamed } from './chronicle.ts';

export const checkReport = (id: string, more: Partial<CheckReport>): CheckReport => ({
  id,
  title: `Title ${id}`,
  promises: ['P3'],
  meaning: `Meaning of ${id}.`,
  cannot: `What ${id} leaves open.`,
  verdict: 'pass',
  checked: 3,
  failed: 0,
  inconclusive: 0,
  failures: [],
  note: '',
  ms: 5,
  ...more,
});

const [federation, one, two] = [addressNamed('federation'), addressNamed('one'), addressNamed('two')];
const hash = (digit: string): `0x${string}` => `0x${digit.repeat(64)}`;
const round = { openedAt: 1_780_000_000, task: hash('a'), leftOut: [] };
const promise = { id: 'P3', title: 'Live consent', says: 'It says.', leavesOpen: 'It leaves open.' } as const;

/** All holds. */
export const goodReport: Report = {
  formatVersion: 'concordat/1/audit-report',
  protocolVersion: 'concordat/1',
  federation,
  chainId: 7,
  headBlock: 99,
  transcriptHead: hash('b'),
  rounds: { opened: 3, published: 2, failed: 1 },
  madeAt: 1_780_000_500,
  ms: 1_500,
  bundle: { files: 12, bytes: 3_400_000, readMs: 250 },
  promises: [{ ...promise, checks: ['01'], verdict: 'pass' }],
  timeline: [
    {
      ...round,
      round: 1,
      status: 'published',
      dealers: [
        { dealer: one, weight: 5 },
        { dealer: two, weight: 6 },
      ],
      accuracyBps: 6_000,
      aucBps: 5_500,
      model: hash('c'),
    },
    {
      ...round,
      round: 2,
      status: 'published',
      dealers: [{ dealer: one, weight: 5 }],
      leftOut: [two],
      accuracyBps: 7_000,
      aucBps: 6_500,
      epsilonMilli: 1_250,
      model: hash('d'),
    },
    { ...round, round: 3, status: 'failed', reason: 'too <few>', dealers: [] },
  ],
  checks: [checkReport('01', { note: 'a note' })],
  checksRun: 1,
  checksFailed: 0,
};

/** One check fails, and one could not decide. */
export const badReport: Report = {
  ...goodReport,
  promises: [{ ...promise, checks: ['02', '03'], verdict: 'fail' }],
  checks: [
    ...goodReport.checks,
    checkReport('02', {
      verdict: 'fail',
      failed: 22,
      failures: [{ what: 'the root', expected: '0x1', got: '0x2' }, { what: 'the head' }],
    }),
    checkReport('03', {
      verdict: 'inconclusive',
      inconclusive: 1,
      failures: [{ what: 'undecided: a proof', got: 'no calldata' }],
    }),
  ],
  checksRun: 3,
  checksFailed: 2,
};
