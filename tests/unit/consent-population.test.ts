// The simulated population: its shape is what the demonstration needs, and every enrolment is a real, signed one.
import { describe, expect, test } from 'vitest';
import { simulateCustomers } from '../../examples/simulation/customers.ts';
import { describeSummary, generatePopulation, summarisePopulation } from '../../examples/simulation/population.ts';
import { decodeOperation } from '../../protocol/consent/operation.ts';
import { policyOfRecord } from '../../protocol/consent/record.ts';
import {
  ACCESS as BASE_ACCESS,
  DEALER,
  hash32,
  invitations,
  memoryLogStore,
  NOW,
  ORIGIN,
  openBook,
  quotes,
  RELYING_PARTY,
  termsOf,
} from './consent-world.ts';

/** A metric above every floor there is. */
const ACCESS = { ...BASE_ACCESS, attestedAccuracyBps: 9400 };

const ids = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `C${String(i + from).padStart(5, '0')}`);
const populationOf = (customerIds: string[], seed = 'a') => generatePopulation({ seed, customerIds, nowSeconds: NOW });

describe('population', () => {
  test.each(['a', 'b', 'c', 'd'])(
    'seed %s: about 80 % allow the task, on few enough rules for three proofs',
    (seed) => {
      const summary = summarisePopulation(populationOf(ids(700), seed), ACCESS);
      expect(summary.customers).toBe(700);
      expect(summary.covered / 700).toBeGreaterThan(0.74);
      expect(summary.covered / 700).toBeLessThan(0.86);
      expect(summary.distinctCovered).toBeLessThanOrEqual(24);
      expect(summary.distinctPolicies).toBeLessThanOrEqual(45);
      expect(Object.keys(summary.refusedBecause).sort()).toEqual([
        'evidence-too-weak',
        'expired',
        'not-granted',
        'privacy-cap',
      ]);
    },
  );

  test('without an accuracy metric the rules without a floor remain, few enough for one proof', () => {
    const summary = summarisePopulation(populationOf(ids(700)), { ...ACCESS, attestedAccuracyBps: undefined });
    expect(summary.distinctCovered).toBeLessThanOrEqual(16);
    expect(summary.covered / 700).toBeGreaterThan(0.55);
    expect(summary.refusedBecause['metric-stale']).toBeGreaterThan(0);
  });

  test('a customer\u2019s rule depends on the seed and their id alone', () => {
    const all = populationOf(ids(50));
    const some = populationOf(ids(10, 20));
    for (const [id, rule] of some) expect(all.get(id)).toEqual(rule);
    expect(populationOf(ids(50), 'z')).not.toEqual(all);
  });

  test('says on screen that it is simulated', () => {
    expect(describeSummary(summarisePopulation(populationOf(ids(100)), ACCESS))).toMatch(
      /^SIMULATED consent: \d+ of 100 customers/,
    );
  });
});

describe('simulated customers', () => {
  const population = populationOf(ids(60));
  const simulate = (seed = 'keys') =>
    simulateCustomers({
      population,
      terms: termsOf(DEALER),
      rpId: RELYING_PARTY.rpId,
      origin: ORIGIN,
      keySeed: hash32(seed),
      nowSeconds: NOW,
      quote: (policy) => quotes.quote(policy),
      invitationOf: (customerId) => invitations.codeFor(customerId),
    });

  test('all enrol, each under their own rule; a withdrawal takes model-training away and nothing else', async () => {
    const book = await openBook(memoryLogStore());
    const customers = simulate();
    const outcomes = await book.submitAll(customers.enrolments());
    expect(outcomes.filter(({ accepted }) => !accepted)).toEqual([]);
    for (const [id, { policy }] of population) {
      const record = book.recordOf(id);
      expect(record && policyOfRecord(record)).toEqual(policy);
    }
    const willing = [...population.keys()].find((id) => book.decide(id, ACCESS)?.allow === true) ?? '';
    await book.submit(customers.withdraw(willing, 'model-training', NOW + 60));
    expect(book.decide(willing, ACCESS)).toEqual({ allow: false, reason: 'not-granted' });
    expect(book.recordOf(willing)?.grants['lead-scoring']).toContain('+');
    await book.submit(customers.withdraw(willing, 'lead-scoring', NOW + 120));
    expect(book.recordOf(willing)?.seq).toBe(3);
  });

  test('taken up again from the same key seed: the same operations, so the book has them already', async () => {
    const book = await openBook(memoryLogStore());
    const first = simulate().enrolments();
    const again = simulate().enrolments();
    await book.submitAll(first);
    const receipts = await book.submitAll(again);
    expect(receipts.every(({ accepted }) => accepted)).toBe(true);
    expect(book.state().operationCount).toBe(60);
    expect(again.map(({ operation }) => operation)).toEqual(first.map(({ operation }) => operation));
    const other = simulate('other').enrolments();
    expect(decodeOperation(other[0]?.operation ?? new Uint8Array()).subject).not.toBe(book.subjectOf('C00001'));
  });

  test('a dealer who quotes another policy\u2019s digest is found out by the device', () => {
    const lying = simulateCustomers({
      population,
      terms: termsOf(DEALER),
      rpId: RELYING_PARTY.rpId,
      origin: ORIGIN,
      keySeed: hash32('keys'),
      nowSeconds: NOW,
      quote: (policy) => quotes.quote({ ...policy, grants: policy.grants | 1n }),
      invitationOf: (customerId) => invitations.codeFor(customerId),
    });
    expect(() => lying.enrolments()).toThrow('the dealer quoted another policy');
  });
});
