/** Frames of a short visit to the page, for the film at the top of README.md: web/shots/film/, which film.py joins. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { at, Bench, heard } from "./browser";

const OUT = fileURLToPath(new URL("../shots/film", import.meta.url));
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });

const milliseconds: number[] = [];
const bench = await Bench.open();
const page = await bench.page({ viewport: { width: 1240, height: 790 }, colorScheme: "light" });

async function frame(shown: number): Promise<void> {
  await page.screenshot({ path: `${OUT}/${String(milliseconds.length).padStart(3, "0")}.png` });
  milliseconds.push(shown);
}

/** Step by step to the last one, then the answer for a while. */
async function run(page: Page, steps: number, stay: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await frame(90);
    await page.getByTestId("forward").click();
    await page.waitForTimeout(60);
  }
  await page.waitForTimeout(900); // names fade in
  await frame(stay);
}

await heard(page);
await page.getByTestId("scrub").press("Home"); // which pauses
await run(page, 20, 1800);
await page.getByTestId("coupling").click();
await heard(page);
await page.getByTestId("scrub").press("End");
await page.waitForTimeout(900);
await frame(2000);
await page.getByTestId("coupling").click();
await page.getByTestId("model").selectOption("wires-stack");
await heard(page);
await page.getByTestId("layer-2").click();
await run(page, 12, 1800);
await page.getByTestId("mode-drum").click();
await page.waitForTimeout(3000);
await page.mouse.click(...(await at(page, 44, 52, 96)));
for (let i = 0; i < 10; i++) await frame(i < 9 ? 90 : 1500);
writeFileSync(`${OUT}/milliseconds.json`, JSON.stringify(milliseconds));
await bench.close();
