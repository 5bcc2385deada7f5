// Faults in what rounds state of privacy, for a history under differential privacy.

import { NO_PRIVACY_CAP } from '../../../protocol/consent/policy.ts';
import { canonicalJson } from '../../../protocol/learning/canonical-json.ts';
import { createAccountant } from '../../../protocol/learning/privacy/accountant.ts';
import { parseTask } from '../../../protocol/learning/task.ts';
import { BUDGET } from '../../unit/privacy-world.ts';
import { fault, type PlantedFault } from './fault.ts';
import { changeEvents, type RawEvidence } from './raw-evidence.ts';
import { taskText } from './small-task.ts';
import { roundsWithoutConsent } from './synthetic-federation.ts';

const ROUNDS = 2;
const STRATEGY = {
  name: 'dp-fedsgd',
  learningRate: 0.5,
  momentum: 0,
  averageDecay: 0.5,
  sumRange: 16,
  evaluationShare: 0.5,
};
const costs = () => [1, 2].map(createAccountant(BUDGET, ROUNDS).epsilonMilliAfter);

/** Two rounds of DP-FedSGD that state what they cost. */
export async function privateHistory(): Promise<RawEvidence> {
  const text = canonicalJson({
    ...JSON.parse(taskText),
    strategy: STRATEGY,
    rounds: ROUNDS,
    privacy: { ...BUDGET, epsilon: 8 },
  });
  const raw = await roundsWithoutConsent(parseTask(text), text, ROUNDS);
  state(raw, costs());
  return raw;
}

function state(raw: RawEvidence, epsilons: readonly number[]): void {
  changeEvents(raw, 'RoundOpened', ({ round }) => ({ epsilonAfterMilli: epsilons[round - 1] ?? 0 }));
}

export const PRIVACY_FAULTS: readonly PlantedFault[] = [
  fault(
    '17',
    'an epsilon understated by a thousandth',
    (raw) =>
      state(
        raw,
        costs().map((milli) => milli - 1),
      ),
    /epsilon/,
  ),
  fault(
    '17',
    'an epsilon overstated by a thousandth',
    (raw) =>
      state(
        raw,
        costs().map((milli) => milli + 1),
      ),
    /epsilon/,
  ),
  fault(
    '17',
    'rounds that each state their own cost and not the sum',
    (raw) => state(raw, costs().fill(costs()[0] ?? 0)),
    /round 2: epsilon/,
  ),
  fault(
    '17',
    'a private task whose rounds state no epsilon',
    (raw) => state(raw, costs().fill(NO_PRIVACY_CAP)),
    /epsilon/,
  ),
  fault('17', 'the costs of two rounds the other way round', (raw) => state(raw, costs().reverse()), /epsilon/),
];
