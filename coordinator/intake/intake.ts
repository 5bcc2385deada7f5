// The intake of one round: an upload is in when its message and its payload are, and the transcript says so.
import type { Readable } from 'node:stream';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { payloadBytes } from '../../protocol/secagg/payload.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { type Announced, type AnnounceParts, announceUpload, type OpenRound } from './announce.ts';
import { receivePayload, requireLength } from './receive.ts';
import type { AdmittedUpload } from './uploads.ts';

export interface IntakeParts extends Omit<AnnounceParts, 'blobs'> {
  readonly transcript: Transcript;
  /** Blocks that this task's update vector makes. */
  readonly blocks: number;
  /** Once per upload, after the transcript has it. */
  readonly onAdmitted: (upload: AdmittedUpload, bytes: number) => void;
}

export interface Intake {
  open(round: OpenRound): void;
  close(): void;
  /** POST /v1/uploads. @throws ConcordatError as announceUpload */
  announce(body: Uint8Array): Promise<'wanted' | 'stored'>;
  /**
   * PUT /v1/payloads/<hash>. A payload that is in already is not read.
   * @throws ConcordatError NOT_FOUND not announced in the open round; PAYLOAD_MALFORMED
   */
  receive(payloadHash: Hex, contentLength: string | undefined, stream: Readable): Promise<void>;
}

export function createIntake(parts: IntakeParts): Intake {
  const { transcript, uploads, blocks } = parts;
  const announceParts = { ...parts, blobs: transcript };
  const announced: Announced = new Map();
  let current: OpenRound | undefined;

  const announcementOf = (payloadHash: Hex): AdmittedUpload => {
    const announcement = current && announced.get(payloadHash);
    if (announcement !== undefined) return announcement;
    throw new ConcordatError('NOT_FOUND', `payload ${payloadHash} is not announced in an open round`, { payloadHash });
  };

  async function admit(upload: AdmittedUpload): Promise<void> {
    const { round, dealer, attempt, payloadHash: payload, shareHashes, signature } = upload;
    const sealedShares = [...shareHashes];
    await transcript.appendOnce({ type: 'upload', round, dealer, attempt, payload, sealedShares, signature });
    if (uploads.hasPayload(payload)) return; // two connections sent it at once
    uploads.add(upload);
    parts.onAdmitted(upload, payloadBytes(blocks));
  }

  return {
    open(round) {
      if (current?.round !== round.round) announced.clear();
      current = round;
    },
    close() {
      current = undefined;
      announced.clear();
    },
    announce: (body) => announceUpload(body, current, announced, announceParts),
    async receive(payloadHash, contentLength, stream) {
      if (uploads.hasPayload(payloadHash)) return;
      announcementOf(payloadHash);
      requireLength(contentLength, blocks);
      await receivePayload(payloadHash, blocks, stream, transcript);
      await admit(announcementOf(payloadHash)); // the round may be over by now: then it came too late
    },
  };
}
