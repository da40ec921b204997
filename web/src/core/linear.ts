/** A symmetric positive matrix as its lower rows from the first entry that is not zero to the diagonal. */
export interface Skyline {
  first: Int32Array;
  /** Where each row begins in `values`; one more than there are rows. */
  start: Int32Array;
  values: Float64Array;
}

/** Factorise A = L L^T in place; what is outside the skyline stays zero. */
export function cholesky({ first, start, values }: Skyline): void {
  for (let i = 0; i < first.length; i++) {
    const row = start[i] - first[i];
    for (let j = first[i]; j <= i; j++) {
      const other = start[j] - first[j];
      let sum = values[row + j];
      for (let k = Math.max(first[i], first[j]); k < j; k++) sum -= values[row + k] * values[other + k];
      values[row + j] = j < i ? sum / values[other + j] : Math.sqrt(sum);
    }
  }
}

/** Solve L L^T x = b in place. */
export function solve({ first, start, values }: Skyline, x: Float64Array): void {
  const count = first.length;
  for (let i = 0; i < count; i++) {
    const row = start[i] - first[i];
    let sum = x[i];
    for (let k = first[i]; k < i; k++) sum -= values[row + k] * x[k];
    x[i] = sum / values[row + i];
  }
  for (let i = count - 1; i >= 0; i--) {
    const row = start[i] - first[i];
    const value = (x[i] /= values[row + i]);
    for (let k = first[i]; k < i; k++) x[k] -= values[row + k] * value;
  }
}

/**
 * Eigenvalues, ascending, and eigenvectors of a small symmetric matrix: reflections make it tridiagonal, QL steps with
 * Wilkinson's shift then make it diagonal.
 *
 * @param matrix (n, n), row by row; it is overwritten.
 * @returns values (n) and vectors (n, n), one a row.
 */
export function symmetric(matrix: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let k = 0; k < n - 2; k++) reflect(matrix, vectors, n, k);
  const diagonal = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]);
  const beside = Float64Array.from({ length: n }, (_, i) => (i < n - 1 ? matrix[i * n + i + 1] : 0));
  for (let low = 0; low < n; low++) {
    for (let tries = 0; tries < 60; tries++) {
      let high = low;
      while (high < n - 1 && Math.abs(beside[high]) > 1e-16 * (Math.abs(diagonal[high]) + Math.abs(diagonal[high + 1]))) high++;
      if (high === low) break;
      chase(diagonal, beside, vectors, n, low, high);
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => diagonal[a] - diagonal[b]);
  const sorted = new Float64Array(n * n);
  order.forEach((from, to) => sorted.set(vectors.subarray(from * n, from * n + n), to * n));
  return { values: Float64Array.from(order, (i) => diagonal[i]), vectors: sorted };
}

/** Reflect row and column k onto their entry beside the diagonal: M <- H M H, and the vectors with it. */
function reflect(m: Float64Array, vectors: Float64Array, n: number, k: number): void {
  const v = new Float64Array(n);
  let norm = 0;
  for (let i = k + 1; i < n; i++) norm = Math.hypot(norm, (v[i] = m[k * n + i]));
  if (norm === 0) return;
  v[k + 1] += v[k + 1] < 0 ? -norm : norm;
  let size = 0;
  for (let i = k + 1; i < n; i++) size += v[i] * v[i];
  for (const target of [m, vectors]) {
    const from = target === m ? k : 1; // what lies left of it is done, or never touched
    const products = new Float64Array(n); // rows: H X = X - 2 v (v^T X) / v^T v
    for (let i = k + 1; i < n; i++) for (let j = from; j < n; j++) products[j] += v[i] * target[i * n + j];
    for (let i = k + 1; i < n; i++) for (let j = from; j < n; j++) target[i * n + j] -= ((2 * v[i]) / size) * products[j];
  }
  for (let i = k; i < n; i++) {
    let product = 0;
    for (let j = k + 1; j < n; j++) product += m[i * n + j] * v[j];
    for (let j = k + 1; j < n; j++) m[i * n + j] -= ((2 * product) / size) * v[j];
  }
}

/** One QL step on the rows low .. high of a tridiagonal matrix: rotations chase a bulge from the end to the start. */
function chase(d: Float64Array, e: Float64Array, vectors: Float64Array, n: number, low: number, high: number): void {
  const half = (d[low + 1] - d[low]) / (2 * e[low]);
  const shift = d[low] - e[low] / (half + (half < 0 ? -1 : 1) * Math.hypot(half, 1));
  let [c, s] = [1, 1];
  let left = 0;
  let ahead = d[high] - shift;
  for (let i = high - 1; i >= low; i--) {
    const bulge = s * e[i];
    const along = c * e[i];
    const length = Math.hypot(bulge, ahead);
    e[i + 1] = length;
    if (length === 0) {
      d[i + 1] -= left;
      e[high] = 0;
      return;
    }
    s = bulge / length;
    c = ahead / length;
    const base = d[i + 1] - left;
    const turn = (d[i] - base) * s + 2 * c * along;
    left = s * turn;
    d[i + 1] = base + left;
    ahead = c * turn - along;
    for (let k = 0; k < n; k++) {
      const lower = vectors[i * n + k];
      const upper = vectors[(i + 1) * n + k];
      vectors[(i + 1) * n + k] = s * lower + c * upper;
      vectors[i * n + k] = c * lower - s * upper;
    }
  }
  d[low] -= left;
  e[low] = ahead;
  e[high] = 0;
}

/** Solve a least-squares problem of a few columns by orthogonalising them (modified Gram and Schmidt, twice). */
export function leastSquares(columns: Float64Array[], right: Float64Array): number[] {
  const basis = columns.map((column) => column.slice());
  const n = basis.length;
  const upper = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  for (let j = 0; j < n; j++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < j; i++) {
        const share = dot(basis[i], basis[j]);
        upper[i][j] += share;
        add(basis[j], basis[i], -share);
      }
    }
    upper[j][j] = Math.sqrt(dot(basis[j], basis[j]));
    for (let k = 0; k < right.length; k++) basis[j][k] /= upper[j][j];
  }
  const found = basis.map((column) => dot(column, right));
  for (let j = n - 1; j >= 0; j--) {
    for (let k = j + 1; k < n; k++) found[j] -= upper[j][k] * found[k];
    found[j] /= upper[j][j];
  }
  return found;
}

/** The sum of products. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a += factor * b. */
export function add(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}
