import type { Field } from "../types";
import { blank, pen, type Place } from "./raster";

/** Something to put on a drawing: its colours, and which of its pixels cover what is below. */
export interface Stamp {
  field: Field;
  cover: Uint8Array;
}

/** The side of a cell of a piece in pixels, and the pieces, as the task draws them. */
export const CELL = 7;
export const PIECES = {
  I: ["####"],
  O: ["##", "##"],
  T: [".#.", "###"],
  S: [".##", "##."],
  Z: ["##.", ".##"],
  J: ["#..", "###"],
  L: ["..#", "###"],
} as const;
export type Piece = keyof typeof PIECES;

/** Digits as curves through points (x, y) of a box that is 1 high; a list is smooth, its ends are open. */
const DIGITS: [number, number][][][] = [
  [[[0.32, 0.02], [0.1, 0.18], [0.02, 0.5], [0.1, 0.84], [0.32, 0.98], [0.54, 0.84], [0.62, 0.5], [0.54, 0.18], [0.32, 0.02]]],
  [[[0.4, 0.0], [0.36, 0.35], [0.31, 0.7], [0.27, 1.0]]],
  [[[0.06, 0.22], [0.2, 0.04], [0.42, 0.02], [0.56, 0.2], [0.48, 0.45], [0.25, 0.72], [0.04, 0.96]], [[0.04, 0.96], [0.34, 0.95], [0.64, 0.96]]],
  [[[0.06, 0.1], [0.3, 0.0], [0.54, 0.12], [0.52, 0.34], [0.26, 0.47]], [[0.26, 0.47], [0.54, 0.56], [0.6, 0.78], [0.4, 0.97], [0.14, 0.97], [0.0, 0.88]]],
  [[[0.12, 0.02], [0.06, 0.3], [0.06, 0.52]], [[0.06, 0.52], [0.3, 0.54], [0.6, 0.5]], [[0.56, 0.02], [0.54, 0.5], [0.5, 1.0]]],
  [[[0.62, 0.02], [0.4, 0.03], [0.16, 0.04]], [[0.16, 0.04], [0.12, 0.25], [0.1, 0.44]], [[0.1, 0.44], [0.34, 0.4], [0.56, 0.54], [0.56, 0.8], [0.36, 0.98], [0.12, 0.96], [0.0, 0.86]]],
  [[[0.46, 0.0], [0.2, 0.26], [0.06, 0.6], [0.1, 0.88], [0.3, 0.98], [0.52, 0.88], [0.54, 0.66], [0.36, 0.54], [0.14, 0.64], [0.08, 0.76]]],
  [[[0.0, 0.06], [0.3, 0.06], [0.6, 0.04]], [[0.6, 0.04], [0.44, 0.4], [0.3, 0.7], [0.22, 1.0]]],
  [[[0.5, 0.12], [0.3, 0.02], [0.1, 0.14], [0.14, 0.34], [0.34, 0.5], [0.52, 0.7], [0.46, 0.92], [0.26, 0.99], [0.08, 0.88], [0.12, 0.66], [0.34, 0.48], [0.5, 0.3], [0.5, 0.12]]],
  [[[0.52, 0.2], [0.36, 0.02], [0.12, 0.1], [0.06, 0.34], [0.22, 0.48], [0.44, 0.4], [0.54, 0.18]], [[0.54, 0.18], [0.52, 0.55], [0.46, 1.0]]],
];

/**
 * A piece as the task draws it: cells of 7 pixels with rims of one and a half times their colour, in 8 bits that wrap
 * around.
 *
 * @param colour three bytes.
 * @param turns quarter turns to the left.
 */
