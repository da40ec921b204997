// TEMPORARY until core/stamps.ts is there.
import { blank, pen } from "../core/raster";
import type { Field } from "../types";
import type { Mode, State } from "./state";

export const PIECES = ["I", "O", "T", "S/Z", "J/L"];
export const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export interface Stamp { image: Field; cover: Float32Array; height: number; width: number }
const SHAPES = [[[1,1,1,1]],[[1,1],[1,1]],[[0,1,0],[1,1,1]],[[0,1,1],[1,1,0]],[[1,0,0],[1,1,1]]];

export function stampOf(state: Readonly<State>): Stamp {
  const { tool, image } = state;
  const k = image.channels;
  const colour = k === 3 ? state.colour.map((v) => v / 255) : [1];
  if (tool === "piece") {
    const shape = SHAPES[state.piece];
    const f = blank(shape.length * 7, shape[0].length * 7, k);
    const cover = new Float32Array(f.height * f.width);
    for (let y = 0; y < f.height; y++) for (let x = 0; x < f.width; x++) {
      if (!shape[Math.floor(y / 7)][Math.floor(x / 7)]) continue;
      const rim = y % 7 === 0 || y % 7 === 6 || x % 7 === 0 || x % 7 === 6;
      cover[y * f.width + x] = 1;
      for (let c = 0; c < k; c++) f.data[c * f.height * f.width + y * f.width + x] = k === 1 ? 1 : Math.min(1, colour[c] * (rim ? 1 : 0.7));
    }
    return { image: f, cover, height: f.height, width: f.width };
  }
  const f = blank(24, 24, k);
  const points = Array.from({ length: state.sides }, (_, i) => ({ y: 12 - 11 * Math.cos((2 * Math.PI * i) / state.sides), x: 12 + 11 * Math.sin((2 * Math.PI * i) / state.sides) }));
  const cover = new Float32Array(24 * 24);
  for (let y = 0; y < 24; y++) for (let x = 0; x < 24; x++) {
    let odd = false;
    points.forEach((a, i) => { const b = points[(i + 1) % points.length]; if (a.y <= y + .5 !== b.y <= y + .5 && x + .5 < a.x + ((y + .5 - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd; });
    if (odd) { cover[y * 24 + x] = 1; for (let c = 0; c < k; c++) f.data[c * 576 + y * 24 + x] = colour[c]; }
  }
  return { image: f, cover, height: 24, width: 24 };
}

export function sampleOf(model: string): Field {
  if (model === "drum") {
    const f = blank(96, 96, 1);
    for (let y = 0; y < 96; y++) for (let x = 0; x < 96; x++) {
      const a = Math.atan2(y - 48, x - 48);
      if (Math.hypot(y - 48, x - 48) < 30 + 6 * Math.sin(3 * a) + 4 * Math.cos(2 * a + 1)) f.data[y * 96 + x] = 1;
    }
    return f;
  }
  const f = blank(model === "mnist" ? 56 : 64, model === "mnist" ? 56 : 64, model === "tetrominoes" ? 3 : 1);
  if (model === "tetrominoes") {
    for (const [piece, top, left, colour] of [[2, 8, 6, [230, 160, 60]], [1, 40, 10, [90, 170, 240]], [4, 34, 36, [200, 90, 200]], [0, 12, 34, [80, 200, 120]]] as [number, number, number, [number, number, number]][]) {
      const stamp = stampOf({ tool: "piece", piece, colour, image: f } as never);
      for (let y = 0; y < stamp.height; y++) for (let x = 0; x < stamp.width; x++) if (stamp.cover[y * stamp.width + x]) for (let c = 0; c < 3; c++) f.data[c * 4096 + (top + y) * 64 + left + x] = stamp.image.data[c * stamp.height * stamp.width + y * stamp.width + x];
    }
  } else {
    let from = { y: 10, x: 12 };
    for (let i = 1; i < 60; i++) { const to = { y: 10 + i * 0.7, x: 24 + 14 * Math.sin(i / 9 - 0.9) }; pen(f, from, to, { size: model === "wires" ? 2 : 5, soft: model !== "wires", colour: [1] }); from = to; }
  }
  return f;
}

export function surpriseOf(model: string, mode: Mode): Field { return sampleOf(mode === "drum" ? "drum" : model); }
