import { describe, expect, it } from "vitest";
import { ManifestError, parseManifest } from "../src/core/manifest";
import { decode, encode, ShareError } from "../src/core/share";
import type { Shared } from "../src/types";

/** Numbers from a seed (mulberry32), so that what fails can be made again. */
function draws(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % most;
  };
}

const ODD: unknown[] = [
  null, undefined, true, 0, -1, 1.5, 1e308, NaN, Infinity, 2 ** 53, "", "x".repeat(9999), "../../x", "__proto__", "é\u202e\0", [], {}, [[]], [{}],
  { file: "../secret.onnx", inputs: ["a"], outputs: ["b"] }, { length: 5 },
];

/** The value with one place of it changed, left out or added. */
function changed(value: unknown, draw: (most: number) => number): unknown {
  if (typeof value === "object" && value !== null && draw(6)) {
    const entries = Object.entries(value);
    const at = draw(entries.length + 1);
    if (at === entries.length) entries.push([["extra", "__proto__", "constructor"][draw(3)], ODD[draw(ODD.length)]]);
    else if (draw(5) === 0) entries.splice(at, 1);
    else entries[at] = [entries[at][0], changed(entries[at][1], draw)];
    return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
  }
  return ODD[draw(ODD.length)];
}

const graph = (file: string) => ({ file, inputs: ["a"], outputs: ["b"] });
const MANIFEST = {
  format: "drumhead-export", version: 1, drumhead: "0.1.0", name: "wires", task: "wires", family: "stack", preset: "",
  image: { channels: 3, size: [64, 64] }, classes: [{ name: "background", colour: "#000000" }, { name: "wire", colour: "#0072b2" }],
  whole: graph("model.onnx"), begin: graph("begin.onnx"), end: graph("end.onnx"),
  layers: [{ kind: "stepped", channels: 4, steps: 12, dt: 0.5, stride: 4, medium: graph("medium.onnx"), step: graph("step.onnx"), hear: null, tell: null }],
  files: Object.fromEntries(["model", "begin", "end", "medium", "step"].map((one) => [`${one}.onnx`, { bytes: 5, sha256: "" }])),
};

describe("hostile input of the page", () => {
  it("10,000 manifests are read or refused in one sentence", () => {
    let read = 0;
    expect(parseManifest(MANIFEST).layers.length).toBe(1);
    for (let seed = 0; seed < 10_000; seed++) {
      const draw = draws(seed);
      let value: unknown = MANIFEST;
      for (let i = draw(3); i >= 0; i--) value = changed(value, draw);
      try {
        parseManifest(value);
        read++;
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(ManifestError);
        expect((error as Error).message.length, `seed ${seed}`).toBeLessThan(300);
      }
    }
    expect(read).toBeGreaterThan(100);
    expect(read).toBeLessThan(9900);
  }, 60_000);

  it("500 permalinks are read or refused in one sentence", async () => {
    const image = new Uint8Array(64 * 64 * 3);
    const one: Shared = {
      version: 1, mode: "waves", model: "wires-stack", width: 64, height: 64, channels: 3, image, coupling: true, layer: 0, sheet: "all",
      overlay: "waves", frame: null, speed: 1, spots: [],
    };
    const good = await encode(one);
    for (let seed = 0; seed < 500; seed++) {
      const draw = draws(seed);
      const letters = [...good];
      for (let i = draw(4); i >= 0; i--) {
        const at = draw(letters.length);
        if (draw(3)) letters[at] = String.fromCharCode(draw(2) ? 45 + draw(78) : draw(0xffff));
        else if (draw(2)) letters.splice(at, draw(20));
        else letters.splice(at, 0, ...letters.slice(draw(letters.length)));
      }
      await decode(letters.join("")).then(
        (value) => expect(value.image.length).toBe(value.width * value.height * value.channels),
        (error: unknown) => expect(error, `seed ${seed}`).toBeInstanceOf(ShareError),
      );
    }
  }, 60_000);
});
