import { blank, copy, eraser, fill, type Place, pen } from "../core/raster";
import { brushOf } from "../core/scenes";
import { fillPolygon, place, type Stamp } from "../core/stamps";
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
  else
    pen(next, from, to, {
      size: state.brush,
      soft: state.mode === "waves" && brushOf(state.manifest?.task ?? "").soft,
      colour: colourOf(state),
    });
  return next;
}

/** A copy with one area filled. */
export function filled(state: Readonly<State>, at: Place): Field {
  const next = copy(state.image);
  fill(next, at, colourOf(state));
  return next;
}

/** A copy with a polygon filled. */
export function polygon(state: Readonly<State>, corners: Place[]): Field {
  const next = copy(state.image);
  fillPolygon(next, corners, colourOf(state));
  return next;
}

/** A copy with the chosen stamp, its middle at a place but whole on the drawing. */
export function stamped(state: Readonly<State>, at: Place): Field {
  const stamp = stampOf(state);
  const next = copy(state.image);
  place(next, stamp, settle(stamp, next, at));
  return next;
}

/** The middle of a stamp, moved so that all of it lies on the drawing. */
export function settle({ field }: Stamp, image: Field, { y, x }: Place): Place {
  const fit = (middle: number, own: number, all: number) => Math.max(own / 2, Math.min(all - own / 2, middle));
  return { y: fit(y, field.height, image.height), x: fit(x, field.width, image.width) };
}

/** An empty drawing of the same size. */
export function cleared({ height, width, channels }: Field): Field {
  return blank(height, width, channels);
}
