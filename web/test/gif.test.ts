import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Frame, gif } from "../src/core/gif";

function frame(width: number, height: number, colour: (y: number, x: number) => number[]): Frame {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) data.set([...colour(Math.floor(i / width), i % width), 255], 4 * i);
  return { width, height, data };
}

/** A decoder written from the format, independent of the encoder: frames of colours 0xrrggbb. */
function read(bytes: Uint8Array): { width: number; height: number; delays: number[]; frames: number[][] } {
  const short = (at: number) => bytes[at] | (bytes[at + 1] << 8);
  expect(String.fromCharCode(...bytes.subarray(0, 6))).toBe("GIF89a");
  const [width, height, count] = [short(6), short(8), 2 << (bytes[10] & 7)];
  const colour = (i: number) => (bytes[13 + 3 * i] << 16) | (bytes[14 + 3 * i] << 8) | bytes[15 + 3 * i];
  const delays: number[] = [];
  const frames: number[][] = [];
  let at = 13 + 3 * count;
  const blocks = () => {
    const parts: number[] = [];
    for (let size = bytes[at++]; size; size = bytes[at++]) {
      parts.push(...bytes.subarray(at, at + size));
      at += size;
    }
    return parts;
  };
  for (;;) {
    const kind = bytes[at++];
    if (kind === 0x3b) return { width, height, delays, frames };
    if (kind === 0x21) {
      const label = bytes[at++];
      const content = blocks();
      if (label === 0xf9) delays.push(content[1] | (content[2] << 8));
      continue;
    }
    expect(kind).toBe(0x2c);
    at += 9;
    const bits = bytes[at++];
    frames.push(unpack(blocks(), bits).map(colour));
  }
}

function unpack(codes: number[], bits: number): number[] {
  const clear = 1 << bits;
  const out: number[] = [];
  let table: number[][] = [];
  let [size, before, position] = [bits + 1, null as number[] | null, 0];
  for (;;) {
    let code = 0;
    for (let i = 0; i < size; i++, position++) code |= ((codes[position >> 3] >> (position & 7)) & 1) << i;
    if (code === clear) {
      table = Array.from({ length: clear + 2 }, (_, i) => [i]);
      [size, before] = [bits + 1, null];
      continue;
    }
    if (code === clear + 1) {
      expect(Math.ceil(position / 8)).toBe(codes.length); // nothing is left over
      return out;
    }
    const string: number[] = code < table.length ? table[code] : [...before!, before![0]];
    if (before && table.length < 4096) table.push([...before, string[0]]);
    if (table.length === 1 << size && size < 12) size++;
    for (const one of string) out.push(one);
    before = string;
  }
}

const colours = ({ data }: Frame) => Array.from({ length: data.length / 4 }, (_, i) => (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2]);

describe("a GIF", () => {
  it("of few colours holds them exactly, over many clears of the table", () => {
    const frames = [0, 1, 2].map((t) => frame(90, 70, (y, x) => [((y * x + t * 7) % 16) * 16, (y % 3) * 80, ((y * 31 + x * 17) % 5) * 50]));
    const found = read(gif(frames, 40));
    expect([found.width, found.height, found.delays]).toEqual([90, 70, [4, 4, 4]]);
    found.frames.forEach((one, t) => expect(one).toEqual(colours(frames[t])));
  });

  it("of one pixel and of one colour is whole", () => {
    for (const one of [frame(1, 1, () => [1, 2, 3]), frame(300, 200, () => [9, 9, 9])]) expect(read(gif([one], 1)).frames).toEqual([colours(one)]);
  });

  it("ends well wherever its codes become longer", () => {
    for (let width = 1; width < 700; width += 3) {
      const one = frame(width, 1, (_, x) => [(Math.imul(x * x + 1, 40503) >>> 5) & 3 ? 255 : 0, 0, 0]);
      expect(read(gif([one], 40)).frames[0], `width ${width}`).toEqual(colours(one));
    }
  });

  it("of many colours is near to them", () => {
    const many = frame(128, 128, (y, x) => [2 * y, 2 * x, 255 - y - x]);
    const [found] = read(gif([many], 40)).frames;
    const off = colours(many).map((colour, i) => [16, 8, 0].map((by) => Math.abs(((colour >> by) & 255) - ((found[i] >> by) & 255))));
    expect(off.flat().reduce((sum, value) => sum + value, 0) / off.flat().length).toBeLessThan(8);
  });

  it("is read by Pillow in the same way", () => {
    const frames = [0, 1].map((t) => frame(40, 30, (y, x) => [(x * 6 + t * 90) % 256, (y * 8) % 256, 30]));
    const path = join(mkdtempSync(join(tmpdir(), "gif-")), "a.gif");
    writeFileSync(path, gif(frames.map((one) => frame(40, 30, (y, x) => [one.data[4 * (y * 40 + x)] & 0xe0, one.data[4 * (y * 40 + x) + 1] & 0xe0, 30])), 80));
    const script = "import sys\nfrom PIL import Image, ImageSequence\nim = Image.open(sys.argv[1])\nprint([(f.convert('RGB').getpixel((7, 9)), f.info['duration']) for f in ImageSequence.Iterator(im)])";
    const python = process.env["PYTHON"] ?? "../.venv/bin/python";
    const said = execFileSync(python, ["-c", script, path], { encoding: "utf8" });
    expect(said.trim()).toBe(`[((${42 & 0xe0}, ${72 & 0xe0}, 30), 80), ((${132 & 0xe0}, ${72 & 0xe0}, 30), 80)]`);
  });

  it("is refused without frames or of several sizes", () => {
    expect(() => gif([], 40)).toThrow(RangeError);
    expect(() => gif([frame(1, 1, () => [0, 0, 0]), frame(1, 2, () => [0, 0, 0])], 40)).toThrow(RangeError);
  });
});
