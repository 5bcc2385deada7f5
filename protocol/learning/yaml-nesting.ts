// How deep a YAML text nests, before any parser recurses into it: too deep a text ends the whole process, not only its reading.
import { CST, Lexer } from 'yaml';

/** Tasks and contracts nest a dozen deep; layers of a model some more. */
const MAX_FLOW_DEPTH = 100;
/** Blocks nest by indentation, and `- - -` within a line. */
const MAX_INDENT = 200;
const MAX_INDICATORS_PER_LINE = 20;

const OPENING: ReadonlySet<unknown> = new Set(['flow-map-start', 'flow-seq-start']);
const CLOSING: ReadonlySet<unknown> = new Set(['flow-map-end', 'flow-seq-end']);
/** Nest one in another on one line; in braces only the colon may be there many times. */
const INDICATORS: ReadonlySet<unknown> = new Set(['seq-item-ind', 'explicit-key-ind', 'map-value-ind']);
/** The lexer's own, which stand for no character of the source. */
const MARKS: ReadonlySet<unknown> = new Set(['doc-mode', 'flow-error-end', 'scalar']);

export interface NestingFault {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** undefined while it is safe to parse. */
export function nestingFault(source: string): NestingFault | undefined {
  let [at, depth, indicators, isLineStart] = [0, 0, 0, true];
  for (const token of new Lexer().lex(source)) {
    const type = CST.tokenType(token);
    if (type === 'newline') indicators = 0;
    else if (OPENING.has(type)) depth += 1;
    else if (CLOSING.has(type)) depth = Math.max(0, depth - 1);
    else if (type === 'flow-error-end') depth = 0;
    else if (INDICATORS.has(type) && (depth === 0 || type !== 'map-value-ind')) indicators += 1;
    const isIndent = isLineStart && type === 'space' && depth === 0;
    if (depth > MAX_FLOW_DEPTH || indicators > MAX_INDICATORS_PER_LINE || (isIndent && token.length > MAX_INDENT)) {
      return { message: 'nested too deep', start: at, end: at + token.length };
    }
    isLineStart = type === 'newline';
    if (!MARKS.has(type)) at += token.length;
  }
  return undefined;
}
