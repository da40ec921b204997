const MOST_COLOURS = 256;
const MOST_CODES = 4096;

/** What a frame has to have: the pixels of an ImageData, or of anything like it. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, opacity of each pixel; opacity is ignored. */
  readonly data: Uint8ClampedArray | Uint8Array;
}

/**
 * An animated GIF that repeats for ever. One palette serves all frames: the colours themselves if there are at most 256,
 * else those of a median cut.
 *
 * @param frames all of one size.
 * @param milliseconds a frame is shown; GIF knows hundredths of a second, and viewers none below two.
 * @throws RangeError no frames, or frames of several sizes.
 */
export function gif(frames: Frame[], milliseconds: number): Uint8Array {
  if (!frames.length) throw new RangeError("A GIF needs at least one frame.");
  const { width, height } = frames[0];
  if (frames.some((frame) => frame.width !== width || frame.height !== height)) {
    throw new RangeError("All frames of a GIF have to be of one size.");
  }
  const { palette, indexOf } = colours(frames);
  const bits = Math.max(2, Math.ceil(Math.log2(palette.length)));
  const out = new Bytes();
  out.text("GIF89a");
  out.short(width);
  out.short(height);
  out.all([0xf0 | (bits - 1), 0, 0]);
  for (let i = 0; i < 1 << bits; i++) {
    const colour = palette[i] ?? 0;
    out.all([colour >> 16, (colour >> 8) & 255, colour & 255]);
  }
  out.all([0x21, 0xff, 11]);
  out.text("NETSCAPE2.0");
  out.all([3, 1, 0, 0, 0]); // repeat for ever
  const table = new Int16Array(MOST_CODES << 8).fill(-1); // code of a string and its next pixel; every frame leaves it so
  const delay = Math.max(2, Math.round(milliseconds / 10));
  for (const { data } of frames) {
    out.all([0x21, 0xf9, 4, 0, delay & 255, delay >> 8, 0, 0, 0x2c, 0, 0, 0, 0]);
    out.short(width);
    out.short(height);
    out.all([0, bits]);
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) pixels[i] = indexOf(rgb(data, i));
    compress(pixels, bits, table, out);
  }
  out.all([0x3b]);
  return out.done();
}

class Bytes {
  private bytes = new Uint8Array(1 << 16);
  private count = 0;

  byte(value: number): void {
    if (this.count === this.bytes.length) {
      const larger = new Uint8Array(2 * this.count);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.count++] = value;
  }

  all(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) this.byte(values[i]);
  }

  short(value: number): void {
    this.all([value & 255, value >> 8]);
  }

  text(word: string): void {
    this.all([...word].map((letter) => letter.charCodeAt(0)));
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.count);
  }
}

function rgb(data: ArrayLike<number>, i: number): number {
  return (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2];
}

function colours(frames: Frame[]): { palette: number[]; indexOf: (colour: number) => number } {
  const exact = new Map<number, number>();
  for (const { data, width, height } of frames) {
    for (let i = 0; i < width * height && exact.size <= MOST_COLOURS; i++) {
      const colour = rgb(data, i);
      if (!exact.has(colour)) exact.set(colour, exact.size);
    }
  }
  if (exact.size <= MOST_COLOURS) return { palette: [...exact.keys()], indexOf: (colour) => exact.get(colour) as number };
  return cut(frames);
}

/** Colours in boxes of 8 x 8 x 8; the heap of boxes with the largest spread is halved until there are 256. */
function cut(frames: Frame[]): { palette: number[]; indexOf: (colour: number) => number } {
  const bin = (colour: number) => ((colour >> 9) & 0x7c00) | ((colour >> 6) & 0x3e0) | ((colour >> 3) & 0x1f);
  const sums = [0, 1, 2, 3].map(() => new Float64Array(1 << 15)); // count, red, green, blue
  for (const { data, width, height } of frames) {
    for (let i = 0; i < width * height; i++) {
      const at = bin(rgb(data, i));
      sums[0][at]++;
      for (let k = 0; k < 3; k++) sums[k + 1][at] += data[4 * i + k];
    }
  }
  const mean = (at: number, k: number) => sums[k + 1][at] / sums[0][at];
  const measure = (bins: number[]) => {
    const weight = bins.reduce((sum, at) => sum + sums[0][at], 0);
    const spread = [0, 1, 2].map((k) => {
      const middle = bins.reduce((sum, at) => sum + sums[k + 1][at], 0) / weight;
      return bins.reduce((sum, at) => sum + sums[0][at] * (mean(at, k) - middle) ** 2, 0);
    });
    const axis = spread.indexOf(Math.max(...spread));
    return { bins, weight, axis, worth: bins.length > 1 ? spread[axis] : -1 };
  };
  const boxes = [measure([...sums[0].keys()].filter((at) => sums[0][at]))];
  while (boxes.length < MOST_COLOURS) {
    const worst = boxes.reduce((best, box, i) => (box.worth > boxes[best].worth ? i : best), 0);
    const { bins, weight, axis, worth } = boxes[worst];
    if (worth < 0) break;
    bins.sort((a, b) => mean(a, axis) - mean(b, axis));
    let half = 0;
    let first = 0;
    while (first < bins.length - 1 && (first === 0 || half < weight / 2)) half += sums[0][bins[first++]];
    boxes.splice(worst, 1, measure(bins.slice(0, first)), measure(bins.slice(first)));
  }
  const index = new Uint8Array(1 << 15);
  const palette = boxes.map(({ bins, weight }, i) => {
    for (const at of bins) index[at] = i;
    const [r, g, b] = [1, 2, 3].map((k) => Math.round(bins.reduce((sum, at) => sum + sums[k][at], 0) / weight));
    return (r << 16) | (g << 8) | b;
  });
  return { palette, indexOf: (colour) => index[bin(colour)] };
}

/** LZW as GIF has it: codes grow from bits + 1 to 12 bits, lowest bit first, in blocks of at most 255 bytes. */
function compress(pixels: Uint8Array, bits: number, table: Int16Array, out: Bytes): void {
  const clear = 1 << bits;
  const block: number[] = [];
  let [size, next, held, holding] = [bits + 1, clear + 2, 0, 0];
  const used: number[] = [];
  const flush = (least: number) => {
    while (block.length >= least && block.length) {
      const part = block.splice(0, 255);
      out.byte(part.length);
      out.all(part);
    }
  };
  const emit = (code: number) => {
    held |= code << holding;
    holding += size;
    while (holding >= 8) {
      block.push(held & 255);
      held >>>= 8;
      holding -= 8;
    }
    flush(255);
  };
  emit(clear);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (prefix << 8) | pixels[i];
    if (table[key] >= 0) {
      prefix = table[key];
      continue;
    }
    emit(prefix);
    if (next < MOST_CODES) {
      if (next === 1 << size) size++;
      table[key] = next++;
      used.push(key);
    } else {
      emit(clear);
      for (const key of used) table[key] = -1;
      used.length = 0;
      [size, next] = [bits + 1, clear + 2];
    }
    prefix = pixels[i];
  }
  for (const key of used) table[key] = -1;
  emit(prefix);
  if (next === 1 << size && size < 12) size++; // a reader notes one string more, and takes longer codes from here on
  emit(clear + 1);
  if (holding) block.push(held & 255);
  flush(1);
  out.byte(0);
}
