// Reads YAML that came from elsewhere: bounded, core schema only, one document, no custom tags, no alias bombs.
import { type Document, type LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConcordatError, type ErrorCode } from '../errors.ts';
import { canonicalJson } from './canonical-json.ts';
import { nestingFault } from './yaml-nesting.ts';

const MAX_CHARACTERS = 1_000_000;
/** The parser's own guard against exponential expansion; a contract of 1,000 fields may share one anchor. */
const MAX_ALIASES = 2_000;

export interface SyntaxFault {
  readonly message: string;
  /** Characters from the start of the source. */
  readonly start: number;
  readonly end: number;
  readonly cause?: unknown;
}

export interface ReadYaml {
  /** Absent when the source is too long to be looked at. */
  readonly document?: Document;
  /** Only without faults. */
  readonly value?: unknown;
  readonly faults: readonly SyntaxFault[];
}

/** Everything that is wrong with a source before a schema is asked. */
export function readYaml(source: string, lineCounter?: LineCounter): ReadYaml {
  if (source.length > MAX_CHARACTERS) {
    const message = `${source.length} characters, at most ${MAX_CHARACTERS}`;
    return { faults: [{ message, start: 0, end: 0 }] };
  }
  const tooDeep = nestingFault(source);
  if (tooDeep !== undefined) return { faults: [tooDeep] };
  const options = { schema: 'core', version: '1.2', uniqueKeys: true, stringKeys: true } as const;
  const document = parseDocument(source, { ...options, ...(lineCounter && { lineCounter }) });
  // An unknown tag is only a warning to the parser; here it is a fault, since its author meant something we would drop.
  const faults = [...document.errors, ...document.warnings].map((cause): SyntaxFault => {
    const [start, end] = cause.pos;
    return { message: cause.message.split('\n')[0] ?? 'not YAML', start, end, cause };
  });
  if (faults.length > 0) return { document, faults };
  try {
    return { document, value: document.toJS({ maxAliasCount: MAX_ALIASES }), faults };
  } catch (cause) {
    return { document, faults: [{ message: (cause as Error).message, start: 0, end: 0, cause }] };
  }
}

/**
 * Parses and validates. `code` is what a fault is reported as; the detail names the path inside the document.
 * @throws ConcordatError `code`
 */
export function parseYaml<T extends z.ZodType>(source: string, schema: T, code: ErrorCode): z.output<T> {
  const { value, faults } = readCanonical(source) ?? readYaml(source);
  const [fault] = faults;
  if (fault) throw new ConcordatError(code, fault.message, {}, { cause: fault.cause });
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') || 'document';
  throw new ConcordatError(code, `${path}: ${issue?.message ?? 'invalid'}`, { path });
}

/**
 * Documents that machines exchange are canonical JSON, and nothing else may be in their place: a YAML parser takes minutes over a
 * megabyte that was made for that. @throws ConcordatError `code`
 */
export function requireCanonical(source: string, code: ErrorCode): void {
  if (readCanonical(source) === undefined) throw new ConcordatError(code, 'not the canonical JSON of a document');
}

/** No key twice, no comment, no alias: what any reader of YAML would read too, in a fraction of the time. */
function readCanonical(source: string): ReadYaml | undefined {
  if (source.length > MAX_CHARACTERS || !source.startsWith('{') || nestingFault(source) !== undefined) return undefined;
  try {
    const value: unknown = JSON.parse(source);
    return canonicalJson(value) === source ? { value, faults: [] } : undefined;
  } catch {
    return undefined;
  }
}
