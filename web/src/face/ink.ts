import type { Answer, ClassInfo, Field } from "../types";
import { rgb } from "./paint";

/** How bright a pixel is, over all its channels. */
export function brightness({ data, channels, height, width }: Field): Float32Array {
  const out = new Float32Array(height * width);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < out.length; i++) out[i] = Math.max(out[i], data[c * out.length + i]);
  return out;
}

/**
 * A drawing as ink: what is black for the network is bare paper here, in light and dark alike.
 *
 * A drum's skin is parchment. Else, a grey drawing is ink on paper or chalk on night; a coloured one keeps its colours, and its brightness covers.
 */
export function inked(image: Field, dark: boolean, skin = false): ImageData {
  const { data, channels, height, width } = image;
  const size = height * width;
  const bright = brightness(image);
  const out = new ImageData(width, height);
  const chalk = skin ? (dark ? [50, 48, 56] : [238, 225, 198]) : dark ? [236, 230, 216] : [33, 29, 23];
  for (let i = 0; i < size; i++) {
    const most = bright[i];
    for (let k = 0; k < 3; k++)
      out.data[4 * i + k] = channels === 1 ? chalk[k] : (255 * data[k * size + i]) / Math.max(most, 1e-6);
    out.data[4 * i + 3] = 255 * (channels === 1 ? most : Math.min(1, most) ** 0.6);
  }
  return out;
}

/** The labels in their colours; the background is bare, and what is unsure is pale. */
export function masked({ labels, confidence }: Answer, classes: ClassInfo[], width: number, height: number): ImageData {
  const colours = classes.map(({ colour }) => rgb(colour));
  const out = new ImageData(width, height);
  for (let i = 0; i < labels.length; i++) {
    if (!labels[i]) continue;
    out.data.set(colours[labels[i]] ?? [128, 128, 128], 4 * i);
    out.data[4 * i + 3] = 255 * (0.35 + 0.65 * confidence[i]);
  }
  return out;
}

/** A dot for each labelled pixel, the larger the surer: how the answer grows over the waves. */
export function beads({ labels, confidence }: Answer, width: number): Map<number, Path2D> {
  const paths = new Map<number, Path2D>();
  labels.forEach((label, i) => {
    if (!label) return;
    const path = paths.get(label) ?? new Path2D();
    const radius = 0.1 + 0.3 * confidence[i] ** 2;
    const [x, y] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
    paths.set(label, path);
  });
  return paths;
}

/** The lines between pixels of different labels, for each label but 0, in units of pixels. */
export function outlines(labels: ArrayLike<number>, width: number, height: number): Map<number, Path2D> {
  const paths = new Map<number, Path2D>();
  const of = (y: number, x: number) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : labels[y * width + x]);
  const edge = (label: number, x0: number, y0: number, x1: number, y1: number) => {
    const path = paths.get(label) ?? new Path2D();
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
    paths.set(label, path);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const label = of(y, x);
      if (!label) continue;
      if (of(y - 1, x) !== label) edge(label, x, y, x + 1, y);
      if (of(y + 1, x) !== label) edge(label, x, y + 1, x + 1, y + 1);
      if (of(y, x - 1) !== label) edge(label, x, y, x, y + 1);
      if (of(y, x + 1) !== label) edge(label, x + 1, y, x + 1, y + 1);
    }
  }
  return paths;
}

/** The rim of what is drawn, as one path. */
export function rim(image: Field): Path2D {
  const bright = brightness(image);
  const drawn = Uint8Array.from(bright, (value) => Number(value > 0.25));
  return outlines(drawn, image.width, image.height).get(1) ?? new Path2D();
}
