// From a path inside a YAML document to the line it stands on, through aliases, or to the nearest place that is there.
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  /** Characters on that line that are meant; at least 1. */
  readonly length: number;
}

/** A thing's own place, or that of the key which names it. */
export type Aim = 'value' | 'key';

export interface Places {
  of(path: readonly PropertyKey[], aim: Aim): Place;
  between(start: number, end: number): Place;
}

export function createPlaces(source: string, document: Document | undefined, lines: LineCounter): Places {
  const last = Math.max(0, source.trimEnd().length - 1);
  const between = (start: number, end: number): Place => {
    const from = Math.min(start, last); // a parser that misses an end looks beyond the last line
    const { line, col } = lines.linePos(from);
    const lineEnd = source.indexOf('\n', from);
    const until = Math.min(end, lineEnd < 0 ? source.length : lineEnd);
    return { line: Math.max(1, line), column: Math.max(1, col), length: Math.max(1, until - from) };
  };
  const of = (path: readonly PropertyKey[], aim: Aim): Place => {
    const [start, end] = rangeOf(document, path, aim) ?? [0, 0];
    return between(start, end);
  };
  return { of, between };
}

type Range = readonly [start: number, end: number];

/** As far down the path as the document goes. */
function rangeOf(document: Document | undefined, path: readonly PropertyKey[], aim: Aim): Range | undefined {
  let node: unknown = document?.contents;
  let key = rangeOfNode(node);
  let value = key;
  for (const step of path) {
    const parent = isAlias(node) && document ? node.resolve(document) : node;
    const pair = isMap(parent) ? parent.items.find((item) => nameOf(item) === String(step)) : undefined;
    const inside = pair ? pair.value : isSeq(parent) ? parent.items[Number(step)] : undefined;
    if (pair === undefined && inside === undefined) return key;
    node = inside;
    value = rangeOfNode(node) ?? value;
    key = rangeOfNode(pair?.key) ?? value;
  }
  return aim === 'key' ? key : value;
}

const nameOf = ({ key }: Pair): string => String(isScalar(key) ? key.value : key);

function rangeOfNode(node: unknown): Range | undefined {
  const range = (node as Partial<Node> | undefined | null)?.range;
  return range ? [range[0], range[1]] : undefined;
}
