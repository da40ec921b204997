import { describe, expect, it } from "vitest";
import { fourier, magnitudes } from "../src/core/fourier";
import { play, RATE, seriesAt, spectrum, tone } from "../src/core/sound";
import { wav } from "../src/core/wav";
import vectors from "./vectors.json";

describe("the Fourier transform", () => {
  it.each([1, 2, 3, 5, 8, 12, 13, 64, 97, 100])("of %i numbers is its definition", (count) => {
    const series = Array.from({ length: count }, (_, t) => Math.sin(3 * t) + (t % 4));
    const re = Float64Array.from(series);
    const im = Float64Array.from(series, (_, t) => Math.cos(t * t));
    fourier(re, im);
    for (let k = 0; k < count; k++) {
      let [r, i] = [0, 0];
      series.forEach((value, t) => {
        const [c, s] = [Math.cos((2 * Math.PI * k * t) / count), -Math.sin((2 * Math.PI * k * t) / count)];
        const other = Math.cos(t * t);
        r += value * c - other * s;
        i += value * s + other * c;
      });
      expect(re[k]).toBeCloseTo(r, 9);
      expect(im[k]).toBeCloseTo(i, 9);
    }
    expect(magnitudes(series).length).toBe(Math.floor(count / 2) + 1);
  });
});

describe.each(vectors.sound)("a series of $count samples", (want) => {
  it("has drumhead's spectrum and tone", () => {
    spectrum(want.series).forEach((value, k) => expect(value).toBeCloseTo(want.spectrum[k], 8));
    const padded = spectrum(want.series, 128);
    want.padded.forEach((value, k) => expect(padded[8 * k]).toBeCloseTo(value, 8));
    const sound = tone(want.series, want.dt);
    expect(sound.length).toBe(want.count);
    want.spots.forEach((spot, i) => expect(Math.abs(sound[spot] - want.tone[i])).toBeLessThan(1e-5));
  });
});

it("a pixel hears the oscillator that it lies on", () => {
  const frames = [0, 1].map((t) => ({ channels: 2, height: 2, width: 3, data: Float32Array.from({ length: 12 }, (_, i) => 100 * t + i) }));
  expect(seriesAt(frames, 2, 3, 5).map((one) => [...one])).toEqual([[5, 105], [11, 111]]);
  expect(seriesAt(frames, 2, 0, 1).map((one) => [...one])).toEqual([[0, 100], [6, 106]]);
});

it("a WAV file says what it is and holds the samples", () => {
  const bytes = wav(Float32Array.of(0, 1, -1, 0.5, 3), RATE);
  const view = new DataView(bytes.buffer);
  expect(String.fromCharCode(...bytes.subarray(0, 4), ...bytes.subarray(8, 16))).toBe("RIFFWAVEfmt ");
  expect([view.getUint32(4, true), view.getUint32(24, true), view.getUint32(40, true)]).toEqual([46, RATE, 10]);
  const held = [0, 1, 2, 3, 4].map((i) => view.getInt16(44 + 2 * i, true));
  expect(held).toEqual([0, 29490, -29490, 14745, 29490]);
});

it("playing hands the samples to the context and starts them", async () => {
  const log: string[] = [];
  let end = () => {};
  const channel = new Float32Array(3);
  const context = {
    destination: "out",
    createBuffer: (channels: number, count: number, rate: number) => {
      log.push(`${channels} ${count} ${rate}`);
      return { getChannelData: () => channel };
    },
    createBufferSource: () => ({
      connect: (to: string) => log.push(`to ${to}`),
      addEventListener: (_: string, then: () => void) => (end = then),
      start: () => log.push("start"),
      stop: () => log.push("stop"),
    }),
  };
  const playing = play(Float32Array.of(0.25, 0.5, 1), RATE, context as unknown as BaseAudioContext);
  playing.stop();
  end();
  await playing.ended;
  expect([...channel]).toEqual([0.25, 0.5, 1]);
  expect(log).toEqual(["1 3 22050", "to out", "start", "stop"]);
});
