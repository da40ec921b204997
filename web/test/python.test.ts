import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseManifest } from "../src/core/manifest";
import { pythonOf } from "../src/core/python";
import { blank, pen, toBytes } from "../src/core/raster";
import { randomOf, scene } from "../src/core/scenes";
import { place, polygon } from "../src/core/stamps";
import type { Field, Shared } from "../src/types";

const python = process.env["PYTHON"] ?? "../.venv/bin/python";
const wires = parseManifest(JSON.parse(readFileSync(new URL("../public/models/wires-stack/manifest.json", import.meta.url), "utf8")));

function shared(field: Field, change: Partial<Shared>): Shared {
  const { height, width, channels } = field;
  return {
    version: 1, mode: "waves", model: "wires-stack", width, height, channels: channels as 1 | 3, image: toBytes(field), coupling: true,
    layer: 2, sheet: "all", overlay: "waves", frame: null, speed: 1, spots: [], ...change,
  };
}

/** Run a script as a user would, in an empty folder; python -W error makes warnings fail. */
function run(script: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "drumhead-")), "drawing.py");
  writeFileSync(path, script);
  return execFileSync(python, ["-W", "error::SyntaxWarning", path], { encoding: "utf8", env: { ...process.env, OMP_NUM_THREADS: "1" } });
}

it("the script of a small drawing is this one", async () => {
  const field = blank(4, 5, 1);
  field.data.set([1, 1, 0.5], 6);
  const script = pythonOf(shared(field, { coupling: false, spots: [{ y: 1, x: 2 }] }), wires);
  await expect(script).toMatchFileSnapshot("golden/waves.txt");
  const drum = pythonOf(shared(field, { mode: "drum", spots: [{ y: 1, x: 2 }] }), wires);
  await expect(drum).toMatchFileSnapshot("golden/drum.txt");
});

it("runs as it is: waves", { timeout: 120_000 }, () => {
  const field = scene("wires", 64, 64, 1, randomOf(3));
  const said = run(pythonOf(shared(field, { spots: [{ y: 20, x: 30 }] }), wires));
  expect(said).toMatch(/^background: \d+\.\d% of all pixels$/m);
  expect(said).toContain("waves: (12, 16, 16, 16)");
  expect(said).toMatch(/pixel \(20, 30\) hears omega = \d+\.\d+ loudest/);
});

it("runs as it is: a drum in many greys", { timeout: 120_000 }, () => {
  const field = blank(60, 50, 1);
  place(field, polygon(6, 44), { y: 30, x: 25 });
  for (let i = 0; i < 50; i++) pen(field, { y: 55, x: i }, { y: 55, x: i + 1 }, { size: 3, soft: true, colour: [i / 50] });
  const script = pythonOf(shared(field, { mode: "drum", spots: [{ y: 30, x: 25 }, { y: 24, x: 20 }] }), wires);
  expect(script).toContain("base64");
  const [, area, heard] = /^area (\d+), heard (\d+)$/m.exec(run(script)) ?? [];
  const exact = 3 * 22 ** 2 * Math.sin(Math.PI / 3);
  expect(Math.abs(Number(area) / exact - 1)).toBeLessThan(0.06);
  expect(Math.abs(Number(heard) / exact - 1)).toBeLessThan(0.06);
});
