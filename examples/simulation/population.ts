// SIMULATED consent: CoIL 2000 has no consent data, so each customer is dealt a rule from a catalogue, by seed.
import { bytesToUint, sha256, utf8ToBytes } from '../../protocol/bytes.ts';
import { type Access, type DenialReason, evaluate } from '../../protocol/consent/evaluate.ts';
import { type Policy, packConditions } from '../../protocol/consent/policy.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { type Archetype, type CatalogueRule, ruleCatalogue } from './rule-catalogue.ts';

export interface SimulatedRule {
  readonly archetype: Archetype;
  readonly policy: Policy;
}

/** Customer id -> the rule they were dealt, in the order of the ids given. */
export type Population = ReadonlyMap<string, SimulatedRule>;

interface PopulationOptions {
  readonly seed: string;
  readonly customerIds: readonly string[];
  /** Unix seconds; expiries are quarters counted from here. */
  readonly nowSeconds: number;
}

/** Uniform in [0, 1) from 48 bits of a hash: a customer's rule depends on seed and id alone, not on who their dealer is. */
function uniform(seed: string, customerId: string): number {
  const hash = sha256(utf8ToBytes(`population/${seed}/${customerId}`));
  return Number(bytesToUint(hash.subarray(0, 6))) / 2 ** 48;
}

function draw(catalogue: readonly CatalogueRule[], total: number, at: number): CatalogueRule {
  let rest = at * total;
  for (const rule of catalogue) {
    rest -= rule.weight;
    if (rest < 0) return rule;
  }
  const last = catalogue.at(-1);
  if (last === undefined) throw new ConcordatError('STATE_CORRUPT', 'an empty catalogue');
  return last;
}

export function generatePopulation({ seed, customerIds, nowSeconds }: PopulationOptions): Population {
  const catalogue = ruleCatalogue(nowSeconds);
  const total = catalogue.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(
    customerIds.map((customerId) => {
      const { archetype, policy } = draw(catalogue, total, uniform(seed, customerId));
      return [customerId, { archetype, policy }];
    }),
  );
}

export interface PopulationSummary {
  readonly customers: number;
  readonly distinctPolicies: number;
  readonly covered: number;
  readonly distinctCovered: number;
  readonly refusedBecause: Readonly<Partial<Record<DenialReason, number>>>;
}

/** How the population answers one access. */
export function summarisePopulation(population: Population, access: Access): PopulationSummary {
  const policies = new Set<string>();
  const covering = new Set<string>();
  const refusedBecause: Partial<Record<DenialReason, number>> = {};
  let covered = 0;
  for (const { policy } of population.values()) {
    const name = `${policy.grants}/${packConditions(policy.conditions)}`;
    policies.add(name);
    const decision = evaluate(policy, access);
    if (decision.allow) {
      covered += 1;
      covering.add(name);
    } else {
      refusedBecause[decision.reason] = (refusedBecause[decision.reason] ?? 0) + 1;
    }
  }
  const distinctPolicies = policies.size;
  return { customers: population.size, distinctPolicies, covered, distinctCovered: covering.size, refusedBecause };
}

/** One line for the screen; says that it is simulated. */
export function describeSummary(summary: PopulationSummary): string {
  const share = (count: number) => `${((100 * count) / Math.max(1, summary.customers)).toFixed(1)} %`;
  const refusals = Object.entries(summary.refusedBecause).map(([reason, count]) => `${reason} ${share(count)}`);
  const { customers, distinctPolicies, covered, distinctCovered } = summary;
  const allowed = `${covered} of ${customers} customers (${share(covered)}) allow it`;
  return `SIMULATED consent: ${allowed}, ${distinctCovered} of ${distinctPolicies} distinct rules; refused: ${refusals.join(', ') || 'none'}`;
}
