// Everything that is wrong with a task or a data contract, each fault with its line, what is wrong and what to write instead.
// The rules are those of parseTask and parseDataContract, which throw the first of these faults.
import { LineCounter } from 'yaml';
import type { z } from 'zod';
import { ConcordatError } from '../errors.ts';
import { type ContractFault, contractFaults } from './contract-faults.ts';
import { dataContractSchema } from './contract-schema.ts';
import { type DataContract, PROPERTIES_AT } from './data-contract.ts';
import { featureCount } from './features.ts';
import { knownField } from './field-sketch.ts';
import { dpSchema } from './privacy/terms.ts';
import { contractJsonSchema, taskJsonSchema, type WordedSchema } from './published-schema.ts';
import { closest, expectation, type JsonSchema, keysOf, schemaAt, valueAt, wordsOf } from './schema-guide.ts';
import { type Sketch, sketchOf } from './sketch.ts';
import type { TaskFault } from './strategies/strategy.ts';
import type { TaskDocument } from './task.ts';
import { contractMatchFaults, taskFaults } from './task-faults.ts';
import { taskSchema } from './task-schema.ts';
import { vectorOf } from './vector.ts';
import { readYaml } from './yaml.ts';
import { type Aim, createPlaces, type Place } from './yaml-places.ts';

export interface Finding extends Place {
  /** Keys and places in lists, dotted. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

interface Reading {
  readonly value: unknown;
  /** Syntax and schema. */
  readonly findings: readonly Finding[];
  /** Where a value is missing or unfit, and what an unknown key was probably meant to be. */
  readonly unfit: readonly (readonly PropertyKey[])[];
  readonly find: (path: readonly PropertyKey[], problem: string, remedy: string, aim?: Aim) => Finding;
}

/** The parser's words are about syntax; what to do about them is always the same. */
const SYNTAX_REMEDY = 'mend the YAML here: indentation, quotes and brackets';

function read(source: string, schema: z.ZodType, published: () => WordedSchema): Reading {
  const lines = new LineCounter();
  const { document, value, faults } = readYaml(source, lines);
  const places = createPlaces(source, document, lines);
  const find: Reading['find'] = (path, problem, remedy, aim = 'value') => ({
    ...places.of(path, aim),
    path: path.join('.') || 'document',
    problem,
    remedy,
  });
  if (faults.length > 0) {
    const findings = faults.map(({ message, start, end }) => ({
      ...places.between(start, end),
      path: 'document',
      problem: placeless(message),
      remedy: SYNTAX_REMEDY,
    }));
    return { value: undefined, findings, unfit: [], find };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value, findings: [], unfit: [], find };
  const guide = published().schema;
  const { issues } = parsed.error;
  const { meant, misspelt } = asMeant(value, issues, guide);
  const beside = misspelt.length === 0 ? issues : (schema.safeParse(meant).error?.issues ?? []);
  const findings = [
    ...misspelt.flatMap((issue) => describe(issue, value, guide, find)),
    ...beside.flatMap((issue) => describe(issue, meant, guide, find)),
  ];
  return { value: meant, findings, unfit: beside.flatMap((issue) => unfitAt(issue, meant, guide)), find };
}

/**
 * A schema stops at a misspelt word that tells several shapes apart: kind, name, mode, map. Where it is plain which word was meant,
 * what stands beside it is read as if that one stood there.
 */
function asMeant(value: unknown, issues: readonly Issue[], guide: JsonSchema) {
  const meant = structuredClone(value);
  const misspelt = issues.filter((issue) => {
    const found = valueAt(value, issue.path);
    if (issue.code !== 'invalid_union' || !issue.discriminator || typeof found !== 'string') return false;
    const word = closest(found, wordsOf(schemaAt(guide, value, issue.path)));
    // a shorter one is one or two letters from anything
    if (word === undefined || found.length < 4) return false;
    return Reflect.set(valueAt(meant, issue.path.slice(0, -1)) as object, issue.discriminator, word);
  });
  return { meant, misspelt };
}

