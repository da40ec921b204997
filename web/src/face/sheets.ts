import type { Field, Layer } from "../types";
import { around, cubic } from "./timeline";

/** One sheet of a layer over time, or all of them as one. */
export interface Sheet {
  /** (y, x) at each of the layer's frames. */
  frames: Float32Array[];
  /** The size that nearly all values stay below. */
  scale: number;
}

const kept = new WeakMap<Layer, Map<number | "all", Sheet>>();

/**
 * Take one sheet out of a layer, or all sheets together as their strongest common pattern.
 *
 * That pattern is their first principal component, since in a plain mean sheets of opposite sign would cancel. What is
 * the same everywhere is left out of it: all pixels swing together before the first wave has come.
 */
export function sheet(layer: Layer, which: number | "all"): Sheet {
  const chosen = which === "all" ? which : Math.min(which, layer.channels - 1);
  const sheets = kept.get(layer) ?? new Map<number | "all", Sheet>();
  kept.set(layer, sheets);
  let found = sheets.get(chosen);
  if (!found) {
    const weights =
      chosen === "all" ? common(layer) : Float32Array.from({ length: layer.channels }, (_, c) => Number(c === chosen));
    const frames = layer.frames.map((frame) => mix(frame, weights));
    if (chosen === "all") for (const frame of frames) level(frame);
    found = { frames, scale: mostOf(frames) };
    sheets.set(chosen, found);
  }
  return found;
}

/** The sheet between two frames, smooth in time; valid until the next call with the same `into`. */
export function between(layer: Layer, { frames }: Sheet, step: number, into: Float32Array): Float32Array {
  const { frames: places, between: t } = around(layer, step);
  const weights = cubic(t);
  const [a, b, c, d] = places.map((place) => frames[place]);
  for (let i = 0; i < into.length; i++)
    into[i] = weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i] + weights[3] * d[i];
  return into;
}

/** Stiffness or damping of one sheet, or the mean over all; and its least and largest value. */
export function medium(field: Field, which: number | "all"): { values: Float32Array; low: number; high: number } {
  const { channels } = field;
  const weights = Float32Array.from({ length: channels }, (_, c) =>
    which === "all" ? 1 / channels : Number(c === Math.min(which, channels - 1)),
  );
  const values = mix(field, weights);
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { values, low, high };
}

function mix({ data, channels, height, width }: Field, weights: Float32Array): Float32Array {
  const out = new Float32Array(height * width);
  for (let c = 0; c < channels; c++) {
    const weight = weights[c];
    if (!weight) continue;
    for (let i = 0; i < out.length; i++) out[i] += weight * data[c * out.length + i];
  }
  return out;
}

/** Take the median away. */
function level(values: Float32Array): void {
  const middle = values.slice().sort()[values.length >> 1];
  for (let i = 0; i < values.length; i++) values[i] -= middle;
}

/** The first principal component of a layer's sheets over places and times, by power iteration. */
function common(layer: Layer): Float32Array {
  const count = layer.channels;
  const products = new Float64Array(count * count);
  for (const { data, height, width } of layer.frames) {
    const size = height * width;
    for (let a = 0; a < count; a++) {
      for (let b = a; b < count; b++) {
        let [sum, one, other] = [0, 0, 0];
        for (let i = 0; i < size; i++) {
          sum += data[a * size + i] * data[b * size + i];
          one += data[a * size + i];
          other += data[b * size + i];
        }
        sum -= (one * other) / size;
        products[a * count + b] += sum;
        if (a !== b) products[b * count + a] += sum;
      }
    }
  }
  let weights = Float64Array.from({ length: count }, (_, c) => products[c * count + c] + 1e-12);
  for (let turn = 0; turn < 60; turn++) {
    const next = new Float64Array(count);
    for (let a = 0; a < count; a++) for (let b = 0; b < count; b++) next[a] += products[a * count + b] * weights[b];
    const length = Math.hypot(...next) || 1;
    weights = next.map((value) => value / length);
  }
  return Float32Array.from(weights);
}

/** The size below which 99.5 % of all values are. */
function mostOf(frames: Float32Array[]): number {
  const sizes = new Float32Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) for (const value of frame) sizes[at++] = Math.abs(value);
  sizes.sort();
  return sizes[Math.floor((sizes.length - 1) * 0.995)] || 1;
}
