// A dealer's process that takes part in a round and kills itself at a named point, for replay.test.ts to pick up after.
import type { RoundParts } from '../../edge-node/round.ts';
import { openTrainingDealer, type Surroundings } from '../helpers/wire/training-dealer.ts';

/** In the order in which a round passes them. */
export const DEATHS = ['with its seed drawn', 'with its payload sealed', 'with its commit on chain'] as const;
export type Death = (typeof DEATHS)[number];

function dyingAt(death: Death): (parts: RoundParts) => RoundParts {
  const die = (at: Death): void => {
    if (at === death) process.kill(process.pid, 'SIGKILL');
  };
  return (parts) => ({
    ...parts,
    seeds: {
      ...parts.seeds,
      draw: async (context) => {
        const random = await parts.seeds.draw(context);
        die('with its seed drawn');
        return random;
      },
    },
    sendUpload: (round, attempt, update) => {
      die('with its payload sealed');
      return parts.sendUpload(round, attempt, update);
    },
    chain: {
      ...parts.chain,
      ledger: {
        ...parts.chain.ledger,
        commit: async (commit, options) => {
          const receipt = await parts.chain.ledger.commit(commit, options);
          die('with its commit on chain');
          return receipt;
        },
      },
    },
  });
}

const [, script = '', surroundings = '{}', round = '', death = ''] = process.argv;
if (script.endsWith('training-child.ts')) {
  const dealer = await openTrainingDealer(JSON.parse(surroundings) as Surroundings, dyingAt(death as Death));
  await dealer.follow(Number(round));
}
