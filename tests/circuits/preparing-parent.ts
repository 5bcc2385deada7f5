// A process that prepares a circuit and says when the setup begins, for artifacts.test.ts to kill.
import { preparePolicyCircuit } from '../../engines/proof/artifacts.ts';

const [, , cacheDir = '', circuitsDir = ''] = process.argv;
await preparePolicyCircuit({
  cacheDir,
  circuitsDir,
  onProgress: ({ stage }) => {
    if (stage === 'setup') process.send?.(stage);
  },
});