type Issue = z.core.$ZodIssue;

function unfitAt(issue: Issue, value: unknown, guide: JsonSchema): (readonly PropertyKey[])[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(guide, value, issue.path));
    return issue.keys.flatMap((key) => {
      const meant = [...issue.path, closest(key, known) ?? key];
      return [[...issue.path, key], ...(valueAt(value, meant) === undefined ? [meant] : [])];
    });
  }
  // without the key that tells several shapes apart, nobody knows what the others beside it mean
  return [issue.code === 'invalid_union' && issue.discriminator ? issue.path.slice(0, -1) : issue.path];
}

function describe(issue: Issue, value: unknown, guide: JsonSchema, find: Reading['find']): Finding[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(guide, value, issue.path));
    return issue.keys.map((key) => {
      const meant = closest(key, known);
      const remedy = meant ? `write ${meant}, or leave it out` : `leave it out; here may stand ${known.join(', ')}`;
      return find([...issue.path, key], `${key} is not known here`, remedy, 'key');
    });
  }
  const schema = schemaAt(guide, value, issue.path);
  const expected = expectation(schema);
  const about = typeof schema?.description === 'string' ? ` (${schema.description})` : '';
  if (valueAt(value, issue.path) === undefined) {
    const remedy = `add ${issue.path.at(-1)?.toString()}: ${expected ?? 'a value'}${about}`;
    return [find(issue.path, 'is missing', remedy, 'key')];
  }
  const remedy = expected ? `give ${expected}${about}` : `give another value${about}`;
  return [find(issue.path, problemOf(issue, valueAt(value, issue.path), schema), remedy)];
}

/** A mistyped word is shown with what was probably meant; the whole list is in the remedy. */
function problemOf(issue: Issue, found: unknown, schema: JsonSchema | undefined): string {
  if (issue.code !== 'invalid_union' && issue.code !== 'invalid_value') return misfit(issue, found);
  if (typeof found !== 'string') return 'is not what may stand here';
  const meant = closest(found, wordsOf(schema));
  return meant ? `${short(found)} is not known; is it ${meant}?` : `${short(found)} is not known`;
}

/** What was found, rather than what a parser expected: the remedy says that. */
function misfit(issue: Issue, found: unknown): string {
  const { code } = issue;
  if (Number.isFinite(found)) {
    if (code === 'too_small') return `${found} is too small`;
    if (code === 'too_big') return `${found} is too large`;
    if (code === 'invalid_type')
      return issue.expected === 'int' ? `${found} is no whole number` : `${found} is a number`;
  }
  if (code === 'invalid_type' && typeof found === 'string') return `"${short(found)}" is a text`;
  return worded(issue.message);
}

const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

const worded = (message: string): string => message.replace(/^Invalid \w+: |^Too \w+: /, '');
const placeless = (message: string): string => message.replace(/ at line \d+, column \d+:?$/, '');

/** "what is wrong: what to write" */
function split(advice: string): readonly [problem: string, remedy: string] {
  const at = advice.indexOf(': ');
  return at < 0 ? [advice, 'change this, or what it has to fit'] : [advice.slice(0, at), advice.slice(at + 2)];
}

/** In the order of the source. */
export const byPlace = (a: Place, b: Place): number => a.line - b.line || a.column - b.column;

/** Each fault once, although aliases lead to it from many places; in the order of the source. What is missing differs in its remedy. */
function inOrder(findings: readonly Finding[]): Finding[] {
  const unique = new Map<string, Finding>();
  for (const found of findings) {
    const name = JSON.stringify([found.line, found.column, found.problem, found.remedy]);
    if (!unique.has(name)) unique.set(name, found);
  }
  return [...unique.values()].sort(byPlace);
}