export function tetromino(piece: Piece, colour: readonly number[], turns = 0): Stamp {
  let rows: string[] = [...PIECES[piece]];
  for (let turn = 0; turn < ((turns % 4) + 4) % 4; turn++) {
    rows = Array.from(rows[0], (_, x) => rows.map((row) => row[row.length - 1 - x]).join(""));
  }
  const [height, width] = [rows.length * CELL, rows[0].length * CELL];
  const field = blank(height, width, 3);
  const cover = new Uint8Array(height * width);
  for (let at = 0; at < height * width; at++) {
    const [y, x] = [Math.floor(at / width), at % width];
    if (rows[Math.floor(y / CELL)][Math.floor(x / CELL)] !== "#") continue;
    const rim = y % CELL === 0 || y % CELL === CELL - 1 || x % CELL === 0 || x % CELL === CELL - 1;
    cover[at] = 1;
    for (let k = 0; k < 3; k++) {
      const byte = rim ? (colour[k] + Math.floor(colour[k] / 2)) & 255 : colour[k];
      field.data[k * height * width + at] = byte / 255;
    }
  }
  return { field, cover };
}

/**
 * A digit in strokes as handwriting has them.
 *
 * @param size its height in pixels; 40 is what the MNIST task shows.
 */
export function digit(value: number, size = 40): Stamp {
  const stroke = Math.max(1.5, 0.13 * size);
  const paths = DIGITS[value].map((points) => smooth(points));
  const all = paths.flat();
  const [left, right] = [Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x))];
  const inner = size - stroke;
  const margin = stroke / 2 + 1;
  const field = blank(Math.ceil(size + 2), Math.ceil((right - left) * inner + 2 * margin), 1);
  for (const path of paths) {
    const placed = path.map(({ x, y }) => ({ x: margin + (x - left) * inner, y: margin + y * inner }));
    for (let i = 1; i < placed.length; i++) pen(field, placed[i - 1], placed[i], { size: stroke, soft: true, colour: [1] });
  }
  return { field, cover: coverOf(field) };
}

/** Corners of a regular polygon, the first on top, turned clockwise by an angle in radians. */
export function corners(count: number, radius: number, centre: Place, angle = 0): Place[] {
  return Array.from({ length: count }, (_, i) => {
    const at = angle + (2 * Math.PI * i) / count - Math.PI / 2;
    return { y: centre.y + radius * Math.sin(at), x: centre.x + radius * Math.cos(at) };
  });
}

/** Fill a polygon: all pixels whose middle is inside; changes the field. */
export function fillPolygon(field: Field, points: Place[], colour: readonly number[]): void {
  const size = field.height * field.width;
  for (let y = 0; y < field.height; y++) {
    for (let x = 0; x < field.width; x++) {
      let inside = false;
      points.forEach((from, i) => {
        const to = points[(i + 1) % points.length];
        const [py, px] = [y + 0.5, x + 0.5];
        if (from.y <= py !== to.y <= py && px < from.x + ((py - from.y) * (to.x - from.x)) / (to.y - from.y)) inside = !inside;
      });
      if (inside) for (let k = 0; k < field.channels; k++) field.data[k * size + y * field.width + x] = colour[k] ?? colour[0];
    }
  }
}

/**
 * A regular polygon, filled.
 *
 * @param count corners, 3 to 8.
 * @param size the diameter of the circle through them in pixels.
 * @param colour numbers in [0, 1], one for each channel.
 */
export function polygon(count: number, size: number, colour: readonly number[] = [1], angle = 0): Stamp {
  const side = Math.ceil(size) + 2;
  const field = blank(side, side, colour.length);
  const points = corners(count, size / 2, { y: side / 2, x: side / 2 }, angle);
  fillPolygon(field, points, colour);
  const mask = blank(side, side, 1);
  fillPolygon(mask, points, [1]);
  return { field, cover: coverOf(mask) };
}

/** What a wire is drawn with: strokes of two pixels and, at one end, a dot, as the task has them. */
const DOT = Array.from({ length: 36 }, (_, i) => [Math.floor(i / 6) - 2, (i % 6) - 2] as const).filter(
  ([y, x]) => Math.abs(2 * y - 1) + Math.abs(2 * x - 1) < 9,
);

