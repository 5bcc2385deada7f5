// Eigenvalues and eigenvectors of a symmetric matrix. Only + − × ÷ and √, in a fixed order: the same bits everywhere.

export interface EigenPair {
  readonly value: number;
  /** Of norm 1. */
  readonly vector: Float64Array;
}

const PRECISION = 1e-14;
const MOST_SWEEPS = 40;

/**
 * One-sided Jacobi (Hestenes 1958) on A + shift: with all eigenvalues positive, the columns of (A + shift)·V become orthogonal
 * just when V's columns are eigenvectors.
 */
export function eigenSystem(matrix: readonly Float64Array[]): EigenPair[] {
  const shift = Math.max(...matrix.map((row) => row.reduce((sum, x) => sum + Math.abs(x), 0)));
  const images = matrix.map((row, i) => row.map((x, j) => (i === j ? x + shift : x)));
  const vectors = matrix.map((row, i) => row.map((_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) if (!rotateAll(images, vectors)) break;
  return vectors.map((vector, i) => ({ vector, value: dot(vector, images[i] ?? vector) - shift }));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** @returns whether any pair of columns was not orthogonal yet */
function rotateAll(images: readonly Float64Array[], vectors: readonly Float64Array[]): boolean {
  let moved = false;
  const squares = images.map((image) => dot(image, image));
  for (let p = 0; p < images.length; p++) {
    for (let q = p + 1; q < images.length; q++) {
      const [a, b, v, w] = [images[p], images[q], vectors[p], vectors[q]];
      if (!a || !b || !v || !w) continue;
      const [aa, bb, ab] = [squares[p] ?? 0, squares[q] ?? 0, dot(a, b)];
      if (Math.abs(ab) <= PRECISION * Math.sqrt(aa * bb)) continue;
      moved = true;
      const zeta = (bb - aa) / (2 * ab);
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const cosine = 1 / Math.sqrt(1 + tangent * tangent);
      rotate(a, b, cosine, cosine * tangent);
      rotate(v, w, cosine, cosine * tangent);
      squares[p] = aa - tangent * ab;
      squares[q] = bb + tangent * ab;
    }
  }
  return moved;
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    a[i] = cosine * x - sine * y;
    b[i] = sine * x + cosine * y;
  }
}
