import { describe, expect, it } from "vitest";
import { ManifestError, parseManifest } from "../src/core/manifest";
import { hearImage, type Run, type Tensor } from "../src/core/program";
import type { Field } from "../src/types";

const [H, W] = [2, 3];
const image: Field = { data: Float32Array.from({ length: H * W }, (_, i) => i / 10), channels: 1, height: H, width: W };
const graph = (file: string, inputs: string[], outputs: string[]) => ({ file: `${file}.onnx`, inputs, outputs });

function manifest(change: Record<string, unknown> = {}): Record<string, unknown> {
  const names = ["model", "begin", "medium", "step", "hear", "tell", "end", "at"];
  return {
    format: "drumhead-export", version: 1, drumhead: "0.1.0", name: "tiny", task: "wires", family: "stack", preset: "x/y",
    image: { channels: 1, size: [H, W] },
    classes: [{ name: "background", colour: "#f4f4f4" }, { name: "thing", colour: "#0072b2" }],
    whole: graph("model", ["image"], ["logits"]), begin: null, layers: [], end: null,
    files: Object.fromEntries(names.map((name) => [`${name}.onnx`, { bytes: 10, sha256: "" }])),
    ...change,
  };
}

const stepped = {
  kind: "stepped", channels: 1, steps: 3, dt: 0.5, stride: 1,
  medium: graph("medium", ["x"], ["y", "z", "omega", "alpha", "heard"]),
  step: graph("step", ["y", "z", "omega", "alpha", "first", "coupling"], ["y", "z"]),
  hear: graph("hear", ["heard", "y", "step"], ["heard"]),
  tell: graph("tell", ["x", "heard"], ["x"]),
};
const grid = (value: (i: number) => number, channels = 1): Tensor => ({
  data: Float32Array.from({ length: channels * H * W }, (_, i) => value(i)),
  dims: [1, channels, H, W],
});
const each = (tensor: Tensor, change: (value: number) => number) => grid((i) => change(tensor.data[i]));
const never = async () => {};

/** Graphs whose arithmetic can be followed by hand: y counts steps, z notes what it was told, heard sums y * (step + 1). */
function fakes(log: string[]): Map<string, Run> {
  const one = (name: string, run: (feeds: Record<string, Tensor>) => Tensor[]): [string, Run] => [
    `${name}.onnx`,
    async (feeds) => (log.push(name), run(feeds)),
  ];
  return new Map([
    one("begin", ({ image }) => [each(image, (value) => value)]),
    one("medium", ({ x }) => [x, grid(() => 0), grid(() => 4), grid(() => 0.25), grid(() => 0)]),
    one("step", ({ y, z, first, coupling }) => {
      expect([first.dims, coupling.dims]).toEqual([[], []]);
      return [each(y, (value) => value + 1), each(z, (value) => value + 100 * first.data[0] + 10 * coupling.data[0])];
    }),
    one("hear", ({ heard, y, step }) => {
      expect([step.data.constructor.name, step.dims]).toEqual(["Int32Array", []]);
      return [grid((i) => heard.data[i] + y.data[i] * (step.data[0] + 1))];
    }),
    one("tell", ({ x, heard }) => [grid((i) => x.data[i] + heard.data[i])]),
    one("end", ({ x }) => [grid((i) => (i < H * W ? 6 : x.data[i - H * W]), 2)]),
    one("model", () => [grid((i) => (i === H * W + 2 ? 1 : 0), 2)]),
    one("at", ({ y0, z0, time }) => [grid((i) => y0.data[i] + time.data[0] * z0.data[i])]),
  ]);
}

