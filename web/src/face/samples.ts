import { corners, digit, fillPolygon, type Piece, PIECES, place, polygon, type Stamp, tetromino, wire } from "../core/stamps";
import { blank } from "../core/raster";
import type { Field } from "../types";
import type { Mode, State } from "./state";

export const PIECE_NAMES = Object.keys(PIECES) as Piece[];
export const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const WIRES = ["With dot", "Without"] as const;

/** How wide a pen fits what a network knows. */
export function brushOf(model: string): number {
  return { wires: 2, mnist: 5, tetrominoes: 7, drum: 10 }[model] ?? 3;
}

/** The stamp that is chosen, in the chosen colour. */
export function stampOf({ tool, image, colour, piece, digit: value, sides, dot, turns }: Readonly<State>): Stamp {
  // The rim of a piece is half as bright again, in bytes that wrap around: its body must leave room.
  if (tool === "piece") return tetromino(PIECE_NAMES[piece], colour.map((one) => Math.min(one, 165)), turns); // prettier-ignore
  if (tool === "digit") return digit(value, Math.min(40, image.height * 0.7));
  if (tool === "wire") return wire(turns, dot);
  const paint = image.channels === 3 ? colour.map((one) => one / 255) : [1];
  return polygon(sides, image.width * (image.width > 80 ? 0.55 : 0.4), paint, (turns * Math.PI) / (2 * sides));
}

/** A drawing that a network knows, or a drum; always the same one. */
export function sampleOf(name: string): Field {
  if (name === "drum") return drumOf(0);
  if (name === "mnist") return put(blank(56, 56, 1), [digit(3), 28, 28]);
  if (name === "wires") return put(blank(64, 64, 1), [wire(0, true), 26, 24], [wire(1, false), 40, 44]);
  if (name !== "tetrominoes") return blank(64, 64, 1);
  return put(
    blank(64, 64, 3),
    [tetromino("T", [160, 104, 30], 0), 14, 16],
    [tetromino("I", [40, 96, 160], 1), 24, 50],
    [tetromino("L", [134, 60, 140], 3), 44, 17],
    [tetromino("O", [40, 140, 90], 0), 51, 40],
  );
}

/** Another drawing of the same kind. */
export function surpriseOf(model: string, mode: Mode): Field {
  return mode === "drum" ? drumOf(Math.random()) : sampleOf(model);
}

function put(field: Field, ...stamps: [Stamp, number, number][]): Field {
  for (const [stamp, y, x] of stamps) place(field, stamp, { y, x });
  return field;
}

/** A rounded or cornered shape on 96 x 96 cells. */
function drumOf(chance: number): Field {
  const field = blank(96, 96, 1);
  const turn = 2 * Math.PI * chance;
  const waves = [2, 3, 5].map((k) => ({ k, size: (2 + 4 * ((chance * 7 * k) % 1)) / k ** 0.3, phase: turn * k }));
  const points = Array.from({ length: 240 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 240;
    const radius = 32 + waves.reduce((sum, { k, size, phase }) => sum + size * Math.sin(k * angle + phase + k), 0);
    return { y: 48 + radius * Math.sin(angle), x: 48 + radius * Math.cos(angle) };
  });
  const pick = Math.floor(chance * 20) % 4;
  fillPolygon(field, chance && pick === 3 ? corners(3 + Math.floor(chance * 97) % 6, 40, { y: 48, x: 48 }, turn) : points, [1]);
  return field;
}
