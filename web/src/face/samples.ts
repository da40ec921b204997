import { blank } from "../core/raster";
import { randomOf, scene } from "../core/scenes";
import { digit, type Piece, PIECES, place, polygon, type Stamp, tetromino, wire } from "../core/stamps";
import type { Field } from "../types";
import { drumOf } from "./drums";
import type { State } from "./state";

export const PIECE_NAMES = Object.keys(PIECES) as Piece[];
export const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const WIRES = ["With dot", "Without"] as const;

/** The stamp that is chosen, in the chosen colour. */
export function stampOf({ tool, image, colour, piece, digit: value, sides, dot, turns }: Readonly<State>): Stamp {
  // The rim of a piece is half as bright again, in bytes that wrap around: its body must leave room.
  if (tool === "piece")
    return tetromino(
      PIECE_NAMES[piece],
      colour.map((one) => Math.min(one, 165)),
      turns,
    );
  if (tool === "digit") return digit(value, Math.min(40, image.height * 0.72));
  if (tool === "wire") return wire(turns, dot);
  const paint = image.channels === 3 ? colour.map((one) => one / 255) : [1];
  return polygon(sides, image.width * (image.width > 80 ? 0.55 : 0.4), paint, (turns * Math.PI) / (2 * sides));
}

/** The networks, and "drum", for which there is a drawing before they are loaded. */
export const SAMPLED = ["tetrominoes", "tetrominoes-fast", "mnist", "wires", "wires-stack", "drum"];

/** A drawing that a network knows, or a drum; always the same one, and empty for networks that nobody knows. */
export function sampleOf(name: string): Field {
  if (name === "drum") return drumOf("Pebble");
  if (name === "mnist") return put(blank(56, 56, 1), [digit(3, 40), 28, 28]);
  if (name === "wires" || name === "wires-stack") return scene("wires", 64, 64, 1, randomOf(6));
  if (name !== "tetrominoes" && name !== "tetrominoes-fast") return blank(64, 64, 1);
  return put(
    blank(64, 64, 3),
    [tetromino("T", [160, 104, 30], 0), 14, 16],
    [tetromino("I", [40, 96, 160], 1), 24, 50],
    [tetromino("L", [134, 60, 140], 3), 44, 17],
    [tetromino("O", [40, 140, 90], 0), 51, 40],
  );
}

function put(field: Field, ...stamps: [Stamp, number, number][]): Field {
  for (const [stamp, y, x] of stamps) place(field, stamp, { y, x });
  return field;
}
