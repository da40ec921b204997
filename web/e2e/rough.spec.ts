/** What nobody means to do and somebody does: odd links, keys while drawing, pictures too rich for a link. */

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encode } from "../src/core/share";
import type { Shared } from "../src/types";
import { at, Bench, heard, press } from "./browser";

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench?.close();
  expect(bench.faults).toEqual([]);
});

async function value(page: Page, testId: string): Promise<string> {
  return (await page.getByTestId(testId).textContent()) ?? "";
}

/** A link as somebody may write it: a picture of any size in one colour. */
async function link(width: number, height: number, other: Partial<Shared> = {}): Promise<string> {
  const shared: Shared = {
    version: 1,
    mode: "waves",
    model: "tetrominoes-fast",
    width,
    height,
    channels: 3,
    image: new Uint8Array(0),
    coupling: true,
    layer: 0,
    sheet: "all",
    overlay: "waves",
    frame: 2,
    speed: 1,
    spots: [],
    ...other,
  };
  return `#${await encode({ ...shared, image: new Uint8Array(width * height * shared.channels).fill(200) })}`;
}

/** An image file of noise. */
async function noise(page: Page, side: number): Promise<Buffer> {
  const url = await page.evaluate((size) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    const pixels = context.createImageData(size, size);
    crypto.getRandomValues(pixels.data.subarray(0, 65_536));
    for (let i = 0; i < pixels.data.length; i++) pixels.data[i] = i % 4 === 3 ? 255 : pixels.data[(i * 7) % 65_536];
    context.putImageData(pixels, 0, 0);
    return canvas.toDataURL();
  }, side);
  return Buffer.from(url.split(",")[1], "base64");
}

describe("a link of another size", () => {
  it("opens from one pixel to the largest, in its own shape", async () => {
    for (const [width, height] of [
      [1, 1],
      [512, 3],
      [256, 256],
    ]) {
      const page = await bench.page({}, await link(width, height, { spots: [{ y: height - 1, x: width - 1 }] }));
      await heard(page);
      expect(await value(page, "says")).toMatch(/^It hears /);
      expect(await value(page, "time")).toBe("2 / 20");
      await page.context().close();
    }
    const page = await bench.page({}, await link(60, 20));
    await heard(page);
    await page.getByTestId("tool-listen").click();
    const box = await page.getByTestId("stage").boundingBox();
    if (!box) throw new Error("the stage is not to be seen");
    await page.mouse.click(box.x + (box.width * 30.5) / 60, box.y + box.height * (1 / 3 + 15.5 / 60));
    await page.waitForTimeout(100);
    expect(await value(page, "spot-a")).toContain("30, 15");
    await page.context().close();
  });

  it("brings no place, sheet or speed that is not there", async () => {
    const odd = await link(512, 512, { model: "wires-stack", spots: [{ y: 500, x: 500 }], sheet: 4095, speed: 37 });
    const page = await bench.page({}, odd);
    await heard(page);
    await page.waitForTimeout(100);
    expect(await value(page, "spot-a")).not.toContain("500"); // wires are grey: another drawing came
    expect(await page.getByTestId("sheet").inputValue()).toBe("15");
    expect(await page.getByTestId("speed").inputValue()).toBe("37");
    await page.context().close();
  });

  it("shares all but the link where the drawing is too rich for one", async () => {
    const page = await bench.page({}, await link(256, 256));
    await heard(page);
    await page.getByTestId("file").setInputFiles({
      name: "noise.png",
      mimeType: "image/png",
      buffer: await noise(page, 256),
    });
    await heard(page);
    await page.getByTestId("share").click();
    await page.getByTestId("no-link").waitFor();
    expect(await value(page, "no-link")).toMatch(/too much detail for a link .* save it as an image/);
    expect(await page.getByTestId("save-png").isEnabled()).toBe(true);
    expect(await page.getByTestId("link").count()).toBe(0);
    await page.context().close();
  });
});

