// Reads YAML that came from elsewhere: bounded, core schema only, one document, no custom tags, no alias bombs.
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConcordatError, type ErrorCode } from '../errors.ts';

const MAX_CHARACTERS = 1_000_000;
/** The parser's own guard against exponential expansion; a contract of 1,000 fields may share one anchor. */
const MAX_ALIASES = 2_000;

/**
 * Parses and validates. `code` is what a fault is reported as; the detail names the path inside the document.
 * @throws ConcordatError `code`
 */
export function parseYaml<T extends z.ZodType>(source: string, schema: T, code: ErrorCode): z.output<T> {
  if (source.length > MAX_CHARACTERS) {
    throw new ConcordatError(code, `${source.length} characters, at most ${MAX_CHARACTERS}`);
  }
  const document = parseDocument(source, { schema: 'core', version: '1.2', uniqueKeys: true, stringKeys: true });
  // An unknown tag is only a warning to the parser; here it is a fault, since its author meant something we would drop.
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) throw new ConcordatError(code, fault.message.split('\n')[0] ?? 'not YAML', {}, { cause: fault });
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new ConcordatError(code, (cause as Error).message, {}, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') || 'document';
  throw new ConcordatError(code, `${path}: ${issue?.message ?? 'invalid'}`, { path });
}
