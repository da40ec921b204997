import { blank, copy, eraser, fill, type Place, pen } from "../core/raster";
import type { Field } from "../types";
import { stampOf } from "./samples";
import type { State, Tool } from "./state";

export const STAMPS: readonly Tool[] = ["piece", "digit", "wire", "shape"];

/** What the pen leaves: the chosen colour where the network sees colour, white where it does not. */
export function colourOf({ image, colour }: Readonly<State>): number[] {
  return image.channels === 3 ? colour.map((value) => value / 255) : [1];
}

/** A copy of the drawing with a stroke of the pen or the eraser between two places. */
export function stroke(state: Readonly<State>, image: Field, from: Place, to: Place): Field {
  const next = copy(image);
  if (state.tool === "eraser") eraser(next, from, to, Math.max(2, state.brush * 1.6));
  else pen(next, from, to, { size: state.brush, soft: state.manifest?.task.startsWith("mnist") === true && state.mode === "waves", colour: colourOf(state) });
  return next;
}

/** A copy with one area filled. */
export function filled(state: Readonly<State>, at: Place): Field {
  const next = copy(state.image);
  fill(next, at, colourOf(state));
  return next;
}

/** A copy with a polygon filled: the pixels whose middles lie inside. */
export function polygon(state: Readonly<State>, corners: Place[]): Field {
  const next = copy(state.image);
  const colour = colourOf(state);
  const size = next.height * next.width;
  for (let y = 0; y < next.height; y++) {
    for (let x = 0; x < next.width; x++) {
      if (!inside(corners, y + 0.5, x + 0.5)) continue;
      for (let k = 0; k < next.channels; k++) next.data[k * size + y * next.width + x] = colour[k] ?? colour[0];
    }
  }
  return next;
}

/** A copy with the chosen stamp, its middle at a place but whole on the drawing. */
export function stamped(state: Readonly<State>, at: Place): Field {
  const stamp = stampOf(state);
  const next = copy(state.image);
  const { top, left } = corner(stamp, next, at);
  const size = next.height * next.width;
  for (let y = 0; y < stamp.height; y++) {
    for (let x = 0; x < stamp.width; x++) {
      const cover = stamp.cover[y * stamp.width + x];
      const [row, column] = [top + y, left + x];
      if (!cover || row < 0 || column < 0 || row >= next.height || column >= next.width) continue;
      for (let k = 0; k < next.channels; k++) {
        const place = k * size + row * next.width + column;
        const value = stamp.image.data[(k % stamp.image.channels) * stamp.height * stamp.width + y * stamp.width + x];
        next.data[place] = cover >= 1 ? value : Math.max(next.data[place], value);
      }
    }
  }
  return next;
}

/** Where the upper left corner of a stamp comes to lie. */
export function corner(stamp: { height: number; width: number }, image: Field, at: Place): { top: number; left: number } {
  const fit = (middle: number, own: number, all: number) => Math.max(0, Math.min(all - own, Math.round(middle - own / 2)));
  return { top: fit(at.y, stamp.height, image.height), left: fit(at.x, stamp.width, image.width) };
}

/** An empty drawing of the same size. */
export function cleared({ height, width, channels }: Field): Field {
  return blank(height, width, channels);
}

function inside(corners: Place[], y: number, x: number): boolean {
  let odd = false;
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length];
    if (a.y <= y !== b.y <= y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd;
  });
  return odd;
}
