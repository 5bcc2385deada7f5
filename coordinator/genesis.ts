// What the history stands on, said once: task, data contract, verification key and first model, as blobs under one entry.
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import type { Task } from '../protocol/learning/task.ts';
import { putTask } from './tasks/catalogue.ts';
import type { Transcript } from './transcript/transcript.ts';

export interface GenesisFacts {
  readonly federation: Hex;
  readonly task: Task;
  readonly contract: DataContract;
  /** snarkjs' verification key, canonical JSON. */
  readonly verificationKeyJson: string;
  readonly relyingParty: RelyingParty;
}

export async function writeGenesis(
  transcript: Transcript,
  { client }: Pick<ChainConnection, 'client'>,
  { federation, task, contract, verificationKeyJson, relyingParty }: GenesisFacts,
): Promise<void> {
  const documents = await putTask(transcript, task, contract);
  await transcript.appendOnce({
    type: 'genesis',
    chainId: client.chainId,
    federation,
    ...documents,
    verificationKey: await transcript.putBlob(new TextEncoder().encode(verificationKeyJson)),
    relyingParty: { rpId: relyingParty.rpId, origins: [...relyingParty.origins] },
  });
}
