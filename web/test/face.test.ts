import { describe, expect, it } from "vitest";
import { maskOf, membraneOf, modesOf } from "../src/core/drum";
import { deepest } from "../src/face/actions";
import { drumOf } from "../src/face/drums";
import { fit, placeOn } from "../src/face/fit";
import { History } from "../src/face/history";
import { things } from "../src/face/objects";
import { colourise, Upsampler, waveColours } from "../src/face/paint";
import { between, medium, sheet } from "../src/face/sheets";
import { answerAt, around, cubic, locate, startOf, total } from "../src/face/timeline";
import { fallen, list, percent, says, sureness } from "../src/face/words";
import type { Answer, Hearing, Layer, Manifest } from "../src/types";

function layer(
  steps: number,
  channels: number,
  size: number,
  value: (c: number, i: number, t: number) => number,
): Layer {
  const frames = Array.from({ length: steps + 1 }, (_, t) => ({
    data: Float32Array.from({ length: channels * size * size }, (_, at) =>
      value(Math.floor(at / (size * size)), at % (size * size), t),
    ),
    channels,
    height: size,
    width: size,
  }));
  return { kind: "stepped", channels, steps, dt: 0.5, stride: 2, frames };
}

function answer(step: number, labels: number[], classes = 3, confidence = 0.9): Answer {
  const shares = new Float32Array(classes);
  for (const label of labels) shares[label] += 1 / labels.length;
  return {
    step,
    labels: Uint8Array.from(labels),
    confidence: new Float32Array(labels.length).fill(confidence),
    shares,
  };
}

function hearing(layers: Layer[], answers: Answer[], coupled = true): Hearing {
  return { width: 2, height: 2, layers, answers, milliseconds: 1, coupled };
}

describe("the timeline", () => {
  const both = hearing(
    [layer(3, 1, 2, () => 0), layer(5, 1, 2, () => 0)],
    [answer(1, [0, 0, 0, 0]), answer(4, [0, 0, 0, 1])],
  );

  it("runs through all layers one after another", () => {
    expect(total(both)).toBe(8);
    expect([0, 1].map((one) => startOf(both, one))).toEqual([0, 3]);
    expect(locate(both, 2.5)).toEqual({ layer: 0, step: 2.5 });
    expect(locate(both, 3)).toEqual({ layer: 1, step: 0 });
    expect(locate(both, 8)).toEqual({ layer: 1, step: 5 });
    expect(total(null)).toBe(0);
  });

  it("knows no answer before the last layer, and the latest one after", () => {
    expect(answerAt(both, { layer: 0, step: 3 })).toBeNull();
    expect(answerAt(both, { layer: 1, step: 0.5 })).toBeNull();
    expect(answerAt(both, { layer: 1, step: 3.9 })?.step).toBe(1);
    expect(answerAt(both, { layer: 1, step: 4 })?.step).toBe(4);
  });

  it("is smooth and exact: at frames it shows frames, and straight lines stay straight", () => {
    expect(cubic(0).map(Math.abs)).toEqual([0, 1, 0, 0]);
    for (const t of [0.2, 0.5, 0.9]) {
      const weights = cubic(t);
      expect(weights.reduce((sum, one) => sum + one)).toBeCloseTo(1, 12);
      expect(weights.reduce((sum, one, i) => sum + one * (i - 1), 0)).toBeCloseTo(t, 12);
    }
    const line = layer(4, 1, 2, (_, i, t) => i + 10 * t);
    expect(around(line, 4)).toEqual({ frames: [3, 4, 4, 4], between: 0 });
    const into = new Float32Array(4);
    expect([...between(line, sheet(line, 0), 2, into)]).toEqual([20, 21, 22, 23]);
    expect(between(line, sheet(line, 0), 1.5, into)[0]).toBeCloseTo(15, 5);
  });
});

