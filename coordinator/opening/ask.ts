// Asking the key-holders: each gets its own sealed shares of the set, each answer is checked before it counts.
import type { KeyHolder } from '../../engines/chain/federation.ts';
import { request } from '../../kit/http.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { decodeCbor, encodeCbor } from '../../protocol/codec.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import {
  type AnswerMessage,
  type AnswerStatement,
  answerMessage,
  MAX_ANSWER_BYTES,
} from '../../protocol/messages/answer.ts';
import type { AdmittedUpload } from '../intake/admit.ts';
import { sha256 } from '../transcript/hash.ts';
import type { Transcript } from '../transcript/transcript.ts';

export interface AskParts {
  readonly transcript: Transcript;
  readonly keyHolders: readonly KeyHolder[];
  /** One endpoint per key-holder process; which is whose is known from the signed answer alone. */
  readonly urls: readonly string[];
  readonly recoverAnswer: (statement: AnswerStatement, signature: Hex) => Hex;
  readonly log: Log;
}

const ANSWER_WITHIN_MS = 10_000;

/** Answers that arrived and verify; a key-holder that is away or refuses is left out, and logged. */
export async function askKeyHolders(
  round: number,
  setHash: Hex,
  set: readonly AdmittedUpload[],
  parts: AskParts,
): Promise<AnswerMessage[]> {
  const answers = await Promise.all(
    parts.urls.map((url) =>
      askOne(url, round, setHash, set, parts).catch((error: unknown) => {
        const code = error instanceof ConcordatError ? error.code : 'PROCESS_FAILED';
        parts.log.warn({ url, round, code, detail: (error as Error).message }, 'key-holder did not answer');
        return undefined;
      }),
    ),
  );
  const arrived = answers.filter((answer) => answer !== undefined);
  return arrived.filter((answer, i) => arrived.findIndex((a) => a.index === answer.index) === i);
}

async function askOne(url: string, round: number, setHash: Hex, set: readonly AdmittedUpload[], parts: AskParts) {
  const identity = JSON.parse(
    new TextDecoder().decode(await request(`${url}/v1/identity`, { timeoutMs: ANSWER_WITHIN_MS })),
  );
  const keyHolder = parts.keyHolders.find(({ address }) => address === identity.address);
  if (keyHolder === undefined) throw new ConcordatError('NOT_A_MEMBER', `${url} is no registered key-holder`);
  const shares = await Promise.all(
    set.map(async ({ dealer, shareHashes }) => {
      const hash = shareHashes[keyHolder.index - 1];
      if (hash === undefined) throw new ConcordatError('STATE_CORRUPT', `no share of ${dealer}`);
      return { dealer, sealedShare: await parts.transcript.getBlob(hash), shareHashes: [...shareHashes] };
    }),
  );
  const body = await request(`${url}/v1/answers`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor' },
    body: encodeCbor({ v: 'concordat/1/answer-request', round, shares }),
    timeoutMs: ANSWER_WITHIN_MS,
  });
  const answer = decodeCbor(body, answerMessage, MAX_ANSWER_BYTES);
  checkAnswer(answer, keyHolder, round, setHash, parts);
  return answer;
}

function checkAnswer(answer: AnswerMessage, keyHolder: KeyHolder, round: number, setHash: Hex, parts: AskParts): void {
  const about = answer.keyHolder === keyHolder.address && answer.index === keyHolder.index && answer.round === round;
  if (!about || answer.setHash !== setHash) {
    throw new ConcordatError(
      'MESSAGE_MALFORMED',
      `the answer of key-holder ${keyHolder.index} is about something else`,
    );
  }
  const statement = { keyHolder: answer.keyHolder, round, setHash, answerHash: sha256(answer.answer) };
  if (parts.recoverAnswer(statement, answer.signature) !== keyHolder.address) {
    throw new ConcordatError('SIGNATURE_INVALID', `the answer of key-holder ${keyHolder.index}`);
  }
}
