import { add, cholesky, dot, type Skyline, solve, symmetric } from "./linear";

/** The cells of a drum that move, in an order along the shorter side, so that neighbours are near each other. */
export interface Cells {
  height: number;
  width: number;
  /** Place y * width + x of each cell. */
  place: Int32Array;
  /** Number of the cell at a place, -1 where the drum is clamped. */
  number: Int32Array;
}

/** The lowest modes of a drum. */
export interface Modes {
  cells: Cells;
  /** Lambda = omega^2 of each, ascending, for a speed of one pixel a unit of time. */
  values: Float64Array;
  /** Displacement of the cells in each mode, sum of squares 1, the largest displacement positive. */
  shapes: Float64Array[];
}

const BLOCK = 2; // a drum as symmetric as a square has modes in pairs, which a single start would miss
const ENOUGH = 1e-9;

/** Number the cells of a mask. */
export function cellsOf(mask: Uint8Array, height: number, width: number): Cells {
  const [rows, columns] = extent(mask, height, width);
  const upright = columns <= rows;
  const place: number[] = [];
  for (let a = 0; a < (upright ? height : width); a++) {
    for (let b = 0; b < (upright ? width : height); b++) {
      const at = upright ? a * width + b : b * width + a;
      if (mask[at]) place.push(at);
    }
  }
  const number = new Int32Array(height * width).fill(-1);
  place.forEach((at, i) => (number[at] = i));
  return { height, width, place: Int32Array.from(place), number };
}

/** The four neighbours (n, 4) of each cell; -1 where there is none. */
export function neighbours({ height, width, place, number }: Cells): Int32Array {
  const found = new Int32Array(4 * place.length).fill(-1);
  place.forEach((at, i) => {
    const [y, x] = [Math.floor(at / width), at % width];
    if (y > 0) found[4 * i] = number[at - width];
    if (y < height - 1) found[4 * i + 1] = number[at + width];
    if (x > 0) found[4 * i + 2] = number[at - 1];
    if (x < width - 1) found[4 * i + 3] = number[at + 1];
  });
  return found;
}

/**
 * The lowest modes of the five-point Laplacian with a clamped rim, by block Lanczos on its inverse.
 *
 * @param count how many; no more than there are cells.
 */
export function findModes(cells: Cells, count: number): Modes {
  const size = cells.place.length;
  const wanted = Math.min(count, size);
  const factor = laplacian(cells);
  cholesky(factor);
  const basis: Float64Array[] = [];
  const coupled: Float64Array[] = []; // A^-1 times each vector of the basis, seen from the basis
  const random = noise();
  const restart = () => {
    for (let tries = 0; tries < 5; tries++) {
      const fresh = Float64Array.from({ length: size }, random);
      if (orthogonalise(fresh, basis) > 1e-8) return basis.push(fresh);
    }
    return 0;
  };
  for (let i = 0; i < Math.min(BLOCK, size); i++) restart();
  for (let next = 0, check = Math.min(size, 3 * wanted + 18); ; next++) {
    const image = basis[next].slice();
    solve(factor, image);
    const seen = new Float64Array(size);
    // It has no share of earlier ones: their images ended before this vector. Rounding's shares go with `orthogonalise`.
    for (let i = Math.max(0, next - BLOCK); i < basis.length; i++) {
      seen[i] = dot(basis[i], image);
      add(image, basis[i], -seen[i]);
    }
    coupled.push(seen);
    // What is left is a new direction; where nothing is, the basis so far is closed and a new start is needed.
    const left = Math.sqrt(dot(image, image));
    if (basis.length < size) {
      if (left > 1e-11 * Math.abs(seen[next]) && orthogonalise(image, basis) > 0.5) {
        seen[basis.length] = left;
        basis.push(image);
      } else restart();
    }
    const done = next + 1;
    if (done < check && done < basis.length) continue;
    const found = ritz(coupled, done, wanted, basis.length);
    if (found.worst < ENOUGH || done >= size || done === basis.length) return modesOf(cells, basis, found, wanted, done);
    check = done + 12;
  }
}

/** Take the projections of a basis out of a vector and scale it to 1; returns the share that was left. */
function orthogonalise(vector: Float64Array, basis: Float64Array[]): number {
  const before = Math.sqrt(dot(vector, vector));
  for (const one of basis) add(vector, one, -dot(one, vector));
  const after = Math.sqrt(dot(vector, vector));
  if (after > 0) for (let i = 0; i < vector.length; i++) vector[i] /= after;
  return before > 0 ? after / before : 0;
}

function ritz(coupled: Float64Array[], done: number, wanted: number, all: number) {
  const matrix = new Float64Array(done * done);
  for (let i = 0; i < done; i++) for (let j = 0; j < done; j++) matrix[i * done + j] = (coupled[i][j] + coupled[j][i]) / 2;
  const { values, vectors } = symmetric(matrix, done);
  let worst = 0;
  for (let k = 0; k < Math.min(wanted, done); k++) {
    const row = (done - 1 - k) * done; // the largest of the inverse are the lowest modes
    let residual = 0;
    for (let outside = done; outside < all; outside++) {
      let sum = 0;
      for (let i = 0; i < done; i++) sum += coupled[i][outside] * vectors[row + i];
      residual += sum * sum;
    }
    worst = Math.max(worst, Math.sqrt(residual) / values[done - 1 - k]);
  }
  return { values, vectors, worst: done < wanted ? Infinity : worst };
}

function modesOf(cells: Cells, basis: Float64Array[], found: ReturnType<typeof ritz>, wanted: number, done: number): Modes {
  const count = Math.min(wanted, done);
  const values = new Float64Array(count);
  const shapes: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const row = done - 1 - k;
    values[k] = 1 / found.values[row];
    const shape = new Float64Array(cells.place.length);
    for (let i = 0; i < done; i++) add(shape, basis[i], found.vectors[row * done + i]);
    let loudest = 0;
    for (const value of shape) if (Math.abs(value) > Math.abs(loudest)) loudest = value;
    const scale = Math.sign(loudest) / Math.sqrt(dot(shape, shape));
    shapes.push(shape.map((value) => value * scale));
  }
  return { cells, values, shapes };
}

function laplacian(cells: Cells): Skyline {
  const around = neighbours(cells);
  const count = cells.place.length;
  const first = Int32Array.from({ length: count }, (_, i) => {
    let least = i;
    for (let k = 0; k < 4; k++) if (around[4 * i + k] >= 0) least = Math.min(least, around[4 * i + k]);
    return least;
  });
  const start = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) start[i + 1] = start[i] + i - first[i] + 1;
  const values = new Float64Array(start[count]);
  for (let i = 0; i < count; i++) {
    values[start[i] + i - first[i]] = 4;
    for (let k = 0; k < 4; k++) {
      const other = around[4 * i + k];
      if (other >= 0 && other < i) values[start[i] + other - first[i]] = -1;
    }
  }
  return { first, start, values };
}

function extent(mask: Uint8Array, height: number, width: number): [number, number] {
  let [top, bottom, left, right] = [height, -1, width, -1];
  mask.forEach((moves, at) => {
    if (!moves) return;
    const [y, x] = [Math.floor(at / width), at % width];
    [top, bottom, left, right] = [Math.min(top, y), Math.max(bottom, y), Math.min(left, x), Math.max(right, x)];
  });
  return [bottom - top + 1, right - left + 1];
}

/** Numbers between -1 / 2 and 1 / 2 without any symmetry, always the same. */
function noise(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x632be5ab) | 0;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
}