describe("sheets", () => {
  it("finds the pattern that sheets of opposite sign share, without what is the same everywhere", () => {
    const pattern = (i: number, t: number) => Math.sin(1.7 * i) * Math.cos(t);
    const sheets = [1, -2, 0.5, 0];
    const made = layer(6, 4, 5, (c, i, t) => sheets[c] * pattern(i, t) + 30 + c);
    const { frames } = sheet(made, "all");
    const length = Math.hypot(...sheets);
    const middle = frames[0].slice().sort()[12];
    expect(middle).toBeCloseTo(0, 4);
    const sign = Math.sign((frames[0][1] - frames[0][0]) * (pattern(1, 0) - pattern(0, 0)));
    for (const t of [0, 1, 3]) {
      for (let i = 1; i < 25; i++)
        expect(frames[t][i] - frames[t][0]).toBeCloseTo(sign * length * (pattern(i, t) - pattern(0, t)), 3);
    }
  });

  it("takes one sheet as it is", () => {
    const made = layer(2, 3, 2, (c, i, t) => 100 * c + 10 * t + i);
    expect([...sheet(made, 2).frames[1]]).toEqual([210, 211, 212, 213]);
    expect(medium(made.frames[0], "all").values[1]).toBeCloseTo(101, 4);
    expect(medium(made.frames[0], 1)).toMatchObject({ low: 100, high: 103 });
  });
});

describe("colours", () => {
  it("are none at zero and mirror each other", () => {
    for (const dark of [true, false]) {
      const { table } = waveColours(dark);
      const alpha = (i: number) => table[4 * i + 3];
      expect(alpha(255)).toBeLessThan(3);
      expect(alpha(256)).toBeLessThan(3);
      expect(alpha(0)).toBe(alpha(511));
      expect(table[0]).toBeLessThan(table[2]); // blue below
      expect(table[4 * 511]).toBeGreaterThan(table[4 * 511 + 2]); // red above
    }
  });

  it("clip what is larger than the scale", () => {
    const picture = { data: new Uint8ClampedArray(12) } as unknown as ImageData;
    const colours = waveColours(false);
    colourise([-9, 0, 9], picture, colours, 0, 1);
    expect([...picture.data.slice(0, 4)]).toEqual([...colours.table.slice(0, 4)]);
    expect([...picture.data.slice(8)]).toEqual([...colours.table.slice(-4)]);
  });

  it("draw a plane finer as the same plane", () => {
    const fine = new Upsampler(6, 4, 30);
    expect([fine.width, fine.height]).toEqual([30, 20]);
    const out = fine.apply(
      Float32Array.from({ length: 24 }, (_, i) => (i % 6) + 10 * Math.floor(i / 6)),
      6,
      4,
    );
    const [x, y] = [13, 10];
    expect(out[y * 30 + x]).toBeCloseTo((x + 0.5) / 5 - 0.5 + 10 * ((y + 0.5) / 5 - 0.5), 4);
  });
});

describe("words", () => {
  const manifest = (task: string, ...names: string[]) =>
    ({ task, classes: names.map((name) => ({ name, colour: "#000000" })) }) as unknown as Manifest;

  it("say what is heard", () => {
    const pieces = manifest("tetrominoes", "background", "I", "T");
    expect(says(hearing([], [answer(1, [0, 1, 1, 2])]), pieces)).toBe("It hears an I and a T.");
    expect(says(hearing([], [answer(1, [0, 1, 1, 2])], false), pieces)).toBe("Cut off, it hears an I and a T.");
    expect(says(hearing([], [answer(1, [0, 0, 0, 0])]), pieces)).toBe("It hears nothing but background.");
    expect(says(hearing([], [answer(1, [0, 1, 1, 1])]), manifest("mnist", "background", "8"))).toBe("It hears an 8.");
    const wires = manifest("wires", "background", "wire with the dot", "other wire");
    expect(says(hearing([], [answer(1, [0, 1, 1, 2])]), wires)).toMatch(/which wire has the dot/);
    expect(says(hearing([], [answer(1, [0, 1, 1, 2], 3, 0.4)]), pieces)).toBe("It is unsure, and guesses an I and a T.");
    const cut = says(hearing([], [answer(1, [0, 1, 1, 2])], false), wires);
    expect(cut).toBe("Cut off, it hears a wire with the dot and another wire.");
    expect(list(["a", "b", "c"])).toBe("a, b and c");
    expect([0, 0.004, 0.126].map(percent)).toEqual(["0\u00a0%", "<\u00a01\u00a0%", "13\u00a0%"]);
  });

  it("count what fell apart, and how sure it is, where something is drawn", () => {
    const bright = Float32Array.from([1, 1, 0, 0]);
    const [whole, cut] = [hearing([], [answer(1, [1, 1, 0, 0])]), hearing([], [answer(1, [1, 2, 2, 2])])];
    expect(fallen(cut, whole, bright)).toBe(0.5);
    const one = answer(1, [1, 1, 0, 0]);
    one.confidence.set([0.5, 0.7, 1, 1]);
    expect(sureness(one, bright)).toBeCloseTo(0.6, 6);
    expect(sureness(one, new Float32Array(4))).toBeCloseTo(0.8, 6);
  });
});

