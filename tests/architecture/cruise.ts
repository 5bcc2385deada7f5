// dependency-cruiser with the house's rules, over the house or over a planted one.
import { createRequire } from 'node:module';
import { cruise, type ICruiseResult, type IFlattenedRuleSet, type IResolveOptions } from 'dependency-cruiser';

interface CruiserConfig {
  readonly forbidden: NonNullable<IFlattenedRuleSet['forbidden']>;
  readonly options: { readonly enhancedResolveOptions: IResolveOptions } & Record<string, unknown>;
}

const { forbidden, options } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as CruiserConfig;

export const RULE_NAMES: readonly string[] = forbidden.map((rule) => rule.name ?? 'unnamed');

export interface Cruised {
  /** `rule: from -> to`, as a person reads it. */
  readonly violations: readonly string[];
  readonly rulesBroken: ReadonlySet<string>;
  /** Every file that was read (not merely named by an import). */
  readonly sources: readonly string[];
}

export async function cruiseTree(baseDir: string, paths: readonly string[]): Promise<Cruised> {
  const { enhancedResolveOptions, ...rest } = options;
  const result = await cruise(
    [...paths],
    { ...rest, baseDir, validate: true, ruleSet: { forbidden } },
    enhancedResolveOptions,
  );
  const { modules, summary } = result.output as ICruiseResult;
  return {
    violations: summary.violations.map((found) => `${found.rule.name}: ${found.from} -> ${found.to}`),
    rulesBroken: new Set(summary.violations.map((found) => found.rule.name)),
    sources: modules
      .filter((module) => !module.coreModule && module.followable !== false)
      .map((module) => module.source),
  };
}
