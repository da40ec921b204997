import type { Field } from "../types";
import { magnitudes } from "./fourier";
import { cellsOf, findModes, type Cells, type Modes, neighbours } from "./modes";
import { type Partial, struck } from "./sound";

export { areaOfSquare, measure, weyl, type Weyl } from "./area";
export type { Cells, Modes } from "./modes";

/** A drawing that is no drum, or a place that is not on it; the message is one sentence. */
export class DrumError extends Error {
  override name = "DrumError";
}

const DRAWN = 0.25; // a pixel is drawn where its brightest channel is above
const LEAST = 40; // cells; fewer have too few modes to count, as drumhead.drum has it
const MOST = 96 * 96;
const BUMP = 2; // standard deviation of what a stick lifts, in cells
const HZ_PER_OMEGA = 2000; // a square of side 48 sounds at 185 Hz
const FLOOR = 0.05;

/** A membrane: the cells that move, every other one being clamped. */
export interface Membrane {
  mask: Uint8Array;
  cells: Cells;
  /** Connected parts of the drawing; the membrane is the largest one. */
  parts: number;
}

/** The pixels that are drawn. */
export function maskOf({ data, channels, height, width }: Field): Uint8Array {
  const size = height * width;
  return Uint8Array.from({ length: size }, (_, i) => {
    for (let k = 0; k < channels; k++) if (data[k * size + i] > DRAWN) return 1;
    return 0;
  });
}

/**
 * The largest connected part of a mask as a membrane.
 *
 * @throws DrumError it has fewer than 40 cells or more than 96 x 96.
 */
export function membraneOf(mask: Uint8Array, height: number, width: number): Membrane {
  const seen = new Uint8Array(mask.length);
  let largest: number[] = [];
  let parts = 0;
  for (let begin = 0; begin < mask.length; begin++) {
    if (!mask[begin] || seen[begin]) continue;
    parts++;
    const part = [begin];
    seen[begin] = 1;
    for (let i = 0; i < part.length; i++) {
      const [y, x] = [Math.floor(part[i] / width), part[i] % width];
      for (const [row, column] of [[y - 1, x], [y + 1, x], [y, x - 1], [y, x + 1]]) {
        const at = row * width + column;
        if (row < 0 || column < 0 || row >= height || column >= width || !mask[at] || seen[at]) continue;
        seen[at] = 1;
        part.push(at);
      }
    }
    if (part.length > largest.length) largest = part;
  }
  if (!largest.length) throw new DrumError(`Nothing is drawn; a drum needs ${LEAST} pixels: draw a filled shape.`);
  if (largest.length < LEAST) {
    const pixels = `${largest.length} pixel${largest.length > 1 ? "s" : ""}`;
    throw new DrumError(`The largest part of the drawing has ${pixels}; a drum needs ${LEAST}: draw a filled shape.`);
  }
  if (largest.length > MOST) {
    throw new DrumError(`The drawing has ${largest.length} pixels that move; a drum here has at most ${MOST}: draw a smaller one.`);
  }
  const kept = new Uint8Array(mask.length);
  for (const at of largest) kept[at] = 1;
  return { mask: kept, cells: cellsOf(kept, height, width), parts };
}

/** The lowest modes of a membrane, about half a second for 64 x 64 cells. */
export function modesOf(membrane: Membrane, count = 40): Modes {
  return findModes(membrane.cells, count);
}

/** A mode as a field to draw, the largest displacement 1. */
export function modeField(modes: Modes, index: number): Field {
  const shape = modes.shapes[index];
  const loudest = shape.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-300);
  return spread(modes.cells, shape, 1 / loudest);
}

/** How far a stick lifts each cell: a bump of height 1 around the place that is struck. */
export function bump(cells: Cells, y: number, x: number, width = BUMP): Float64Array {
  on(cells, y, x);
  return Float64Array.from(cells.place, (at) => {
    const [row, column] = [Math.floor(at / cells.width), at % cells.width];
    return Math.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * width * width));
  });
}

/** How much of each mode a strike sets off. */
export function strike(modes: Modes, y: number, x: number, width = BUMP): Float64Array {
  const lifted = bump(modes.cells, y, x, width);
  return Float64Array.from(modes.shapes, (shape) => shape.reduce((sum, value, i) => sum + value * lifted[i], 0));
}

/** Angular frequencies at which modes ring: in steps of dt, or without steps. */
export function ringing(values: Float64Array, dt = 0): Float64Array {
  return values.map((value) => (dt ? (2 / dt) * Math.asin((dt * Math.sqrt(value)) / 2) : Math.sqrt(value)));
}

/**
 * What a place hears of these modes, let go at rest: t entries after steps of dt.
 *
 * With all modes it is what `drumhead.drum.strike` records, whose first half step turns cos(omega t) into
 * cos(omega (t + dt / 2)) / cos(omega dt / 2).
 */
export function seriesOf(modes: Modes, sizes: Float64Array, y: number, x: number, steps: number, dt = 0.5): Float64Array {
  const cell = on(modes.cells, y, x);
  const omega = ringing(modes.values, dt);
  const series = new Float64Array(steps);
  modes.shapes.forEach((shape, k) => {
    const size = (sizes[k] * shape[cell]) / Math.cos((omega[k] * dt) / 2);
    for (let t = 0; t < steps; t++) series[t] += size * Math.cos(omega[k] * dt * (t + 1.5));
  });
  return series;
}

