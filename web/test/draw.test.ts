import { beforeAll, describe, expect, it } from "vitest";
import { maskOf, membraneOf } from "../src/core/drum";
import type { Engine } from "../src/core/engine";
import { blank, copy, eraser, fill, fromBytes, fromPicture, pen, toBytes } from "../src/core/raster";
import { randomOf, scene } from "../src/core/scenes";
import { digit, place, polygon, tetromino, wire } from "../src/core/stamps";
import type { Field } from "../src/types";
import { openModel } from "./models";

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

describe("the pen", () => {
  it("of two pixels draws the strokes that the wires have", () => {
    const field = blank(10, 20, 1);
    pen(field, { y: 5, x: 3 }, { y: 5, x: 15 }, { size: 2, soft: false, colour: [1] });
    for (const row of [4, 5]) expect(sum(field.data.subarray(row * 20, row * 20 + 20))).toBe(14); // its ends are round
    expect(sum(field.data)).toBe(28);
  });

  it("is round, soft if asked, and as wide as it says", () => {
    const [hard, soft] = [blank(40, 40, 1), blank(40, 40, 1)];
    pen(hard, { y: 20, x: 20 }, { y: 20, x: 20 }, { size: 20, soft: false, colour: [1] });
    pen(soft, { y: 20, x: 20 }, { y: 20, x: 20 }, { size: 20, soft: true, colour: [1] });
    for (const { data } of [hard, soft]) expect(Math.abs(sum(data) / (Math.PI * 100) - 1)).toBeLessThan(0.03);
    expect(new Set(hard.data).size).toBe(2);
    const again = copy(soft);
    pen(again, { y: 20, x: 20 }, { y: 20, x: 20 }, { size: 20, soft: true, colour: [1] });
    expect(again.data).toEqual(soft.data); // a stroke is many lines: its soft edge may not grow with them
  });

  it("draws in colour over colour, and the eraser takes all away", () => {
    const field = blank(9, 9, 3);
    pen(field, { y: 4.5, x: 0 }, { y: 4.5, x: 9 }, { size: 4, soft: false, colour: [1, 0.5, 0] });
    pen(field, { y: 0, x: 4.5 }, { y: 9, x: 4.5 }, { size: 3, soft: false, colour: [0, 0, 1] });
    const at = (y: number, x: number) => [0, 1, 2].map((k) => field.data[k * 81 + y * 9 + x]);
    expect([at(4, 1), at(4, 4), at(0, 0)]).toEqual([[1, 0.5, 0], [0, 0, 1], [0, 0, 0]]);
    eraser(field, { y: 4.5, x: 4.5 }, { y: 4.5, x: 4.5 }, 30);
    expect(sum(field.data)).toBe(0);
  });

  it("may leave the picture", () => {
    const field = blank(5, 5, 1);
    pen(field, { y: -100, x: -3 }, { y: 100, x: 90 }, { size: 6, soft: true, colour: [1] });
    pen(field, { y: 50, x: 50 }, { y: 60, x: 60 }, { size: 6, soft: true, colour: [1] });
    expect(field.data.every((value) => value >= 0 && value <= 1)).toBe(true);
  });
});

describe("filling", () => {
  it("stops at other colours and does nothing outside", () => {
    const field = blank(7, 7, 1);
    for (let i = 0; i < 7; i++) field.data[3 * 7 + i] = 1;
    fill(field, { y: 0.5, x: 0.5 }, [0.5]);
    expect(sum(field.data)).toBe(21 * 0.5 + 7);
    fill(field, { y: -1, x: 99 }, [0.25]);
    fill(field, { y: 0, x: 0 }, [0.5]); // again, in the same colour: no endless loop
    expect(sum(field.data)).toBe(21 * 0.5 + 7);
  });
});

it("bytes and numbers are two ways to write one drawing, and pictures are read on black", () => {
  const bytes = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => i * 14);
  const field = fromBytes(bytes, 2, 3, 3);
  expect(field.data[0 * 6 + 4]).toBeCloseTo((12 * 14) / 255, 6); // pixel 4, red
  expect(toBytes(field)).toEqual(bytes);
  const picture = { width: 1, height: 1, data: Uint8ClampedArray.of(255, 0, 0, 127.5) };
  expect(fromPicture(picture, 1).data[0]).toBeCloseTo(0.299 * (128 / 255), 3);
  expect(fromPicture(picture, 3).data[0]).toBeCloseTo(128 / 255, 3);
});