describe("the program of a manifest", () => {
  it("runs in the order of the contract and keeps frames and answers", async () => {
    const parsed = parseManifest(
      manifest({ begin: graph("begin", ["image"], ["x"]), layers: [stepped, stepped], end: graph("end", ["x"], ["logits"]) }),
    );
    const log: string[] = [];
    const heard = await hearImage(parsed, fakes(log), image, 1, never);
    const loop = ["step", "hear"];
    expect(log).toEqual([
      "begin", "medium", ...loop, ...loop, ...loop, "tell", "medium",
      ...[...loop, "tell", "end"], ...[...loop, "tell", "end"], ...[...loop, "tell", "end"],
    ]);
    // x = i / 10; heard = 1 (x + 1) + 2 (x + 2) + 3 (x + 3) = 6 x + 14; told: 7 x + 14
    const x = [...image.data];
    heard.layers[0].frames.forEach((frame, t) => frame.data.forEach((value, i) => expect(value).toBeCloseTo(x[i] + t, 5)));
    heard.layers[1].frames.forEach((frame, t) => frame.data.forEach((value, i) => expect(value).toBeCloseTo(7 * x[i] + 14 + t, 4)));
    expect(heard.layers[0].omega?.data[0]).toBe(4);
    expect(heard.layers[1].alpha?.data[5]).toBe(0.25);
    expect(heard.answers.map(({ step }) => step)).toEqual([1, 2, 3]);
    // After one step: x = 7 x + 14 + (7 x + 15) > 6 everywhere, so class 1 with its softmax.
    const said = heard.answers[0];
    expect([...said.labels]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(said.confidence[0]).toBeCloseTo(1 / (1 + Math.exp(6 - 29)), 6);
    expect([...said.shares]).toEqual([0, 1]);
  });

  it("hands on `first` once and the coupling always", async () => {
    const end = graph("end", ["x"], ["logits"]);
    const parsed = parseManifest(manifest({ begin: graph("begin", ["image"], ["x"]), layers: [stepped], end }));
    for (const [coupling, told] of [[1, 130], [0, 100]]) {
      let z = 0;
      const runs = fakes([]);
      const step = runs.get("step.onnx") as Run;
      runs.set("step.onnx", async (feeds) => {
        const found = await step(feeds);
        z = found[1].data[0];
        return found;
      });
      const heard = await hearImage(parsed, runs, image, coupling, never);
      expect([z, heard.coupled]).toEqual([told, coupling === 1]);
    }
  });

  it("without waves gives one answer and no layers", async () => {
    const heard = await hearImage(parseManifest(manifest()), fakes([]), image, 1, never);
    expect(heard.layers).toEqual([]);
    expect(heard.answers.length).toBe(1);
    expect([...heard.answers[0].labels]).toEqual([0, 0, 1, 0, 0, 0]);
    expect(heard.answers[0].confidence[2]).toBeCloseTo(Math.E / (1 + Math.E), 6);
    expect(heard.answers[0].shares[1]).toBeCloseTo(1 / 6, 6);
  });

  it("runs recurrent cells, which have no medium and no step of time", async () => {
    const cell = {
      kind: "cell", channels: 1, steps: 2, stride: 1, medium: graph("medium", ["image"], ["y", "h"]),
      step: graph("step", ["y", "h"], ["y", "h"]), hear: null, tell: null,
    };
    const runs = new Map<string, Run>([
      ["medium.onnx", async () => [grid(() => 1), grid(() => 5)]],
      ["step.onnx", async ({ y, h }) => [grid((i) => y.data[i] + h.data[i]), each(h, (value) => value + 1)]],
      ["end.onnx", async ({ y }) => [grid((i) => (i < H * W ? 8 : y.data[0]), 2)]],
    ]);
    const heard = await hearImage(parseManifest(manifest({ layers: [cell], end: graph("end", ["y"], ["logits"]) })), runs, image, 1, never);
    expect(heard.layers[0].frames.map(({ data }) => data[0])).toEqual([1, 6, 12]);
    expect(heard.layers[0].omega).toBeUndefined();
    expect(heard.layers[0].dt).toBe(1);
    expect(heard.answers.map(({ labels }) => labels[0])).toEqual([0, 1]);
  });

  it("runs layers in closed form at all their times, with one answer", async () => {
    const closed = {
      kind: "closed", channels: 1, steps: 3, dt: 0.5, stride: 1, medium: graph("medium", ["image"], ["y0", "z0"]),
      at: graph("at", ["y0", "z0", "time"], ["y"]), hear: graph("hear", ["y0", "z0"], ["heard"]), tell: null,
    };
    const runs = fakes([]);
    runs.set("medium.onnx", async () => [grid(() => 1), grid(() => 2)]);
    runs.set("hear.onnx", async ({ y0, z0 }) => [grid((i) => y0.data[i] + z0.data[i])]);
    runs.set("end.onnx", async ({ heard }) => [grid((i) => (i < H * W ? 0 : heard.data[0]), 2)]);
    const run = (end: string[]) => hearImage(parseManifest(manifest({ layers: [closed], end: graph("end", end, ["logits"]) })), runs, image, 1, never);
    const heard = await run(["heard"]);
    expect(heard.layers[0].frames.map(({ data }) => data[0])).toEqual([1, 2, 3, 4]);
    expect(heard.answers.map(({ step, labels }) => [step, labels[0]])).toEqual([[3, 1]]);
    await expect(run(["fine"])).rejects.toThrow('The graph end.onnx reads "fine", which nothing before it gives.');
  });

  it("stops where it is cancelled", async () => {
    const parsed = parseManifest(manifest({ begin: graph("begin", ["image"], ["x"]), layers: [stepped], end: graph("end", ["x"], ["logits"]) }));
    const log: string[] = [];
    const pause = async () => {
      if (log.length === 4) throw new Error("enough");
    };
    await expect(hearImage(parsed, fakes(log), image, 1, pause)).rejects.toThrow("enough");
    expect(log.length).toBe(4);
  });

  it("says in a sentence what does not fit", async () => {
    const parsed = parseManifest(manifest());
    const hear = (field: Field, runs = fakes([])) => hearImage(parsed, runs, field, 1, never);
    await expect(hear({ ...image, channels: 3 })).rejects.toThrow("3 channels and this network sees 1");
    await expect(hear({ ...image, height: 5 })).rejects.toThrow(/5 x 3 pixels with 6 numbers/);
    await expect(hear({ ...image, height: 2000, data: new Float32Array(6000) })).rejects.toThrow(/sides from 1 to 1024/);
    await expect(hear(image, new Map())).rejects.toThrow("model.onnx is not loaded");
    await expect(hear(image, new Map([["model.onnx", async () => []]]))).rejects.toThrow(/gives 0 tensors/);
    await expect(hear(image, new Map([["model.onnx", async () => [grid(() => NaN, 2)]]]))).rejects.toThrow(/not finite/);
    await expect(hear(image, new Map([["model.onnx", async () => [{ data: new Float32Array(4), dims: [1, 2, 2, 1] }]]]))).rejects.toThrow(/answered 1 x 2 x 2 x 1 for/);
    const large = parseManifest(manifest({ layers: [{ ...stepped, channels: 64, steps: 500 }], end: graph("end", ["x"], ["logits"]) }));
    const field = { data: new Float32Array(512 * 512), channels: 1, height: 512, width: 512 };
    await expect(hearImage(large, fakes([]), field, 1, never)).rejects.toThrow(/take a smaller image/);
  });
});

describe("a manifest", () => {
  it.each<[string, unknown]>([
    ["manifest is null", null], ["manifest is [1]", [1]], ["format is missing", {}], ["version is 2", manifest({ version: 2 })],
    ["image.channels is 4", manifest({ image: { channels: 4 } })], ["image.size is [1]", manifest({ image: { channels: 1, size: [1] } })],
    ["layers is 3", manifest({ layers: 3 })], ["layers[0].kind is \"odd\"", manifest({ layers: [{ ...stepped, kind: "odd" }] })],
    ["layers[0].steps is 0", manifest({ layers: [{ ...stepped, steps: 0 }] })], ["layers[0].dt is -1", manifest({ layers: [{ ...stepped, dt: -1 }] })],
    ["layers[0].step is missing", manifest({ layers: [{ ...stepped, step: undefined }] })],
    ["end is missing", manifest({ layers: [stepped] })], ["whole.file is \"../secret.onnx\"", manifest({ whole: graph("../secret", ["image"], ["logits"]) })],
    ["whole.inputs is []", manifest({ whole: graph("model", [], ["logits"]) })], ["2 to 255 classes", manifest({ classes: [] })],
    ["classes[1].colour is \"red\"", manifest({ classes: [{ name: "a", colour: "#000000" }, { name: "b", colour: "red" }] })],
    ["files does not list \"other.onnx\"", manifest({ whole: graph("other", ["image"], ["logits"]) })],
    ["name is missing", manifest({ name: undefined })],
  ])("with a fault is refused: %s", (message, value) => {
    const found = (() => {
      try {
        return parseManifest(value);
      } catch (error) {
        return error as Error;
      }
    })();
    expect(found).toBeInstanceOf(ManifestError);
    expect((found as Error).message).toContain(message);
    expect((found as Error).message).toMatch(/^manifest\.json: .*\.$/);
  });
});
