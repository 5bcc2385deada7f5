// After a set is fixed: this dealer’s word on its own payload, under the challenge of the sum that the coordinator made.
import { createReadStream } from 'node:fs';
import type { ChainConnection } from '../engines/chain/connect.ts';
import { signTypedStruct } from '../engines/chain/typed-data.ts';
import type { Identity } from '../engines/keys/identity.ts';
import { request } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import { nodeShake128 } from '../kit/shake.ts';
import { type Hex, toHex } from '../protocol/bytes.ts';
import { encodeCbor } from '../protocol/codec.ts';
import { ConcordatError } from '../protocol/errors.ts';
import { packingOf, type Task } from '../protocol/learning/task.ts';
import type { FingerprintMessage } from '../protocol/messages/fingerprint.ts';
import { createFingerprinter, fingerprintChallenge } from '../protocol/secagg/fingerprint.ts';
import { blocksFor } from '../protocol/secagg/packing.ts';
import { createPayloadParser } from '../protocol/secagg/payload.ts';
import type { OneTimeSealer } from './seal/once.ts';

export interface FingerprintParts {
  readonly coordinatorUrl: string;
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly sealer: OneTimeSealer;
  readonly task: Task;
  /** Values of an update vector. */
  readonly valueCount: number;
  readonly log: Log;
}

/**
 * Answers an announced aggregate. A dealer that does not (it is away, it is not in the set) holds nothing up: key-holders
 * then look at its payload themselves.
 */
export function createFingerprintSigner(parts: FingerprintParts) {
  return async (round: number, aggregateHash: Hex): Promise<void> => {
    try {
      const message = await fingerprintOf(round, aggregateHash, parts);
      if (message === undefined) return;
      const headers = { 'content-type': 'application/cbor' };
      await request(`${parts.coordinatorUrl}/v1/fingerprints`, { method: 'POST', headers, body: encodeCbor(message) });
    } catch (error) {
      const code = error instanceof ConcordatError ? error.code : 'PROCESS_FAILED';
      parts.log.warn({ round, code, detail: (error as Error).message }, 'no fingerprint of this round’s payload');
    }
  };
}

/** undefined when this dealer is not in the round’s set, as the chain has it. */
async function fingerprintOf(
  round: number,
  aggregateHash: Hex,
  parts: FingerprintParts,
): Promise<FingerprintMessage | undefined> {
  const { chain, identity, sealer } = parts;
  const { address: dealer } = identity;
  const { address: ledger } = chain.ledger;
  const { chainId } = chain.client;
  const [set, record] = await Promise.all([chain.ledger.setOf(round), chain.ledger.roundOf(round)]);
  if (set === undefined || record === undefined || !set.dealers.includes(dealer)) return undefined;
  const commits = await Promise.all(set.dealers.map((member) => chain.ledger.commitOf(round, member)));
  const attempt = commits[set.dealers.indexOf(dealer)]?.attempt ?? 0;
  const update = await sealer.recall({ chainId, ledger, round, attempt, dealer, seed: record.seed });
  if (update === undefined) return undefined;
  const challenge = fingerprintChallenge({
    chainId,
    ledger,
    round,
    setHash: set.setHash,
    payloadHashes: commits.flatMap((commit) => (commit === undefined ? [] : [commit.payloadHash])),
    aggregateHash,
    blocks: blocksFor(parts.valueCount, packingOf(parts.task)),
  });
  const fingerprint = await fingerprintOfFile(update.payload.path, challenge, parts);
  const statement = { dealer, round, aggregateHash, fingerprint: toHex(fingerprint) };
  const signature = signTypedStruct(identity.privateKey, chain.domain, 'Fingerprint', statement);
  return { v: 'concordat/1/fingerprint', dealer, round, aggregateHash, fingerprint, signature };
}

async function fingerprintOfFile(
  path: string,
  challenge: Uint8Array,
  { valueCount, task }: FingerprintParts,
): Promise<Uint8Array> {
  const fingerprinter = createFingerprinter(challenge, nodeShake128);
  const parser = createPayloadParser(blocksFor(valueCount, packingOf(task)), (index, _words, residues) =>
    fingerprinter.addBlock(index, residues),
  );
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) parser.push(chunk);
  parser.end();
  return fingerprinter.finish();
}
