import { blank } from "../core/raster";
import type { Field } from "../types";

const SIDE = 96;
const GAP = 0.375; // as drumhead.drum has it: a cell moves when it lies more than this inside the rim

type Corners = [number, number][];

/** Gordon, Webb and Wolpert's two drums sound alike though they are not: seven half-squares each, glued in two ways. */
const CORNERS: Record<string, Corners> = {
  Square: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  L: [
    [0, 0],
    [1, 0],
    [1, 1],
    [2, 1],
    [2, 2],
    [0, 2],
  ],
  "Twin 1": [
    [0, 3],
    [0, 2],
    [2, 0],
    [2, 1],
    [3, 1],
    [2, 2],
    [1, 2],
    [1, 3],
  ],
  "Twin 2": [
    [1, 3],
    [0, 2],
    [0, 1],
    [2, 1],
    [2, 0],
    [3, 1],
    [2, 2],
    [1, 2],
  ],
};

export const DRUMS = ["Pebble", "Square", "Disc", "L", "Twin 1", "Twin 2"] as const;

/** A drum of 96 x 96 cells by name. */
export function drumOf(name: (typeof DRUMS)[number]): Field {
  const corners = CORNERS[name];
  if (corners) return fromCorners(corners, 72);
  return fromRadius((angle) =>
    name === "Disc" ? 36 : 35 + 6 * Math.sin(2 * angle + 0.6) + 4.5 * Math.sin(3 * angle - 0.4),
  );
}

/** A drum in polar coordinates around the middle. */
export function fromRadius(radius: (angle: number) => number): Field {
  const field = blank(SIDE, SIDE, 1);
  const middle = (SIDE - 1) / 2;
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [y, x] = [Math.floor(i / SIDE) - middle, (i % SIDE) - middle];
    if (Math.hypot(y, x) < radius(Math.atan2(y, x)) - GAP) field.data[i] = 1;
  }
  return field;
}

/** A polygon whose longer side is `size` from rim to rim, in the middle; its corners lie on cells. */
function fromCorners(unit: Corners, size: number): Field {
  const field = blank(SIDE, SIDE, 1);
  const most = Math.max(...unit.flat());
  const start = (SIDE - size) / 2;
  const corners = unit.map(([x, y]): [number, number] => [start + (x * size) / most, start + (y * size) / most]);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const [y, x] = [Math.floor(i / SIDE), i % SIDE];
    let inside = false;
    let near = Infinity;
    corners.forEach(([x0, y0], k) => {
      const [x1, y1] = corners[(k + 1) % corners.length];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const along = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)));
      near = Math.min(near, Math.hypot(x - x0 - along * dx, y - y0 - along * dy));
      if (y0 <= y !== y1 <= y && x < x0 + (dx * (y - y0)) / dy) inside = !inside;
    });
    if (inside && near > GAP) field.data[i] = 1;
  }
  return field;
}
