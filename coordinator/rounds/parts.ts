// What the steps of a round work with.
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { Requirement } from '../../protocol/consent/policy.ts';
import type { ModelLayout } from '../../protocol/learning/model.ts';
import type { Shape } from '../../protocol/learning/strategies/strategy.ts';
import type { Task } from '../../protocol/learning/task.ts';
import type { Vector } from '../../protocol/learning/update.ts';
import type { CoordinatorEvent } from '../../protocol/messages/link.ts';
import type { PackingProfile } from '../../protocol/secagg/packing.ts';
import type { RunningSum } from '../aggregate/sum.ts';
import type { Intake } from '../intake/intake.ts';
import type { Uploads } from '../intake/uploads.ts';
import type { Opener } from '../opening/opener.ts';
import type { Transcript } from '../transcript/transcript.ts';
import type { CollectParts } from './collect.ts';
import type { FingerprintDesk } from './fingerprint-desk.ts';
import type { PaceJournal } from './pace-journal.ts';

export interface RoundParts
  extends Omit<CollectParts, 'ledger' | 'uploads' | 'patience'>,
    Omit<ChainConnection, 'registry'> {
  readonly transcript: Transcript;
  readonly uploads: Uploads;
  readonly intake: Pick<Intake, 'open' | 'close'>;
  readonly sum: RunningSum;
  readonly desk: FingerprintDesk;
  readonly paces: PaceJournal;
  readonly opener: Opener;
  /** Endpoints of the key-holders. */
  readonly urls: readonly string[];
  readonly task: Task;
  readonly packing: PackingProfile;
  /** Values of an update, without padding. */
  readonly valueCount: number;
  readonly blocks: number;
  readonly requirement: Requirement;
  readonly layout: ModelLayout;
  readonly shape: Shape;
  readonly vector: Vector;
  readonly initialModel: Hex;
  readonly chainNowSeconds: () => Promise<number>;
  readonly broadcast: (event: CoordinatorEvent) => void;
  readonly gas: (step: string, used: number) => void;
  readonly log: Log;
}
