// The courier to one witness: tries again what may pass, stops at a verdict, and is not led in circles by a liar.
import { beforeEach, expect, test } from 'vitest';
import type { AnchorProposal } from '../../edge-node/consent/anchor-proposal.ts';
import { type CoSigned, type CourierParts, createCourier } from '../../edge-node/courier.ts';
import { hexWord } from '../../protocol/consent/hex-schema.ts';
import { ConcordatError, type ErrorCode } from '../../protocol/errors.ts';
import { DEALER, faultOf } from './consent-world.ts';
import { SILENT } from './coordinator-world.ts';

const SIGNED: CoSigned = { signer: DEALER, signature: hexWord(1n) };
const proposalOf = (epoch: number): AnchorProposal => ({
  firstIndex: epoch - 1,
  entries: [],
  anchor: {
    dealer: DEALER,
    epoch,
    bucketsRoot: hexWord(1n),
    subjectsRoot: hexWord(1n),
    logHead: hexWord(1n),
    operationCount: epoch,
  },
});
const fault = (code: ErrorCode, epoch?: number) => new ConcordatError(code, 'refused', { epoch });

let sent: number[];
let slept: number[];
let stopping: AbortController;
beforeEach(() => {
  sent = [];
  slept = [];
  stopping = new AbortController();
});

/** Each answer in turn, then signatures. */
function courierWith(answers: (ConcordatError | 'sign')[], change: Partial<CourierParts> = {}) {
  return createCourier({
    url: 'http://witness',
    send: async (_url, { anchor }) => {
      sent.push(anchor.epoch);
      const answer = answers.shift() ?? 'sign';
      if (answer !== 'sign') throw answer;
      return SIGNED;
    },
    anchoredBetween: async (epoch, before) =>
      Array.from({ length: before - epoch - 1 }, (_, i) => proposalOf(epoch + 1 + i)),
    clock: { nowMs: () => 0, sleep: async (ms) => void slept.push(ms) },
    signal: stopping.signal,
    log: SILENT,
    ...change,
  });
}

test('what may pass is tried again, ever more slowly', async () => {
  const down = Array.from({ length: 9 }, (_, i) => fault(i % 2 === 0 ? 'TIMED_OUT' : 'CHAIN_UNREACHABLE'));
  expect(await courierWith(down).deliver(proposalOf(1))).toEqual(SIGNED);
  expect(slept).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
});

test.each(['ANCHOR_EQUIVOCATION', 'ANCHOR_MISMATCH', 'PASSKEY_REFUSED', 'SIGNATURE_INVALID'] as const)(
  '%s is a verdict',
  async (code) => {
    const courier = courierWith([fault(code)]);
    expect(await faultOf(() => courier.deliver(proposalOf(1)))).toBe(code);
    expect(sent).toEqual([1]);
  },
);

test('a witness that lags behind is brought what it lacks, in order, and then the proposal', async () => {
  await courierWith([fault('LOG_GAP', 2)]).deliver(proposalOf(6));
  expect(sent).toEqual([6, 3, 4, 5, 6]);
  expect(slept).toEqual([]);
});

test('it goes down while it is caught up: begun again where it says', async () => {
  await courierWith([fault('LOG_GAP', 0), 'sign', fault('TIMED_OUT'), fault('LOG_GAP', 1)]).deliver(proposalOf(4));
  expect(sent).toEqual([4, 1, 2, 4, 2, 3, 4]);
});

test.each([undefined, -1, 1.5, 4, 5, 99])(
  'a gap that makes no sense (%s) is waited out, not worked on',
  async (epoch) => {
    const anchoredBetween = async () => {
      throw new Error('must not be asked');
    };
    const gaps = Array.from({ length: 6 }, () => fault('LOG_GAP', epoch));
    expect(await courierWith(gaps, { anchoredBetween }).deliver(proposalOf(5))).toEqual(SIGNED);
    expect(slept).toEqual([100, 200, 400]);
  },
);

test('a newer proposal takes the place of one that waits; the last one arrives', async () => {
  let release = (): void => undefined;
  const clock = { nowMs: () => 0, sleep: () => new Promise<void>((resolve) => (release = resolve)) };
  const courier = courierWith([fault('TIMED_OUT')], { clock });
  const first = faultOf(() => courier.deliver(proposalOf(1)));
  await new Promise((resolve) => setImmediate(resolve));
  const second = courier.deliver(proposalOf(2));
  release();
  expect(await first).toBe('TIMED_OUT');
  expect(await second).toEqual(SIGNED);
  expect(sent).toEqual([1, 2]);
});

test('stopped, it asks nobody', async () => {
  stopping.abort();
  expect(await faultOf(() => courierWith([]).deliver(proposalOf(1)))).toBe('TIMED_OUT');
  expect(sent).toEqual([]);
});
