// Counts with noise in them, made counts again: whole, not under zero, and as many in all as the noisy ones say.
// Wang et al., "Locally Differentially Private Frequency Estimation with Consistency" (norm-sub), NDSS 2020.

/** Cutting at zero alone would add customers wherever there are none; what it adds is taken from the rest in equal parts. */
export function consistentCounts(noisy: Float64Array): Uint32Array {
  const total = Math.max(
    0,
    noisy.reduce((sum, x) => sum + x, 0),
  );
  const descending = noisy.toSorted().reverse();
  let [sum, excess] = [0, 0];
  descending.forEach((count, i) => {
    sum += count;
    const candidate = (sum - total) / (i + 1);
    if (count > candidate) excess = candidate;
  });
  return Uint32Array.from(noisy, (count) => Math.max(0, Math.round(count - excess)));
}