export interface ExaminedTask {
  /** What fits the schema. */
  readonly parts: Sketch<TaskDocument>;
  /** A fault of the caller's own, where the path stands. */
  at(path: string, problem: string, remedy: string): Finding;
  /** All faults; with the contract, also those between the two. */
  findings(contract?: DataContract): Finding[];
}

export function examineTask(source: string): ExaminedTask {
  const reading = read(source, taskSchema, taskJsonSchema);
  const parts = partsOf(reading);
  const located = ({ path, advice }: TaskFault): Finding => reading.find(path.split('.'), ...split(advice));
  return {
    parts,
    at: (path, problem, remedy) => reading.find(path.split('.'), problem, remedy),
    findings(contract) {
      const match = contract ? contractMatchFaults(parts, contract) : [];
      // what stands there breaks the schema: that is said already
      const unfit = new Set(reading.unfit.map((path) => path.join('.')));
      const rules = taskFaults(parts, contract).filter(({ path }) => !unfit.has(path));
      const faulty = [...unfit, ...[...rules, ...match].map(({ path }) => path)];
      const layout = contract && reading.value !== undefined ? layoutFaults(parts, contract, faulty) : [];
      // but the contract knows the very value: any hash would satisfy the schema
      const matched = new Set(match.map(({ path }) => path));
      const budgeted = parts.privacy?.mode === 'none' && rules.some(({ path }) => path === 'privacy.mode');
      const schema = reading.findings.filter(
        ({ path }) => !matched.has(path) && !(budgeted && BUDGET_KEYS.has(path)), // with a budget, they are known there
      );
      return inOrder([...schema, ...[...rules, ...match, ...layout].map(located)]);
    },
  };
}

const BUDGET_KEYS = new Set(Object.keys(dpSchema.shape).map((key) => `privacy.${key}`));

/** With the schema's defaults, but for a key that was misspelt. */
function partsOf({ value, unfit }: Reading): Sketch<TaskDocument> {
  const entries = Object.entries(taskSchema.shape).flatMap(([key, schema]) => {
    const given = valueAt(value, [key]);
    const parsed = schema.safeParse(given);
    if (parsed.success) return parsed.data === undefined ? [] : [[key, parsed.data]];
    return given === undefined ? [] : [[key, given]];
  });
  return sketchOf<TaskDocument>(Object.fromEntries(entries), unfit) ?? {};
}

/** What decides the size of a dealer's vector; and, of it, what does not. */
const OF_LAYOUT = /^$|^(model|strategy|rounds|update|privacy|evaluation)\b/;
const NOT_OF_LAYOUT =
  /^(model\.(l2|positiveWeight)|update\.(clipNorm|weightBound)|privacy\.(epsilon|clipNorm)|evaluation\.(decisionThreshold|tolerance))$/;

/** Whether the vector fits a round, and the model its columns: looked at once everything that decides it is without fault. */
function layoutFaults(parts: Sketch<TaskDocument>, contract: DataContract, faulty: readonly string[]): TaskFault[] {
  if (faulty.some((path) => OF_LAYOUT.test(path) && !NOT_OF_LAYOUT.test(path))) return [];
  try {
    vectorOf(parts as TaskDocument, featureCount(contract));
    return [];
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    const path = String(error.fields.path ?? 'model');
    return [{ path, advice: (error.detail ?? error.code).replace(`${path}: `, '') }];
  }
}

export function examineContract(source: string): Finding[] {
  const { value, findings, unfit, find } = read(source, dataContractSchema, contractJsonSchema);
  const properties = valueAt(value, PROPERTIES_AT);
  const isUnfit = unfit.some((path) => path.length <= 3 && path.every((key, i) => key === PROPERTIES_AT[i]));
  if (isUnfit || !Array.isArray(properties)) return inOrder(findings);
  const faults = contractFaults(properties.map(knownField), PROPERTIES_AT);
  const located = ({ at, detail }: ContractFault): Finding => find(at, ...split(detail));
  return inOrder([...findings, ...faults.map(located)]);
}
