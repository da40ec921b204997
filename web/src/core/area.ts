import { leastSquares } from "./linear";

const GAP = 0.375; // the rim runs so far outside the cells that move, on average (drumhead.drum.membranes)
const HEAT = [11, 22];

/** Area, perimeter and constant (of corners) in Weyl's law. */
export interface Weyl {
  area: number;
  perimeter: number;
  constant: number;
}

/**
 * Area and perimeter as its modes tell them, by the two fits of `drumhead.drum.weyl`.
 *
 * The number of modes below lambda is, on average, A a(lambda) - P p(lambda) + C, with the grid's own counts a and p;
 * "smoothed" is the same law summed with weights exp(-lambda t), and the better of the two.
 *
 * With 40 modes "smoothed" tells the area of most shapes to 2 %, of ragged ones (gww-1 and gww-2) to 5 %.
 *
 * @param modes values of the lowest modes, ascending, at a speed of one; those from 3.9 on are left out, as the grid has
 *   no count for them.
 * @returns null where fewer than 8 are left.
 */
export function weyl(modes: Float64Array): { counted: Weyl; smoothed: Weyl } | null {
  const values = modes.filter((value) => value < 3.9);
  const top = values[values.length - 1];
  if (values.length < 8) return null;
  const counts = values.map((_, k) => k + 0.5);
  const fade = values.map((value) => Math.sin(Math.PI * Math.sqrt(value / top)) + 1e-3); // a cut wobble would tilt the fit
  const [area, rim] = [values.map(latticeArea), values.map((value) => -Math.asin(Math.sqrt(value) / 2) / (2 * Math.PI))];
  const counted = fit([area, rim, values.map(() => 1)], counts, fade);

  const times = Float64Array.from({ length: 30 }, (_, i) => (HEAT[0] * (HEAT[1] / HEAT[0]) ** (i / 29)) / top);
  const g = times.map((t) => bessel(2 * t));
  const trace = times.map((t) => values.reduce((sum, value) => sum + Math.exp(-value * t), 0));
  const columns = [g.map((one) => one * one), g.map((one) => -one / 4), g.map(() => 1)];
  return { counted, smoothed: fit(columns, trace, g.map((one) => 1 / (one * one))) };
}

/** Area of the square whose fundamental rings at `omega`, the grid and the steps of dt (0: none) undone. */
export function areaOfSquare(omega: number, dt: number): number {
  const stiffness = dt ? ((2 / dt) * Math.sin((omega * dt) / 2)) ** 2 : omega * omega;
  const plain = Math.SQRT2 * 2 * Math.asin(Math.min(1, Math.sqrt(stiffness / 8)));
  return (2 * Math.PI ** 2) / plain ** 2;
}

/**
 * Area and perimeter of a mask as they are, rim included, as `drumhead.drum.from_mask` estimates them.
 *
 * The perimeter is the total variation of the blurred mask, extrapolated from two blurs to none: a straight edge counts
 * with its length whatever its direction.
 */
export function measure(mask: ArrayLike<number>, height: number, width: number): { area: number; perimeter: number } {
  const pad = 12;
  const [tall, wide] = [height + 2 * pad, width + 2 * pad];
  const padded = new Float64Array(tall * wide);
  let cells = 0;
  for (let i = 0; i < height * width; i++) {
    if (!mask[i]) continue;
    cells++;
    padded[(Math.floor(i / width) + pad) * wide + (i % width) + pad] = 1;
  }
  const variation = (blur: number) => {
    const down = filter(filter(padded, tall, wide, blur, true, 1), tall, wide, blur, false, 0);
    const right = filter(filter(padded, tall, wide, blur, true, 0), tall, wide, blur, false, 1);
    return down.reduce((sum, value, i) => sum + Math.hypot(value, right[i]), 0);
  };
  const pixels = 2 * variation(1) - variation(2);
  return { area: cells + GAP * pixels + Math.PI * GAP ** 2, perimeter: pixels + 2 * Math.PI * GAP };
}

function fit(columns: Float64Array[], right: Float64Array, weight: Float64Array): Weyl {
  const weighted = (one: Float64Array) => one.map((value, i) => value * weight[i]);
  const [area, perimeter, constant] = leastSquares(columns.map(weighted), weighted(right));
  return { area, perimeter, constant };
}

/** Modes of an infinite grid below a value, per cell: an area in the plane of wave numbers over pi^2. */
function latticeArea(value: number): number {
  const k = 2 * Math.asin(Math.sqrt(value) / 2);
  const count = 2000;
  let sum = 0;
  for (let i = 0; i <= count; i++) {
    const t = (Math.PI / 2) * (i / count); // kx = k sin t takes the root out of the end point
    const left = Math.max(0, Math.min(1, value / 4 - Math.sin((k * Math.sin(t)) / 2) ** 2));
    sum += (i === 0 || i === count ? 0.5 : 1) * 2 * Math.asin(Math.sqrt(left)) * Math.cos(t);
  }
  return (sum * k * (Math.PI / 2)) / count / Math.PI ** 2;
}

/** exp(-x) I_0(x), as the mean of exp(x (cos a - 1)) over a circle, which a sum gives to machine precision. */
function bessel(x: number): number {
  const count = 64 + 16 * Math.ceil(Math.sqrt(x));
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(-2 * x * Math.sin((Math.PI * i) / count) ** 2);
  return sum / count;
}

/** A Gaussian filter along one direction, or its derivative; outside, the grid is zero. */
function filter(data: Float64Array, height: number, width: number, blur: number, down: boolean, order: 0 | 1): Float64Array {
  const radius = Math.floor(4 * blur + 0.5);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * blur * blur)));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const kernel = weights.map((value, i) => (value / total) * (order ? (i - radius) / (blur * blur) : 1));
  const out = new Float64Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = -radius; k <= radius; k++) {
        const [row, column] = down ? [y + k, x] : [y, x + k];
        if (row >= 0 && column >= 0 && row < height && column < width) sum += kernel[k + radius] * data[row * width + column];
      }
      out[y * width + x] = sum;
    }
  }
  return out;
}
