import type { Field } from "../types";
import { blank, type Brush, type Place } from "./raster";
import { corners, digit, drawWire, fillPolygon, type Piece, place, tetromino } from "./stamps";

/** Numbers in [0, 1), always the same for a seed. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The pen with which the images of a task look drawn; a network may be named after its task. */
export function brushOf(task: string): Brush {
  if (task.startsWith("wires") || task.startsWith("pathfinder")) return { size: 2, soft: false, colour: [1] };
  if (task.includes("mnist")) return { size: 5.2, soft: true, colour: [1] };
  if (task.startsWith("tetrominoes")) return { size: 7, soft: false, colour: [0.2, 0.6, 0.9] };
  return { size: 6, soft: false, colour: [1] };
}

/**
 * A random drawing of the kind that a task shows; unknown tasks, and "drum", get a polygon.
 *
 * @param random numbers in [0, 1): `Math.random`, or `randomOf(seed)` for the same again.
 */
export function scene(task: string, height: number, width: number, channels: 1 | 3, random: () => number = Math.random): Field {
  const field = blank(height, width, channels);
  if (task === "tetrominoes") pieces(field, random);
  else if (task.includes("mnist")) digits(field, random);
  else if (task.startsWith("wires")) wires(field, random);
  else shape(field, random);
  return field;
}

const below = (count: number, random: () => number) => Math.floor(random() * count);

/** One to five pieces that do not overlap, of different kinds, each colour any that can be seen. */
function pieces(field: Field, random: () => number): void {
  const kinds: Piece[][] = [["I"], ["O"], ["T"], ["S", "Z"], ["J", "L"]];
  const taken = new Uint8Array(field.height * field.width);
  const order = kinds.map((names) => ({ names, key: random() })).sort((a, b) => a.key - b.key);
  for (const { names } of order.slice(0, 2 + below(4, random))) {
    for (let tries = 0; tries < 60; tries++) {
      const colour = [0, 0, 0].map(() => below(256, random));
      if (Math.max(...colour) < 100) continue;
      const stamp = tetromino(names[below(names.length, random)], colour, below(4, random));
      const { height, width } = stamp.field;
      if (height >= field.height || width >= field.width) return;
      const [top, left] = [below(field.height - height, random), below(field.width - width, random)];
      const cells = [...stamp.cover.keys()].filter((at) => stamp.cover[at]);
      const spot = (at: number) => (top + Math.floor(at / width)) * field.width + left + (at % width);
      if (cells.some((at) => taken[spot(at)])) continue;
      for (const at of cells) taken[spot(at)] = 1;
      place(field, stamp, { y: top + height / 2, x: left + width / 2 });
      break;
    }
  }
}

/** A digit in the middle, or several side by side where there is room. */
function digits(field: Field, random: () => number): void {
  const size = Math.min(40, field.height - 8, field.width - 8);
  const [down, across] = [field.height, field.width].map((side) => Math.max(1, Math.floor(side / (1.4 * size))));
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      const at = { y: ((row + 0.5) * field.height) / down, x: ((column + 0.5) * field.width) / across };
      place(field, digit(below(10, random), size), at);
    }
  }
}

/** Two to four wires of about 60 pixels that touch neither each other nor themselves, and a dot at an end of one. */
function wires(field: Field, random: () => number): void {
  const taken = new Uint8Array(field.height * field.width);
  const trails: Place[][] = [];
  const wanted = 2 + below(3, random);
  for (let tries = 0; tries < 400 && trails.length < wanted; tries++) {
    const trail = walk(field, taken, 50 + below(21, random), random);
    if (!trail) continue;
    trails.push(trail);
    for (const { y, x } of trail) block(field, taken, y, x);
  }
  const dotted = below(trails.length, random);
  trails.forEach((trail, i) => drawWire(field, i === dotted && random() < 0.5 ? trail.reverse() : trail, i === dotted));
}

const GAP = 4;

function block({ height, width }: Field, taken: Uint8Array, y: number, x: number): void {
  for (let i = Math.max(0, y - GAP); i <= Math.min(height - 1, y + GAP); i++) taken.fill(1, i * width + Math.max(0, x - GAP), i * width + Math.min(width, x + GAP + 1));
}

/** A walk of so many pixels that turns a little at random and away from what is in its way; null where it gets stuck. */
function walk(field: Field, taken: Uint8Array, length: number, random: () => number): Place[] | null {
  const { height, width } = field;
  const free = (y: number, x: number, trail: Place[]) => {
    const [row, column] = [Math.floor(y), Math.floor(x)];
    if (row < GAP || column < GAP || row >= height - GAP || column >= width - GAP || taken[row * width + column]) return false;
    return trail.slice(0, -9).every((one) => Math.max(Math.abs(one.y - row), Math.abs(one.x - column)) > GAP);
  };
  let [y, x] = [GAP + random() * (height - 2 * GAP), GAP + random() * (width - 2 * GAP)];
  let [heading, bend] = [2 * Math.PI * random(), 0];
  const trail: Place[] = [];
  if (!free(y, x, trail)) return null;
  while (trail.length < length) {
    trail.push({ y: Math.floor(y), x: Math.floor(x) });
    bend = Math.max(-0.3, Math.min(0.3, bend * 0.9 + 0.15 * (random() - 0.5)));
    const turns = [0, 0.5, -0.5, 1, -1, 1.5, -1.5];
    const turn = turns.find((one) => free(y + Math.sin(heading + bend + one), x + Math.cos(heading + bend + one), trail));
    if (turn === undefined) return null;
    heading += bend + turn;
    y += Math.sin(heading);
    x += Math.cos(heading);
  }
  return trail;
}

/** A polygon of three to eight corners, some with a notch, large enough to be a drum. */
function shape(field: Field, random: () => number): void {
  const radius = 0.42 * Math.min(field.height, field.width);
  const centre = { y: field.height / 2, x: field.width / 2 };
  const points = corners(3 + below(6, random), radius, centre, 2 * Math.PI * random());
  for (const one of points) {
    const pull = 0.65 + 0.35 * random();
    one.y = centre.y + pull * (one.y - centre.y);
    one.x = centre.x + pull * (one.x - centre.x);
  }
  fillPolygon(field, points, [0, 0, 0].map(() => (field.channels === 1 ? 1 : 0.5 + 0.5 * random())));
}
