// How good the models are on the hold-out: the federation's, one trained on all consented records, each dealer's own.
import { connectFederation } from '../../engines/chain/connect.ts';
import { createTrainer } from '../../engines/tensor/train.ts';
import { request } from '../../kit/http.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { featureCount } from '../../protocol/learning/features.ts';
import { decodeModel, layoutOf } from '../../protocol/learning/model.ts';
import { centralised, examplesOf, type LocalScores, localOnly, type Score, scoreFor } from '../baseline.ts';
import type { RunningFederation } from './federation.ts';
import { type Material, rowsAt } from './material.ts';
import type { FederationReport, Quality } from './report.ts';

export interface Comparison {
  readonly federated: Quality;
  readonly centralised: Quality;
  readonly localMean: Quality;
  readonly holdOut: FederationReport['holdOut'];
}

/** @param covered per dealer, the customers whose records the last round used: everyone learns from the same people */
export async function compare(
  running: RunningFederation,
  material: Material,
  covered: readonly ReadonlySet<string>[],
  seed: number,
): Promise<Comparison> {
  const { task, contract, rows, split } = material;
  const holdOut = examplesOf(contract, rowsAt(rows, split.holdOut));
  const perDealer = split.dealers.map((indices, i) =>
    rowsAt(rows, indices).filter((row) => covered[i]?.has(String(row[contract.id.name]))),
  );
  const input = { task, contract, holdOut, seed: String(seed) };
  const hash = await lastModel(running, task.hash);
  const file = await request(`${running.coordinator.url}/v1/bundle/blobs/${hash.slice(2)}`);
  const trainer = await createTrainer(task, featureCount(contract));
  const model = decodeModel(file, layoutOf(task, featureCount(contract)));
  const federated = scoreFor(task, contract, trainer.score(model.weights, holdOut.features), holdOut);
  const central = await centralised(input, examplesOf(contract, perDealer.flat()));
  const local = await localOnly(
    input,
    perDealer.map((records) => examplesOf(contract, records)),
  );
  return {
    federated: quality(federated),
    centralised: quality(central),
    localMean: quality({ auc: local.meanAuc, hits: local.meanHits, k: federated.k, ...meanOf(local) }),
    holdOut: {
      rows: holdOut.labels.length,
      positives: contract.target.type === 'binary' ? holdOut.labels.filter((label) => label === 1).length : 0,
      topK: federated.k,
    },
  };
}

async function lastModel(running: RunningFederation, taskHash: Hex): Promise<Hex> {
  const { ledger } = await connectFederation(running.chain.rpcUrl, running.federation);
  const hash = await ledger.lastModelOf(taskHash);
  if (hash === undefined) throw new ConcordatError('NOT_FOUND', 'no model was published');
  return hash;
}

const meanOf = ({ meanFigures }: LocalScores) => meanFigures && { figures: meanFigures };

const quality = ({ auc, hits, k, figures }: Score): Quality => ({
  auc: auc ?? Number.NaN,
  hits,
  ...(k === 800 && { hits800: hits }),
  ...(figures && { figures }),
});
