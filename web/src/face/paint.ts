import { cubic } from "./timeline";

/** A table of colours, four bytes an entry. */
export interface Colours {
  table: Uint8ClampedArray;
  /** Whether the middle of the table is zero (waves), or its start (stiffness, damping). */
  signed: boolean;
}

const ENTRIES = 512;

/** Blue below zero, red above; at zero nothing, so that paper stays white and night stays dark. */
export function waveColours(dark: boolean): Colours {
  const [cold, warm] = dark
    ? [
        [
          [36, 92, 190],
          [64, 156, 255],
          [190, 228, 255],
        ],
        [
          [178, 44, 40],
          [255, 92, 76],
          [255, 214, 196],
        ],
      ]
    : [
        [
          [146, 190, 226],
          [44, 112, 184],
          [5, 42, 97],
        ],
        [
          [244, 166, 140],
          [203, 62, 56],
          [103, 0, 25],
        ],
      ];
  return {
    signed: true,
    table: tabulate((t) => {
      const v = Math.abs(2 * t - 1);
      const [r, g, b] = blend(t < 0.5 ? cold : warm, v);
      return [r, g, b, 255 * Math.min(1, v * 2.2) * 0.96];
    }),
  };
}

/** Nothing to much in one hue: stiffness in green, damping in violet. */
export function amountColours(which: "omega" | "alpha", dark: boolean): Colours {
  const stops =
    which === "omega"
      ? dark
        ? [
            [10, 30, 34],
            [22, 120, 112],
            [176, 240, 206],
          ]
        : [
            [236, 244, 232],
            [70, 160, 130],
            [4, 66, 58],
          ]
      : dark
        ? [
            [22, 16, 40],
            [118, 74, 178],
            [236, 204, 255],
          ]
        : [
            [244, 238, 246],
            [158, 120, 190],
            [62, 14, 92],
          ];
  return { signed: false, table: tabulate((t) => [...blend(stops, t), 255]) };
}

function blend(stops: number[][], t: number): [number, number, number] {
  const place = t * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const mix = (k: number) => stops[low][k] + (stops[low + 1][k] - stops[low][k]) * (place - low);
  return [mix(0), mix(1), mix(2)];
}

function tabulate(colour: (t: number) => number[]): Uint8ClampedArray {
  const table = new Uint8ClampedArray(ENTRIES * 4);
  for (let i = 0; i < ENTRIES; i++) table.set(colour(i / (ENTRIES - 1)), 4 * i);
  return table;
}

/**
 * Colour values that lie between low and high (signed: between -high and high).
 *
 * @param gamma below 1 lifts small waves, which a damped medium is full of.
 */
export function colourise(
  values: ArrayLike<number>,
  into: ImageData,
  { table, signed }: Colours,
  low: number,
  high: number,
  gamma = 1,
): void {
  const out = into.data;
  const range = Math.max(signed ? high : high - low, 1e-12);
  for (let i = 0; i < values.length; i++) {
    let t: number;
    if (signed) {
      const v = Math.min(1, Math.abs(values[i]) / range);
      const lifted = gamma === 1 ? v : v ** gamma;
      t = 0.5 + (values[i] < 0 ? -lifted : lifted) / 2;
    } else t = Math.min(1, Math.max(0, (values[i] - low) / range));
    const from = 4 * Math.round(t * (ENTRIES - 1));
    const to = 4 * i;
    out[to] = table[from];
    out[to + 1] = table[from + 1];
    out[to + 2] = table[from + 2];
    out[to + 3] = table[from + 3];
  }
}

/** Light a surface from the upper left: slopes towards it are brighter, slopes away darker. */
export function relief(values: Float32Array, into: ImageData, high: number): void {
  const { width, height, data } = into;
  const steep = 620 / Math.max(high, 1e-12);
  for (let y = 1; y < height; y++) {
    for (let x = 1; x < width; x++) {
      const i = y * width + x;
      const slope = (2 * values[i] - values[i - 1] - values[i - width]) * steep;
      const light = Math.max(-90, Math.min(90, slope));
      if (Math.abs(light) < 2) continue;
      const opacity = data[4 * i + 3] / 255;
      const share = Math.abs(light) / 255;
      const target = light > 0 ? 255 : 0;
      const whole = opacity + share * (1 - opacity);
      for (let k = 0; k < 3; k++)
        data[4 * i + k] = (data[4 * i + k] * opacity * (1 - share) + target * share) / Math.max(whole, 1e-6);
      data[4 * i + 3] = 255 * whole;
    }
  }
}

/** Draw a coarse grid of oscillators finer: a smooth surface through all of them. */
export class Upsampler {
  readonly width: number;
  readonly height: number;
  private readonly across: Taps;
  private readonly down: Taps;
  private readonly rows: Float32Array;
  private readonly out: Float32Array;

  constructor(width: number, height: number, least = 112) {
    const factor = Math.max(1, Math.ceil(least / Math.max(width, height)));
    this.width = width * factor;
    this.height = height * factor;
    this.across = taps(width, factor);
    this.down = taps(height, factor);
    this.rows = new Float32Array(height * this.width);
    this.out = new Float32Array(this.height * this.width);
  }

  /** @returns (height, width) of this, valid until the next call. */
  apply(values: ArrayLike<number>, width: number, height: number): Float32Array {
    const { rows, out, across, down } = this;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < this.width; x++) {
        let sum = 0;
        for (let k = 0; k < 4; k++) sum += across.weights[4 * x + k] * values[y * width + across.places[4 * x + k]];
        rows[y * this.width + x] = sum;
      }
    }
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        let sum = 0;
        for (let k = 0; k < 4; k++) sum += down.weights[4 * y + k] * rows[down.places[4 * y + k] * this.width + x];
        out[y * this.width + x] = sum;
      }
    }
    return out;
  }
}

interface Taps {
  places: Int32Array;
  weights: Float32Array;
}

function taps(count: number, factor: number): Taps {
  const places = new Int32Array(4 * count * factor);
  const weights = new Float32Array(4 * count * factor);
  for (let i = 0; i < count * factor; i++) {
    const place = (i + 0.5) / factor - 0.5;
    const low = Math.floor(place);
    const found = cubic(place - low);
    for (let k = 0; k < 4; k++) {
      places[4 * i + k] = Math.min(count - 1, Math.max(0, low - 1 + k));
      weights[4 * i + k] = found[k];
    }
  }
  return { places, weights };
}

/** "#0072b2" as bytes. */
export function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.replace("#", ""), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
