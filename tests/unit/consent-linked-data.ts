// JSON-LD expansion, as much of it as prefixes and inlined values need: every key, type and reference as a full IRI.
import type { JsonLd } from '../../protocol/consent/json-ld.ts';

type Node = Readonly<Record<string, unknown>>;
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:[^\s]+$/;

/** @throws Error for a key or reference that no prefix and no scheme makes absolute, and for keywords we do not use */
export function expand(document: JsonLd): Node {
  const { '@context': context, ...body } = document;
  if (!isNode(context)) throw new Error('the context is not inlined');
  const iri = (name: string): string => {
    const [prefix = '', rest] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)];
    const namespace = context[prefix];
    const full = typeof namespace === 'string' ? namespace + rest : name;
    if (!ABSOLUTE.test(full)) throw new Error(`not an IRI: ${name}`);
    return full;
  };
  const types = (value: unknown): string[] => [value].flat().map((type) => iri(String(type)));
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (!isNode(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => {
        if (key === '@id') return [key, iri(String(inner))];
        if (key === '@type') return [key, types(inner)];
        if (key === '@value') return [key, inner];
        if (key.startsWith('@')) throw new Error(`keyword ${key}`);
        return [iri(key), walk(inner)];
      }),
    );
  };
  return walk(body) as Node;
}

/** Every IRI of an expanded document: keys, types, references. */
export function irisOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(irisOf);
  if (!isNode(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === '@id') return [String(inner)];
    if (key === '@type') return inner as string[];
    return key === '@value' ? [] : [key, ...irisOf(inner)];
  });
}
