// Asking the key-holders for their answer to a set: first the bytes that they check the sum by, then the question.
import { recoverTypedStruct } from '../../engines/chain/typed-data.ts';
import { request } from '../../kit/http.ts';
import { putFile } from '../../kit/put-file.ts';
import { type Hex, sha256, toHex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  type AnswerMessage,
  type AnswerRequest,
  answerMessage,
  MAX_ANSWER_BYTES,
} from '../../protocol/messages/answer.ts';
import type { AdmittedUpload } from '../intake/uploads.ts';
import { askEach, type Reached, type ReachParts, sharesFor } from './reach.ts';

const ANSWER_WITHIN_MS = 60_000;

/** A dealer's word on its own payload. */
export interface SignedFingerprint {
  readonly fingerprint: Uint8Array;
  readonly signature: Hex;
}

export interface AnswerQuestion {
  readonly round: number;
  readonly setHash: Hex;
  /** The uploads of the set. */
  readonly set: readonly AdmittedUpload[];
  readonly aggregateHash: Hex;
  /** Of the dealers that are there; the payloads of the others go to the key-holders. */
  readonly fingerprints: ReadonlyMap<Hex, SignedFingerprint>;
  readonly enough: number;
  /** Indices of the key-holders that answered already. */
  readonly skip: ReadonlySet<number>;
  /** Whoever takes longer is left out. */
  readonly withinMs: number;
}

/** Answers that arrived and verify. */
export function askForAnswers(question: AnswerQuestion, parts: ReachParts): Promise<AnswerMessage[]> {
  return askEach({ ...question, asking: 'answer' }, parts, (reached) => askOne(reached, question, parts));
}

async function askOne(reached: Reached, question: AnswerQuestion, parts: ReachParts): Promise<AnswerMessage> {
  const { round, set, aggregateHash, fingerprints } = question;
  const { url, keyHolder } = reached;
  await sendBlob(url, aggregateHash, question, parts);
  // one after the other: neither side holds more than a block
  for (const { dealer, payloadHash } of set) {
    if (!fingerprints.has(dealer)) await sendBlob(url, payloadHash, question, parts);
  }
  const asked: AnswerRequest = {
    v: 'concordat/1/answer-request',
    round,
    aggregateHash,
    shares: await sharesFor(keyHolder, set, parts),
    fingerprints: [...fingerprints].map(([dealer, { fingerprint, signature }]) => ({ dealer, fingerprint, signature })),
  };
  const body = await request(`${url}/v1/answers`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor' },
    body: encodeCbor(asked),
    timeoutMs: ANSWER_WITHIN_MS,
    maxBytes: MAX_ANSWER_BYTES,
  });
  const answer = decodeCbor(body, answerMessage, MAX_ANSWER_BYTES);
  checkAnswer(answer, reached, question, parts);
  return answer;
}

async function sendBlob(url: string, hash: Hex, { round, aggregateHash }: AnswerQuestion, parts: ReachParts) {
  const to = `${url}/v1/rounds/${round}/payloads/${hash}?aggregate=${aggregateHash}`;
  await putFile(to, await parts.transcript.blobFile(hash));
}

/** @throws ConcordatError MESSAGE_MALFORMED, SIGNATURE_INVALID */
export function checkAnswer(
  message: AnswerMessage,
  { keyHolder }: Pick<Reached, 'keyHolder'>,
  { round, setHash, aggregateHash }: Pick<AnswerQuestion, 'round' | 'setHash' | 'aggregateHash'>,
  { domain }: Pick<ReachParts, 'domain'>,
): void {
  const { address, index } = keyHolder;
  const ofIt = message.keyHolder === address && message.index === index && message.round === round;
  if (!ofIt || message.setHash !== setHash || message.aggregateHash !== aggregateHash) {
    throw new ConcordatError('MESSAGE_MALFORMED', `the answer of key-holder ${index} is about something else`);
  }
  const statement = { keyHolder: address, round, setHash, aggregateHash, answerHash: toHex(sha256(message.answer)) };
  if (recoverTypedStruct(domain, 'Answer', statement, message.signature) !== address) {
    throw new ConcordatError('SIGNATURE_INVALID', `the answer of key-holder ${index}`);
  }
}
