// Mutated payloads and messages for the fuzzers: what to change is drawn by fast-check, how to change it is here.
import fc from 'fast-check';
import { PRIMES, RING_DEGREE } from '../../protocol/secagg/block.ts';

const POLYNOMIAL_BYTES = (30 * RING_DEGREE) / 8;
const HEADER = 8;
const place = fc.nat();

export const payloadMutation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip'), at: place, bit: fc.nat({ max: 7 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('byte'), at: place, byte: fc.nat({ max: 255 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut'), at: place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('grow'), by: fc.integer({ min: 1, max: 70 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shift'), by: fc.integer({ min: 1, max: 70 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('header'), at: fc.nat({ max: HEADER - 1 }), byte: fc.nat({ max: 255 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('residue'),
      at: place,
      // relative to the prime, but for the last two
      value: fc.constantFrom('p-1', 'p', 'p+1', 'most', 'zero'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('exchange'), from: place, to: place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ones'), at: place, length: fc.nat({ max: 40 }) }) },
);
export type PayloadMutation = typeof payloadMutation extends fc.Arbitrary<infer Mutation> ? Mutation : never;

/** Residue `i` of a payload, read from the five bytes that it lies in: unlike the parser, which goes by groups of words. */
export function readResidue(payload: Uint8Array, i: number): number {
  const [at, shift] = [HEADER + ((30 * i) >> 3), (30 * i) & 7];
  const low = (payload[at] ?? 0) | ((payload[at + 1] ?? 0) << 8) | ((payload[at + 2] ?? 0) << 16);
  const high = (payload[at + 3] ?? 0) | ((payload[at + 4] ?? 0) << 8);
  return ((low >>> shift) | (high << (24 - shift))) & (2 ** 30 - 1);
}

function writeResidue(payload: Uint8Array, i: number, value: number): void {
  for (let k = 0, bit = 30 * i; k < 30; k++, bit++) {
    const at = HEADER + Math.floor(bit / 8);
    const mask = 1 << (bit % 8);
    payload[at] = Math.floor(value / 2 ** k) % 2 === 1 ? (payload[at] ?? 0) | mask : (payload[at] ?? 0) & ~mask;
  }
}

export const primeOf = (i: number): number => PRIMES[Math.floor(i / RING_DEGREE) % PRIMES.length] ?? 1;

/** A copy with the changes, one after the other; each finds its place in what the ones before it left. */
export function mutatePayload(payload: Uint8Array, mutations: readonly PayloadMutation[]): Uint8Array {
  let out = new Uint8Array(payload);
  for (const mutation of mutations) out = mutateOnce(out, mutation);
  return out;
}

function mutateOnce(out: Uint8Array<ArrayBuffer>, m: PayloadMutation): Uint8Array<ArrayBuffer> {
  const length = Math.max(out.length, 1);
  switch (m.kind) {
    case 'flip':
      out[m.at % length] = (out[m.at % length] ?? 0) ^ (1 << m.bit);
      return out;
    case 'byte':
      out[m.at % length] = m.byte;
      return out;
    case 'cut':
      return out.slice(0, m.at % (out.length + 1));
    case 'grow': {
      const longer = new Uint8Array(out.length + m.by);
      longer.set(out);
      return longer;
    }
    case 'shift': {
      // a view that starts at an odd place: the bytes are the same
      const moved = new Uint8Array(out.length + m.by);
      moved.set(out, m.by);
      return moved.subarray(m.by);
    }
    case 'header':
      out[m.at] = m.byte;
      return out;
    case 'residue': {
      const residues = Math.floor(((length - HEADER) * 8) / 30);
      if (residues < 1) return out;
      const i = m.at % residues;
      const p = primeOf(i);
      writeResidue(out, i, { 'p-1': p - 1, p, 'p+1': p + 1, most: 2 ** 30 - 1, zero: 0 }[m.value]);
      return out;
    }
    case 'exchange': {
      // whole polynomials, so also whole blocks' worth of residues under another prime
      const polynomials = Math.floor((length - HEADER) / POLYNOMIAL_BYTES);
      if (polynomials < 2) return out;
      const [a, b] = [m.from, m.to].map((n) => HEADER + (n % polynomials) * POLYNOMIAL_BYTES) as [number, number];
      const kept = out.slice(a, a + POLYNOMIAL_BYTES);
      out.copyWithin(a, b, b + POLYNOMIAL_BYTES);
      out.set(kept, b);
      return out;
    }
    case 'ones':
      out.fill(255, m.at % length, (m.at % length) + m.length);
      return out;
  }
}

/** Values that a field of a message is replaced with. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 53, -(2 ** 40), '', '0x', 'é'.repeat(40), [], {}, [[[[]]]]),
  fc.integer(),
  fc.string({ maxLength: 80 }),
  fc.uint8Array({ maxLength: 80 }),
  fc.array(fc.integer(), { maxLength: 5 }),
);

export const messageMutation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flip'), at: place, bit: fc.nat({ max: 7 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut'), at: place }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('insert'), at: place, bytes: fc.uint8Array({ maxLength: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('nest'), at: place, depth: fc.nat({ max: 12_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('replace'),
      path: fc.array(place, { minLength: 1, maxLength: 4 }),
      by: odd,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('drop'), path: fc.array(place, { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('add'),
      key: fc.constantFrom('x', '__proto__', 'v', 'round', ''),
      value: odd,
    }),
  },
);
export type MessageMutation = typeof messageMutation extends fc.Arbitrary<infer Mutation> ? Mutation : never;

/** On the value, before it is encoded; the value is changed. */
export function mutateMessage(message: Record<string, unknown>, m: MessageMutation): void {
  if (m.kind === 'add')
    Object.defineProperty(message, m.key, {
      value: structuredClone(m.value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  if (m.kind !== 'replace' && m.kind !== 'drop') return;
  let at: Record<string, unknown> = message;
  m.path.forEach((n, depth) => {
    const keys = Object.keys(at);
    const key = keys[n % Math.max(keys.length, 1)] ?? '';
    const next = at[key];
    const inner = typeof next === 'object' && next !== null && !(next instanceof Uint8Array);
    if (inner && depth < m.path.length - 1) at = next as Record<string, unknown>;
    else if (depth <= m.path.length - 1 && key in at) {
      if (m.kind === 'replace') at[key] = structuredClone(m.by);
      else if (Array.isArray(at)) at.splice(Number(key), 1);
      else delete at[key];
    }
  });
}

/** On the bytes. */
export function mutateBytes(bytes: Uint8Array, m: MessageMutation): Uint8Array {
  switch (m.kind) {
    case 'flip': {
      const out = bytes.slice();
      const at = m.at % Math.max(out.length, 1);
      out[at] = (out[at] ?? 0) ^ (1 << m.bit);
      return out;
    }
    case 'cut':
      return bytes.slice(0, m.at % (bytes.length + 1));
    case 'insert': {
      const at = m.at % (bytes.length + 1);
      return Uint8Array.from([...bytes.subarray(0, at), ...m.bytes, ...bytes.subarray(at)]);
    }
    case 'nest': {
      // lists in lists in lists: what a recursive reader runs out of stack on
      const at = m.at % (bytes.length + 1);
      const out = new Uint8Array(bytes.length + m.depth).fill(0x81);
      out.set(bytes.subarray(0, at));
      out.set(bytes.subarray(at), at + m.depth);
      return out;
    }
    default:
      return bytes;
  }
}
