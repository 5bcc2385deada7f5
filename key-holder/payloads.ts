// Payloads streamed past a key-holder: parsed block by block, hashed, and reduced to their fingerprint; nothing else is kept.
import { createHash } from 'node:crypto';
import { nodeShake128 } from '../kit/shake.ts';
import { concatBytes, type Hex } from '../protocol/bytes.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { LIMITS, SECAGG } from '../protocol/params.ts';
import { createFingerprinter, type Fingerprinter, fingerprintChallenge } from '../protocol/secagg/fingerprint.ts';
import { createPayloadParser, HEADER_BYTES, type PayloadParser } from '../protocol/secagg/payload.ts';
import { refused } from '../protocol/secagg/set.ts';
import type { RoundFacts } from './round-facts.ts';

export interface PayloadBookParts {
  readonly chain: { readonly chainId: number; readonly ledger: Hex };
  /** @throws ConcordatError SET_REFUSED */
  readonly factsOf: (round: number) => Promise<RoundFacts>;
  /** How many fingerprints are remembered. */
  readonly capacity?: number;
}

export interface PayloadBook {
  /**
   * Takes the bytes under `hash`: the sum itself, or the payload of a dealer of the set. They count when they are whole.
   * @throws ConcordatError SET_REFUSED for another payload, or a round that cannot be answered
   * @throws ConcordatError PAYLOAD_MALFORMED with the place, or when the bytes do not have the hash
   * @throws ConcordatError MESSAGE_TOO_LARGE when more blocks are stated than a model may have
   */
  take(round: number, hash: Hex, aggregateHash: Hex, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** Under the challenge that this set and this sum make; undefined when the bytes were not seen, or are forgotten. */
  fingerprintOf(facts: RoundFacts, hash: Hex, aggregateHash: Hex): Uint8Array | undefined;
  forget(round: number): void;
}

/** Each is some 300 bytes with its name: four sums over the largest cohort. */
const MAX_FINGERPRINTS = 4 * SECAGG.maxDealers;

export function createPayloadBook({ chain, factsOf, capacity = MAX_FINGERPRINTS }: PayloadBookParts): PayloadBook {
  const seen = new Map<string, { readonly round: number; readonly fingerprint: Uint8Array }>();
  const nameOf = ({ round, setHash }: RoundFacts, hash: Hex, aggregateHash: Hex) =>
    [round, setHash, aggregateHash, hash].join('/');

  const challengeFor = (
    { round, setHash, commitments }: RoundFacts,
    aggregateHash: Hex,
    blocks: number,
  ): Uint8Array => {
    const payloadHashes = [...commitments.values()].map(({ payloadHash }) => payloadHash);
    return fingerprintChallenge({ ...chain, round, setHash, payloadHashes, aggregateHash, blocks });
  };

  return {
    async take(round, hash, aggregateHash, chunks) {
      const facts = await factsOf(round);
      const known = [...facts.commitments.values()].some(({ payloadHash }) => payloadHash === hash);
      if (hash !== aggregateHash && !known) throw refused(round, `${hash} is neither the sum nor in the set`);
      const fingerprint = await fingerprintStream(chunks, hash, (blocks) => challengeFor(facts, aggregateHash, blocks));
      const oldest = seen.size >= capacity ? seen.keys().next().value : undefined;
      if (oldest !== undefined) seen.delete(oldest);
      seen.set(nameOf(facts, hash, aggregateHash), { round, fingerprint });
    },
    fingerprintOf: (facts, hash, aggregateHash) => seen.get(nameOf(facts, hash, aggregateHash))?.fingerprint,
    forget(round) {
      for (const [name, entry] of seen) if (entry.round === round) seen.delete(name);
    },
  };
}

async function fingerprintStream(
  chunks: AsyncIterable<Uint8Array>,
  hash: Hex,
  challengeFor: (blocks: number) => Uint8Array,
): Promise<Uint8Array> {
  const digest = createHash('sha256');
  let fingerprinter: Fingerprinter | undefined;
  const parser = createSelfSizedParser((blocks) => {
    const made = createFingerprinter(challengeFor(blocks), nodeShake128);
    fingerprinter = made;
    return made.addBlock;
  });
  for await (const chunk of chunks) {
    digest.update(chunk);
    parser.push(chunk);
  }
  parser.end();
  const received = `0x${digest.digest('hex')}`;
  if (received !== hash) throw malformed(`the bytes have the hash ${received}, not ${hash}`);
  if (fingerprinter === undefined) throw malformed('it states no blocks');
  return fingerprinter.finish();
}

/** A parser for as many blocks as the header states: the key-holder does not know the task. */
function createSelfSizedParser(
  onSize: (blocks: number) => (index: number, residues: Uint32Array) => void,
): PayloadParser {
  let head: Uint8Array = new Uint8Array();
  let parser: PayloadParser | undefined;
  return {
    push(chunk) {
      if (parser !== undefined) return parser.push(chunk);
      head = concatBytes(head, chunk);
      if (head.length < HEADER_BYTES) return;
      const blocks = statedBlocks(head);
      const onBlock = onSize(blocks);
      parser = createPayloadParser(blocks, (index, _words, residues) => onBlock(index, residues));
      parser.push(head);
      head = new Uint8Array();
    },
    end() {
      if (parser === undefined) throw malformed(`${head.length} bytes are no payload`);
      parser.end();
    },
  };
}

function statedBlocks(head: Uint8Array): number {
  const blocks = new DataView(head.buffer, head.byteOffset).getUint32(4, true);
  if (blocks < 1) throw malformed('it states no blocks');
  if (blocks > LIMITS.maxPayloadBlocks) {
    throw new ConcordatError('MESSAGE_TOO_LARGE', `${blocks} blocks, at most ${LIMITS.maxPayloadBlocks}`, { blocks });
  }
  return blocks;
}

const malformed = (detail: string): ConcordatError => new ConcordatError('PAYLOAD_MALFORMED', detail);
