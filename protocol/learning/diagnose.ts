// Everything that is wrong with a task or a data contract, each fault with its line, what is wrong and what to write instead.
// The rules are those of parseTask and parseDataContract, which throw the first of these faults.
import { LineCounter } from 'yaml';
import type { z } from 'zod';
import { ConcordatError } from '../errors.ts';
import { type ContractFault, contractFaults, fieldFaults } from './contract-faults.ts';
import { type DataContractDocument, dataContractSchema, propertySchema } from './contract-schema.ts';
import { type DataContract, PROPERTIES_AT } from './data-contract.ts';
import { featureCount } from './features.ts';
import { contractJsonSchema, taskJsonSchema, type WordedSchema } from './published-schema.ts';
import { closest, expectation, type JsonSchema, keysOf, schemaAt, valueAt, wordsOf } from './schema-guide.ts';
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
    return { value: undefined, findings, find };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value, findings: [], find };
  const guide = published().schema;
  const findings = parsed.error.issues.flatMap((issue) => describe(issue, value, guide, find));
  return { value, findings, find };
}

type Issue = z.core.$ZodIssue;

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

/** Each fault once, although aliases lead to it from many places; in the order of the source. What is missing differs in its remedy. */
function inOrder(findings: readonly Finding[]): Finding[] {
  const unique = new Map<string, Finding>();
  for (const found of findings) {
    const name = JSON.stringify([found.line, found.column, found.problem, found.remedy]);
    if (!unique.has(name)) unique.set(name, found);
  }
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Where a fault of `outputFaults` or `measureFaults`, or of a strategy that wants another loss, is about what the model puts out. */
const OF_OUTPUT = /^(model\.(loss|positiveWeight|layers\.\d+)|evaluation\.(decisionThreshold|tolerance))$/;

export interface ExaminedTask {
  /** Parts that fit the schema. */
  readonly parts: Partial<TaskDocument>;
  /** A fault of the caller's own, where the path stands. */
  at(path: string, problem: string, remedy: string): Finding;
  /** All faults; with the contract, also those between the two. */
  findings(contract?: DataContract): Finding[];
}

export function examineTask(source: string): ExaminedTask {
  const reading = read(source, taskSchema, taskJsonSchema);
  const parts = partsOf(reading.value);
  const located = ({ path, advice }: TaskFault): Finding => reading.find(path.split('.'), ...split(advice));
  const rules = taskFaults(parts);
  return {
    parts,
    at: (path, problem, remedy) => reading.find(path.split('.'), problem, remedy),
    findings(contract) {
      const match = contract ? contractMatchFaults(parts, contract) : [];
      // of a model for another kind of label, advice on its output would lead further astray
      const astray = match.some(({ path }) => path === 'model.loss');
      const sound = astray ? rules.filter(({ path }) => !OF_OUTPUT.test(path)) : rules;
      const all = [...reading.findings, ...[...sound, ...match].map(located)];
      if (!contract) return inOrder(all);
      return inOrder(all.length > 0 ? all : layoutFaults(parts as TaskDocument, contract).map(located));
    },
  };
}

function partsOf(value: unknown): Partial<TaskDocument> {
  const entries = Object.entries(taskSchema.shape).flatMap(([key, schema]) => {
    const parsed = schema.safeParse(valueAt(value, [key]));
    return parsed.success ? [[key, parsed.data]] : [];
  });
  return Object.fromEntries(entries);
}

/** A whole task whose vector does not fit a round. */
function layoutFaults(task: TaskDocument, contract: DataContract): TaskFault[] {
  try {
    vectorOf(task, featureCount(contract));
    return [];
  } catch (error) {
    if (!(error instanceof ConcordatError)) throw error;
    const path = String(error.fields.path ?? 'model');
    return [{ path, advice: (error.detail ?? error.code).replace(`${path}: `, '') }];
  }
}

export function examineContract(source: string): Finding[] {
  const { value, findings, find } = read(source, dataContractSchema, contractJsonSchema);
  const located = ({ at, detail }: ContractFault): Finding => find(at, ...split(detail));
  if (findings.length === 0) {
    const properties = (value as DataContractDocument).schema[0]?.properties ?? [];
    return inOrder(contractFaults(properties, PROPERTIES_AT).map(located));
  }
  const properties = valueAt(value, PROPERTIES_AT);
  const fields = Array.isArray(properties) ? properties : [];
  const sound = fields.flatMap((property: unknown, i) => {
    const parsed = propertySchema.safeParse(property);
    return parsed.success ? fieldFaults(parsed.data, [...PROPERTIES_AT, i]) : [];
  });
  return inOrder([...findings, ...sound.map(located)]);
}