/** The membrane at a time after the strike, fading as its sound does (`loss` of a mode per unit of time and omega). */
export function stateAt(modes: Modes, sizes: Float64Array, time: number, loss = 0): Field {
  const state = new Float64Array(modes.cells.place.length);
  modes.shapes.forEach((shape, k) => {
    const omega = Math.sqrt(modes.values[k]);
    const now = sizes[k] * Math.cos(omega * time) * Math.exp(-loss * omega * time);
    for (let i = 0; i < state.length; i++) state[i] += now * shape[i];
  });
  return spread(modes.cells, state, 1);
}

/** A membrane in motion, stepped cell by cell: all modes, so that sharp fronts travel. */
export class Ringing {
  /** Displacement of each cell. */
  readonly y: Float64Array;
  private readonly z: Float64Array;
  private readonly around: Int32Array;

  /** @param loss share of the speed that is lost in a unit of time. */
  constructor(
    readonly cells: Cells,
    readonly dt = 0.5,
    readonly loss = 0,
  ) {
    this.y = new Float64Array(cells.place.length);
    this.z = new Float64Array(cells.place.length);
    this.around = neighbours(cells);
  }

  /** Lift the membrane around a place, on top of what moves already. */
  strike(y: number, x: number, width = BUMP, height = 1): void {
    bump(this.cells, y, x, width).forEach((value, i) => (this.y[i] += height * value));
  }

  /** z <- z + dt (laplacian y - loss z), y <- y + dt z, so many times. */
  advance(steps: number): void {
    const { y, z, around, dt } = this;
    const keep = 1 - dt * this.loss;
    for (let step = 0; step < steps; step++) {
      for (let i = 0; i < y.length; i++) {
        let pull = -4 * y[i];
        for (let k = 4 * i; k < 4 * i + 4; k++) if (around[k] >= 0) pull += y[around[k]];
        z[i] = keep * z[i] + dt * pull;
      }
      for (let i = 0; i < y.length; i++) y[i] += dt * z[i];
    }
  }

  /** What a place hears in the next steps. */
  record(y: number, x: number, steps: number): Float64Array {
    const cell = on(this.cells, y, x);
    return Float64Array.from({ length: steps }, () => {
      this.advance(1);
      return this.y[cell];
    });
  }

  /** The displacement as a field to draw. */
  field(): Field {
    return spread(this.cells, this.y, 1);
  }
}

/** Magnitudes of a drum's series under a Hann window: floor(t / 2) + 1 bins. */
export function heardSpectrum(series: ArrayLike<number>): Float64Array {
  const count = series.length;
  return magnitudes(Float64Array.from(series, (value, t) => value * (0.5 - 0.5 * Math.cos((2 * Math.PI * t) / count))));
}

/** Angular frequency of the lowest peak that is heard, the middle of its bin; NaN where there is none. */
export function fundamental(series: ArrayLike<number>, dt: number): number {
  const loud = heardSpectrum(series);
  const quiet = FLOOR * loud.reduce((most, value) => Math.max(most, value), 0);
  for (let k = 1; k < loud.length - 1; k++) {
    if (loud[k] >= loud[k - 1] && loud[k] > loud[k + 1] && loud[k] > quiet) return (2 * Math.PI * k) / (series.length * dt);
  }
  return NaN;
}

/** The sound of a strike as a place hears it: 1.5 seconds at `RATE`. A larger drum is lower and all partials fade. */
export function drumTone(modes: Modes, sizes: Float64Array, y: number, x: number): Float32Array {
  const cell = on(modes.cells, y, x);
  const lowest = Math.sqrt(modes.values[0]);
  const partials = Array.from(modes.values, (value, k): Partial => {
    const omega = Math.sqrt(value);
    return { size: sizes[k] * modes.shapes[k][cell], hz: HZ_PER_OMEGA * omega, fade: (0.5 * lowest) / omega };
  });
  return struck(partials, 1.5);
}

/** The sound of one mode alone. */
export function modeTone(modes: Modes, index: number): Float32Array {
  return struck([{ size: 1, hz: HZ_PER_OMEGA * Math.sqrt(modes.values[index]), fade: 0.4 }], 1.5);
}

/** The cell that is farthest from the rim in steps along the grid: a good place for a first strike. */
export function middle({ cells }: Membrane): { y: number; x: number } {
  const around = neighbours(cells);
  const depth = new Int32Array(cells.place.length).fill(-1);
  const queue: number[] = [];
  for (let i = 0; i < depth.length; i++) {
    if (around.subarray(4 * i, 4 * i + 4).includes(-1)) {
      depth[i] = 0;
      queue.push(i);
    }
  }
  for (let head = 0; head < queue.length; head++) {
    for (const next of around.subarray(4 * queue[head], 4 * queue[head] + 4)) {
      if (next < 0 || depth[next] >= 0) continue;
      depth[next] = depth[queue[head]] + 1;
      queue.push(next);
    }
  }
  const at = cells.place[depth.indexOf(Math.max(...depth))];
  return { y: Math.floor(at / cells.width), x: at % cells.width };
}

function spread({ height, width, place }: Cells, values: Float64Array, scale: number): Field {
  const data = new Float32Array(height * width);
  place.forEach((at, i) => (data[at] = values[i] * scale));
  return { data, channels: 1, height, width };
}

function on({ number, height, width }: Cells, y: number, x: number): number {
  const inside = y >= 0 && x >= 0 && y < height && x < width;
  const cell = inside ? number[Math.floor(y) * width + Math.floor(x)] : -1;
  if (cell < 0) throw new DrumError(`The place (y = ${y}, x = ${x}) is not on the drum.`);
  return cell;
}
