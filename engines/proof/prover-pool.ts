// Several provers side by side, a process each: for a machine with cores to spare.
import { createProver, type PolicyProver, type ProverOptions } from './prove.ts';

/** Each proof goes to the prover with the fewest to do. */
export function createProverPool(options: ProverOptions, size: number): PolicyProver {
  const provers = Array.from({ length: size }, () => ({ prover: createProver(options), proofs: 0 }));
  return {
    async prove(input) {
      const idlest = provers.reduce((a, b) => (b.proofs < a.proofs ? b : a));
      idlest.proofs += 1;
      try {
        return await idlest.prover.prove(input);
      } finally {
        idlest.proofs -= 1;
      }
    },
    async stop() {
      await Promise.all(provers.map(({ prover }) => prover.stop()));
    },
  };
}
