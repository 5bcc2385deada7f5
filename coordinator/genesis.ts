// What the history stands on, said once: task, data contract, verification key and first model, as blobs under one entry.
import type { ChainConnection } from '../engines/chain/connect.ts';
import type { Hex } from '../protocol/bytes.ts';
import type { RelyingParty } from '../protocol/consent/assertion.ts';
import { canonicalJson } from '../protocol/learning/canonical-json.ts';
import type { DataContract } from '../protocol/learning/data-contract.ts';
import { encodeModel, initialModel } from '../protocol/learning/model.ts';
import type { Task } from '../protocol/learning/task.ts';
import type { Transcript } from './transcript/transcript.ts';

export interface GenesisFacts {
  readonly federation: Hex;
  readonly task: Task;
  readonly contract: DataContract;
  /** snarkjs' verification key, canonical JSON. */
  readonly verificationKeyJson: string;
  readonly relyingParty: RelyingParty;
}

/** The task as its hash is over. */
export const taskJson = ({ hash: _, ...document }: Task): string => canonicalJson(document);

/** @returns hash of the first model */
export async function writeGenesis(
  transcript: Transcript,
  { client }: Pick<ChainConnection, 'client'>,
  { federation, task, contract, verificationKeyJson, relyingParty }: GenesisFacts,
): Promise<Hex> {
  const text = (value: string) => transcript.putBlob(new TextEncoder().encode(value));
  const initial = await transcript.putBlob(encodeModel(initialModel(task, contract)));
  await transcript.appendOnce({
    type: 'genesis',
    chainId: client.chainId,
    federation,
    task: await text(taskJson(task)),
    dataContract: await text(canonicalJson(contract.document)),
    verificationKey: await text(verificationKeyJson),
    initialModel: initial,
    relyingParty: { rpId: relyingParty.rpId, origins: [...relyingParty.origins] },
  });
  return initial;
}
