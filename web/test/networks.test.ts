import { describe, expect, it } from "vitest";
import { fromBytes } from "../src/core/raster";
import { seriesAt } from "../src/core/sound";
import { openModel, unpack } from "./models";
import vectors from "./vectors.json";

const rest = async () => {};

describe.each(vectors.networks)("the exported network $name", (want) => {
  const [height, width, channels] = want.shape;
  const image = fromBytes(unpack(want.image), height, width, channels);

  it("labels the pixels, and sends the waves, that drumhead does, whole and cut", async () => {
    const engine = await openModel(want.name);
    for (const [coupling, labels] of [[1, want.labels], [0, want.cut]] as const) {
      const { answers, layers, coupled, milliseconds } = await engine.hear(image, coupling, () => false, rest);
      const last = layers.at(-1)!;
      expect(coupled).toBe(coupling === 1);
      expect(answers.map(({ step }) => step)).toEqual(Array.from({ length: last.steps }, (_, t) => t + 1));
      expect(last.frames.length).toBe(last.steps + 1);
      const said = answers.at(-1)!;
      const right = unpack(labels);
      const other = said.labels.reduce((sum, label, i) => sum + Number(label !== right[i]), 0);
      expect(other).toBeLessThanOrEqual(right.length / 1000); // pixels whose two best classes are as good
      expect(said.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      said.confidence.forEach((value) => expect(value).toBeLessThanOrEqual(1));
      if (coupling) {
        console.log(`${want.name}: ${Math.round(milliseconds)} ms in Node, ${layers.length} layers of ${last.steps} steps`);
        const series = seriesAt(last.frames.slice(1), last.stride, want.spot[0], want.spot[1]);
        want.series.forEach((one, c) => one.forEach((value, t) => expect(series[c][t]).toBeCloseTo(value, 3)));
      }
    }
    await engine.close();
  });
});
