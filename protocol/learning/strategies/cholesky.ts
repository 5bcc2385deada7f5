// Solves A·x = b for a symmetric positive definite A. Only + − × ÷ and √, in a fixed order: the same bits everywhere.

/** Row-major index of entry (i, j), i ≤ j, of the upper triangle of a size × size matrix. */
export const triangleIndex = (i: number, j: number, size: number): number => i * size - (i * (i - 1)) / 2 + j - i;
export const triangleLength = (size: number): number => (size * (size + 1)) / 2;

/**
 * A = UᵀU, then two triangular systems.
 * @param triangle upper triangle of A, row after row
 * @returns undefined when A is not positive definite in floating point
 */
export function solveSymmetric(triangle: Float64Array, b: Float64Array): Float64Array | undefined {
  const size = b.length;
  const factor = cholesky(triangle, size);
  if (factor === undefined) return undefined;
  const x = b.slice();
  for (let i = 0; i < size; i++) {
    const row = i * size;
    const value = (x[i] ?? 0) / (factor[row + i] ?? 0);
    x[i] = value;
    for (let j = i + 1; j < size; j++) x[j] = (x[j] ?? 0) - (factor[row + j] ?? 0) * value;
  }
  for (let i = size - 1; i >= 0; i--) {
    let value = x[i] ?? 0;
    for (let j = i + 1; j < size; j++) value -= (factor[i * size + j] ?? 0) * (x[j] ?? 0);
    x[i] = value / (factor[i * size + i] ?? 0);
  }
  return x;
}

/** Outer-product form: row k of U, then what it explains is taken from the rows below. */
function cholesky(triangle: Float64Array, size: number): Float64Array | undefined {
  const u = new Float64Array(size * size);
  for (let i = 0, at = 0; i < size; i++) for (let j = i; j < size; j++) u[i * size + j] = triangle[at++] ?? 0;
  for (let k = 0; k < size; k++) {
    const pivot = u[k * size + k] ?? 0;
    if (!(pivot > 0)) return undefined;
    const root = Math.sqrt(pivot);
    for (let j = k; j < size; j++) u[k * size + j] = (u[k * size + j] ?? 0) / root;
    for (let i = k + 1; i < size; i++) {
      const above = u[k * size + i] ?? 0;
      if (above === 0) continue;
      for (let j = i; j < size; j++) u[i * size + j] = (u[i * size + j] ?? 0) - above * (u[k * size + j] ?? 0);
    }
  }
  return u;
}
