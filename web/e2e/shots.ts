/** Pictures of all states in light and dark on all sizes, for people to look at: web/shots/. */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { at, Bench, heard } from "./browser";

const OUT = fileURLToPath(new URL("../shots", import.meta.url));
const SIZES: [number, number][] = [
  [1280, 800],
  [1920, 1080],
  [820, 1180],
  [390, 844],
  [360, 640],
];

const STATES: Record<string, (page: Page) => Promise<void>> = {
  async waves(page) {
    await page.waitForTimeout(900);
    await page.getByTestId("play").click();
  },
  async answer(page) {
    await page.getByTestId("scrub").press("End");
    await page.waitForTimeout(700);
  },
  async digits(page) {
    await page.getByTestId("model").selectOption("mnist");
    await heard(page);
    await page.waitForTimeout(1500);
    await page.getByTestId("play").click();
  },
  async wires(page) {
    await page.getByTestId("model").selectOption("wires-stack");
    await heard(page);
    await page.getByTestId("layer-2").click();
    for (let i = 0; i < 8; i++) await page.getByTestId("forward").click();
    await page.getByTestId("tool-listen").click();
    await page.getByTestId("spot-b").click();
    await page.mouse.click(...(await at(page, 24, 57)));
    await page.waitForTimeout(100);
  },
  async cut(page) {
    await page.getByTestId("coupling").click();
    await heard(page);
    await page.getByTestId("scrub").press("End");
    await page.waitForTimeout(700);
  },
  async stiffness(page) {
    await page.getByTestId("overlay-omega").click();
    await page.getByTestId("play").click();
    await page.waitForTimeout(200);
  },
  async share(page) {
    await page.getByTestId("share").click();
    await page.waitForTimeout(300);
  },
  async keys(page) {
    await page.keyboard.press("?");
    await page.waitForTimeout(100);
  },
  async how(page) {
    await page.evaluate(() => document.getElementById("how")?.click());
    await page.waitForTimeout(100);
  },
  async drum(page) {
    await page.getByTestId("mode-drum").click();
    await page.waitForTimeout(2500);
    await page.mouse.click(...(await at(page, 44, 52, 96)));
    await page.waitForTimeout(420);
  },
  async twin(page) {
    await page.getByTestId("mode-drum").click();
    await page.getByTestId("drum-twin-2").click();
    await page.waitForTimeout(2500);
    await page.getByTestId("mode-4").click();
    await page.waitForTimeout(100);
  },
};

const only = process.argv.slice(2);
mkdirSync(OUT, { recursive: true });
const bench = await Bench.open();
for (const [width, height] of SIZES) {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [name, act] of Object.entries(STATES)) {
      const file = `${name}-${width}x${height}-${colorScheme}.png`;
      if (only.length && !only.some((part) => file.includes(part))) continue;
      const page = await bench.page({ viewport: { width, height }, colorScheme });
      await heard(page);
      await act(page);
      await page.screenshot({
        path: `${OUT}/${file}`,
        fullPage: width < 900 && !["share", "keys", "how"].includes(name),
      });
      await page.context().close();
    }
  }
}
await bench.close();
if (bench.faults.length) console.log(bench.faults.join("\n"));