it("finds objects, apart from those of the same class that they do not touch", () => {
  const labels = [1, 1, 0, 1, 1, 0, 0, 1, 2, 2, 0, 1];
  expect(things(labels, 4, 3, 1).map(({ label, size }) => [label, size])).toEqual([
    [1, 3],
    [1, 3],
    [2, 2],
  ]);
  expect(things(labels, 4, 3, 3)).toHaveLength(2);
});

it("has two ready drums that sound alike and differ, as Gordon, Webb and Wolpert found", () => {
  const values = (["Twin 1", "Twin 2"] as const).map((name) => {
    const drum = drumOf(name);
    return modesOf(membraneOf(maskOf(drum), drum.height, drum.width), 12).values;
  });
  expect(drumOf("Twin 1").data).not.toEqual(drumOf("Twin 2").data);
  values[0].forEach((value, k) => expect(value / values[1][k]).toBeCloseTo(1, 8));
});

it("undoes and redoes, and forgets what was undone when something new is drawn", () => {
  const image = (width: number) => ({ data: new Float32Array(), channels: 1, height: 1, width });
  const history = new History(image(1));
  for (const width of [2, 3]) history.push(image(width));
  expect([history.move(-1).width, history.move(-1).width, history.move(-1).width]).toEqual([2, 1, 1]);
  expect(history.canUndo).toBe(false);
  expect(history.move(1).width).toBe(2);
  history.push(image(9));
  expect(history.canRedo).toBe(false);
  for (let i = 0; i < 100; i++) history.push(image(100 + i));
  expect(history.present.width).toBe(199);
});

it("shows a picture that is no square in its own shape, and finds the pixel under a pointer there", () => {
  const wide = fit({ width: 200, height: 50 }, 400);
  expect(wide).toEqual({ pixel: 2, left: 0, top: 150, width: 400, height: 100 });
  expect(placeOn(wide, 0, 150)).toEqual({ y: 0, x: 0 });
  expect(placeOn(wide, 400, 250)).toEqual({ y: 50, x: 200 });
  expect(placeOn(wide, 10, 100).y).toBe(-25);
  expect(placeOn(fit({ width: 5, height: 10 }, 100), 25, 0)).toEqual({ y: 0, x: 0 });
});

it("guesses the pixel deepest inside what is drawn, edges of the drawing being edges of the shape", () => {
  const drawing = (inside: (y: number, x: number) => boolean) =>
    Float32Array.from({ length: 81 }, (_, i) => Number(inside(Math.floor(i / 9), i % 9)));
  expect(deepest(drawing(() => true), 9)).toEqual({ y: 4, x: 4 });
  expect(deepest(drawing((y, x) => y > 1 && y < 7 && x < 5), 9)).toEqual({ y: 4, x: 2 });
  expect(deepest(drawing(() => false), 9)).toBeNull();
});