describe("a hand quicker than the network", () => {
  it("gets an answer for the last drawing after a look at the drum", async () => {
    const page = await bench.page();
    await heard(page);
    expect(await value(page, "says")).toMatch(/a T/);
    await page.evaluate(() => {
      for (const id of ["clear", "mode-drum"]) document.querySelector<HTMLElement>(`[data-testid="${id}"]`)?.click();
    });
    await page.waitForTimeout(400);
    await page.getByTestId("mode-waves").click();
    await heard(page);
    expect(await value(page, "says")).toBe("It hears nothing but background.");
    expect(await value(page, "sure-where")).toBe("How sure, nothing being drawn");
    await page.context().close();
  });

  it("takes no stroke along into the drum", async () => {
    const page = await bench.page();
    await heard(page);
    await page.mouse.move(...(await at(page, 10, 32)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 30, 32)), { steps: 3 });
    await page.keyboard.press("d");
    await page.waitForTimeout(150);
    await page.mouse.move(...(await at(page, 50, 32)), { steps: 3 });
    await page.mouse.up();
    await page.waitForTimeout(150);
    expect(await page.getByTestId("undo").isDisabled()).toBe(true);
    await page.context().close();
  });

  it("cuts once while a key is held down", async () => {
    const page = await bench.page();
    await heard(page);
    for (let i = 0; i < 4; i++) await page.keyboard.down("c"); // all but the first are repeats
    await page.keyboard.up("c");
    await heard(page);
    expect(await page.getByTestId("coupling").getAttribute("aria-checked")).toBe("false");
    await page.context().close();
  });

  it("has A where the drawing is until somebody puts it elsewhere", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("clear").click();
    await page.getByTestId("tool-piece").click();
    await page.getByTestId("piece-o").click();
    await press(page, 12, 50);
    await heard(page);
    await page.waitForTimeout(100);
    const [x, y] = ((await value(page, "spot-a")).match(/\d+/g) ?? []).map(Number);
    expect(Math.hypot(x - 12, y - 50)).toBeLessThan(4);
    await page.getByTestId("tool-listen").click();
    await press(page, 40, 20);
    await page.getByTestId("clear").click();
    await heard(page);
    expect(await value(page, "spot-a")).toContain("40, 20");
    await page.context().close();
  });
});

describe("a drum", () => {
  it("of two parts says which one is struck, and one of none promises nothing", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("mode-drum").click();
    await page.getByTestId("clear").click();
    await page.waitForTimeout(100);
    expect(await value(page, "drum-says")).toMatch(/^Nothing is drawn; a drum needs 40 pixels/);
    expect(await value(page, "heard-area")).toBe("–");
    await page.getByTestId("tool-shape").click();
    for (const place of [25, 72]) await press(page, place, place, 96);
    await page.getByTestId("tool-strike").click();
    await press(page, 72, 72, 96);
    expect(await value(page, "toast")).toMatch(/largest part of the drawing/);
    await page.context().close();
  });
});

describe("other eyes", () => {
  it("see what is chosen in high contrast", async () => {
    const page = await bench.page({ forcedColors: "active" });
    await heard(page);
    await page.getByTestId("tool-fill").click();
    await page.waitForTimeout(100);
    const outline = (id: string) =>
      page.getByTestId(id).evaluate((node) => getComputedStyle(node).outlineStyle);
    expect(await outline("tool-fill")).toBe("solid");
    expect(await outline("overlay-waves")).toBe("solid");
    expect(await outline("tool-pen")).toBe("none");
    const swatches = await page.locator(".swatch").evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
    expect(new Set(swatches).size).toBe(6);
    await page.context().close();
  });

  it("need no scrolling to the side at 400 %", async () => {
    const page = await bench.page({ viewport: { width: 320, height: 480 } });
    await heard(page);
    for (const mode of ["mode-waves", "mode-drum"]) {
      await page.getByTestId(mode).click();
      await page.waitForTimeout(200);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), mode).toBe(320);
    }
    await page.context().close();
  });
});
