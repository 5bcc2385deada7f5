// A process that proves for ever, for prover.test.ts to kill.
import { createProver } from '../../engines/proof/prove.ts';
import { policy, smallInput } from './claims.ts';
import { smallArtifacts } from './small-circuit.ts';

const prover = createProver({ artifacts: await smallArtifacts() });
for (;;) await prover.prove(smallInput([policy()]));
