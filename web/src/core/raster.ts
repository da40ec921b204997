import type { Field } from "../types";

/** What a pen draws: `size` is its width in pixels, `soft` its edge smooth, colour a number in [0, 1] a channel. */
export interface Brush {
  size: number;
  soft: boolean;
  colour: readonly number[];
}

/** A place on the image in pixels, (0, 0) at its upper left corner; pixel (i, j) covers i .. i + 1. */
export interface Place {
  y: number;
  x: number;
}

/** An empty (black) field. */
export function blank(height: number, width: number, channels: number): Field {
  return { data: new Float32Array(channels * height * width), channels, height, width };
}

/** A copy that shares no memory. */
export function copy(field: Field): Field {
  return { ...field, data: field.data.slice() };
}

/** Draw a straight stroke, or a dot where both ends are one; changes the field. */
export function pen(field: Field, from: Place, to: Place, brush: Brush): void {
  const radius = Math.max(0.5, brush.size / 2);
  const reach = radius + 1;
  const [top, bottom] = [Math.min(from.y, to.y) - reach, Math.max(from.y, to.y) + reach];
  const [left, right] = [Math.min(from.x, to.x) - reach, Math.max(from.x, to.x) + reach];
  for (let i = Math.max(0, Math.floor(top)); i < Math.min(field.height, bottom); i++) {
    for (let j = Math.max(0, Math.floor(left)); j < Math.min(field.width, right); j++) {
      const off = distance(i + 0.5, j + 0.5, from, to);
      const cover = brush.soft ? Math.max(0, Math.min(1, (radius - off) / 1.5 + 0.5)) : off <= radius - 1e-6 ? 1 : 0;
      if (cover > 0) blend(field, i, j, brush.colour, cover);
    }
  }
}

/** Rub out along a straight stroke: back to black. */
export function eraser(field: Field, from: Place, to: Place, size: number): void {
  pen(field, from, to, { size, soft: false, colour: new Array<number>(field.channels).fill(0) });
}

/** Colour all connected pixels that look like the one at this place; changes the field. */
export function fill(field: Field, at: Place, colour: readonly number[]): void {
  const { data, channels, height, width } = field;
  const [y, x] = [Math.floor(at.y), Math.floor(at.x)];
  if (y < 0 || x < 0 || y >= height || x >= width) return;
  const size = height * width;
  const start = y * width + x;
  const old = Array.from({ length: channels }, (_, k) => data[k * size + start]);
  const same = (i: number) => old.every((value, k) => Math.abs(data[k * size + i] - value) < 1 / 64);
  const seen = new Uint8Array(size);
  const stack = [start];
  seen[start] = 1;
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    const [row, column] = [Math.floor(i / width), i % width];
    const around = [row > 0 && i - width, row < height - 1 && i + width, column > 0 && i - 1, column < width - 1 && i + 1];
    for (const next of around) {
      if (next !== false && !seen[next] && same(next)) {
        seen[next] = 1;
        stack.push(next);
      }
    }
    for (let k = 0; k < channels; k++) data[k * size + i] = colour[k] ?? 0;
  }
}

/** Numbers in [0, 1] (c, y, x) as bytes (y, x, c), what a permalink and Python keep. */
export function toBytes({ data, channels, height, width }: Field): Uint8Array {
  const size = height * width;
  return Uint8Array.from({ length: size * channels }, (_, at) => {
    return Math.round(255 * Math.max(0, Math.min(1, data[(at % channels) * size + Math.floor(at / channels)])));
  });
}

/** Bytes (y, x, c) as numbers in [0, 1] (c, y, x). */
export function fromBytes(bytes: ArrayLike<number>, height: number, width: number, channels: number): Field {
  const field = blank(height, width, channels);
  const size = height * width;
  for (let i = 0; i < size; i++) for (let k = 0; k < channels; k++) field.data[k * size + i] = bytes[i * channels + k] / 255;
  return field;
}

/** The pixels of a picture (red, green, blue, opacity) on black, as the channels that a network sees. */
export function fromPicture(picture: { data: ArrayLike<number>; width: number; height: number }, channels: 1 | 3): Field {
  const { data, width, height } = picture;
  const field = blank(height, width, channels);
  const size = height * width;
  for (let i = 0; i < size; i++) {
    const [r, g, b] = [0, 1, 2].map((k) => (data[4 * i + k] / 255) * (data[4 * i + 3] / 255));
    if (channels === 1) field.data[i] = 0.299 * r + 0.587 * g + 0.114 * b;
    else [r, g, b].forEach((value, k) => (field.data[k * size + i] = value));
  }
  return field;
}

function blend(field: Field, row: number, column: number, colour: readonly number[], cover: number): void {
  const size = field.height * field.width;
  for (let k = 0; k < field.channels; k++) {
    const at = k * size + row * field.width + column;
    const target = colour[k] ?? colour[0] ?? 1;
    const old = field.data[at];
    // A stroke is many short lines: where their soft edges meet, the brighter one counts, or edges would turn hard.
    field.data[at] = old <= target ? Math.max(old, target * cover) : old + (target - old) * cover;
  }
}

function distance(y: number, x: number, from: Place, to: Place): number {
  const [down, right] = [to.y - from.y, to.x - from.x];
  const length = down * down + right * right;
  const along = length ? Math.max(0, Math.min(1, ((y - from.y) * down + (x - from.x) * right) / length)) : 0;
  return Math.hypot(y - from.y - along * down, x - from.x - along * right);
}