/** Draw a wire along pixels (whole numbers), with or without a dot at its first one; changes the field. */
export function drawWire(field: Field, trail: Place[], dot: boolean): void {
  const set = (y: number, x: number) => {
    if (y < 0 || x < 0 || y >= field.height || x >= field.width) return;
    for (let k = 0; k < field.channels; k++) field.data[k * field.height * field.width + y * field.width + x] = 1;
  };
  for (const { y, x } of trail) for (const [down, right] of [[0, 0], [0, 1], [1, 0], [1, 1]]) set(y + down, x + right);
  if (dot) for (const [down, right] of DOT) set(trail[0].y + down, trail[0].x + right);
}

/** Pixels along a smooth curve through points, one after another, each once. */
export function trailOf(points: [number, number][], scale: number): Place[] {
  const trail: Place[] = [];
  for (const { y, x } of smooth(points, 64)) {
    const place = { y: Math.round(y * scale), x: Math.round(x * scale) };
    const last = trail.at(-1);
    if (!last || last.y !== place.y || last.x !== place.x) trail.push(place);
  }
  return trail;
}

/** A wire of about 60 pixels: one of three curves. */
export function wire(kind: number, dot: boolean): Stamp {
  const curves: [number, number][][] = [
    [[0.05, 0.1], [0.3, 0.05], [0.5, 0.3], [0.55, 0.65], [0.85, 0.9]],
    [[0.12, 0.75], [0.12, 0.4], [0.35, 0.15], [0.65, 0.22], [0.72, 0.5]],
    [[0.1, 0.15], [0.1, 0.5], [0.3, 0.75], [0.6, 0.7], [0.85, 0.45]],
  ];
  const side = 48;
  const field = blank(side, side, 1);
  const trail = trailOf(curves[kind % curves.length], 42).map(({ y, x }) => ({ y: y + 2, x: x + 2 }));
  drawWire(field, trail, dot);
  return { field, cover: coverOf(field) };
}

/**
 * Put a stamp on a drawing, its middle at a place; changes the drawing. Grey stamps on colour, and the other way round,
 * keep their brightness.
 */
export function place(onto: Field, { field, cover }: Stamp, at: Place): void {
  const [top, left] = [Math.round(at.y - field.height / 2), Math.round(at.x - field.width / 2)];
  const [from, to] = [field.height * field.width, onto.height * onto.width];
  for (let y = Math.max(0, -top); y < Math.min(field.height, onto.height - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(field.width, onto.width - left); x++) {
      const pixel = y * field.width + x;
      if (!cover[pixel]) continue;
      const target = (top + y) * onto.width + left + x;
      const values = Array.from({ length: field.channels }, (_, k) => field.data[k * from + pixel]);
      for (let k = 0; k < onto.channels; k++) {
        const value = onto.channels === field.channels ? values[k] : Math.max(...values);
        onto.data[k * to + target] = field.channels === 1 ? Math.max(value, onto.data[k * to + target]) : value;
      }
    }
  }
}

function coverOf({ data }: Field): Uint8Array {
  return Uint8Array.from(data, (value) => Number(value > 0));
}

/** Points along a curve that goes smoothly through these (Catmull and Rom's cubic). */
function smooth(points: readonly (readonly [number, number])[], parts = 12): Place[] {
  const closed = points.length > 2 && points[0][0] === points.at(-1)![0] && points[0][1] === points.at(-1)![1];
  const at = (i: number) => {
    if (i < 0) return closed ? points[points.length - 2] : points[0];
    return i < points.length ? points[i] : closed ? points[1] : points[points.length - 1];
  };
  const found: Place[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    for (let part = 0; part <= parts; part++) {
      const t = part / parts;
      const along = (k: 0 | 1) =>
        (2 * b[k] + (c[k] - a[k]) * t + (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t ** 2 + (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t ** 3) / 2;
      found.push({ x: along(0), y: along(1) });
    }
  }
  return found;
}