describe("stamps", () => {
  it("of pieces have the task's cells, turns and rims that wrap around", () => {
    const { field, cover } = tetromino("L", [200, 100, 0]);
    expect([field.height, field.width, sum(cover)]).toEqual([14, 21, 4 * 49]);
    const at = (y: number, x: number, k: number) => Math.round(255 * field.data[k * 14 * 21 + y * 21 + x]);
    expect([at(0, 14, 0), at(0, 14, 1), at(3, 17, 0), at(0, 0, 0)]).toEqual([(200 + 100) & 255, 150, 200, 0]);
    const turned = tetromino("L", [9, 9, 9], 1);
    expect([turned.field.height, turned.field.width]).toEqual([21, 14]);
    expect(tetromino("L", [9, 9, 9], 4).cover).toEqual(tetromino("L", [9, 9, 9]).cover);
    // numpy.rot90 of [[0, 0, 1], [1, 1, 1]] is [[1, 1], [0, 1], [0, 1]]
    expect([0, 7, 14].map((y) => [0, 7].map((x) => turned.cover[y * 14 + x]))).toEqual([[1, 1], [0, 1], [0, 1]]);
  });

  it("of polygons have the area of polygons", () => {
    for (let count = 3; count <= 8; count++) {
      const area = (count / 2) * 30 ** 2 * Math.sin((2 * Math.PI) / count);
      expect(Math.abs(sum(polygon(count, 60).cover) / area - 1)).toBeLessThan(0.02);
    }
  });

  it("go where they are put, as far as the picture reaches", () => {
    const field = blank(20, 20, 1);
    place(field, polygon(4, 10, [1], Math.PI / 4), { y: 0, x: 20 });
    const inside = [...field.data.keys()].filter((i) => field.data[i]);
    expect(inside.length).toBeGreaterThan(4);
    expect(inside.every((i) => i % 20 >= 15 && i < 100)).toBe(true);
  });
});

describe("the shipped networks read the stamps", () => {
  const hear = async (engine: Engine, field: Field) => (await engine.hear(field, 1, () => false, async () => {})).answers.at(-1)!;

  describe("of digits", () => {
    let engine: Engine;
    beforeAll(async () => void (engine = await openModel("mnist")));
    it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])("%i", async (value) => {
      const field = blank(56, 56, 1);
      place(field, digit(value), { y: 28, x: 28 });
      const { labels } = await hear(engine, field);
      const drawn = [...labels.keys()].filter((i) => field.data[i] > 0.5);
      expect(drawn.filter((i) => labels[i] === value + 1).length / drawn.length).toBeGreaterThan(0.85);
    });
  });

  it("of wires, with the dot and without", async () => {
    const engine = await openModel("wires-stack");
    for (const kind of [0, 1, 2]) {
      for (const dot of [true, false]) {
        const field = blank(64, 64, 1);
        place(field, wire(kind, dot), { y: 32, x: 32 });
        const { labels } = await hear(engine, field);
        const drawn = [...labels.keys()].filter((i) => field.data[i]);
        expect(drawn.filter((i) => labels[i] === (dot ? 1 : 2)).length / drawn.length).toBeGreaterThan(0.95);
      }
    }
  });

  it("of pieces, in each of their turns", async () => {
    const engine = await openModel("tetrominoes-fast");
    const kinds = [["I", 1], ["O", 2], ["T", 3], ["S", 4], ["Z", 4], ["J", 5], ["L", 5]] as const;
    let [right, all] = [0, 0];
    for (const [piece, label] of kinds) {
      for (let turns = 0; turns < 4; turns++) {
        const field = blank(64, 64, 3);
        place(field, tetromino(piece, [90, 160, 220], turns), { y: 30, x: 33 });
        const { labels } = await hear(engine, field);
        const drawn = [...labels.keys()].filter((i) => field.data[i]);
        right += drawn.filter((i) => labels[i] === label).length;
        all += drawn.length;
      }
    }
    expect(right / all).toBeGreaterThan(0.97);
  });
});

describe("a surprise", () => {
  it("is the same for the same seed, another for another, and of the task's kind", () => {
    for (const [task, side, channels] of [["tetrominoes", 64, 3], ["mnist", 56, 1], ["wires", 64, 1], ["drum", 64, 1]] as const) {
      const first = scene(task, side, side, channels, randomOf(5));
      expect(scene(task, side, side, channels, randomOf(5)).data).toEqual(first.data);
      expect(scene(task, side, side, channels, randomOf(6)).data).not.toEqual(first.data);
      for (let seed = 0; seed < 50; seed++) {
        const { data, channels: k } = scene(task, side, side, channels, randomOf(seed));
        expect(k).toBe(channels);
        expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
        const share = sum(data) / data.length;
        expect(share, `${task} ${seed}`).toBeGreaterThan(0.01);
        expect(share).toBeLessThan(0.6);
      }
    }
  });

  it("of wires has one dot, and no two wires touch", () => {
    for (let seed = 0; seed < 50; seed++) {
      const { data } = scene("wires", 64, 64, 1, randomOf(seed));
      const { parts } = membraneOf(maskOf({ data, channels: 1, height: 64, width: 64 }), 64, 64);
      expect(parts, `seed ${seed}`).toBeGreaterThanOrEqual(2);
      expect(parts).toBeLessThanOrEqual(4);
    }
  });

  it("for a drum is one", () => {
    for (let seed = 0; seed < 50; seed++) {
      expect(membraneOf(maskOf(scene("drum", 64, 64, 1, randomOf(seed))), 64, 64).parts).toBe(1);
    }
  });

  it("fits into any picture without hanging", () => {
    for (const side of [1, 9, 20, 128]) for (const task of ["tetrominoes", "mnist", "wires", "drum"]) scene(task, side, side, 3, randomOf(1));
  });
});
