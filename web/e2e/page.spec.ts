import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { at, Bench, heard, picture, press, record, share } from "./browser";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PIECE = 4 * 7 * 7; // pixels of a tetromino

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench?.close();
});

async function model(page: Page, name: string): Promise<void> {
  await page.getByTestId("model").selectOption(name);
  await heard(page);
}

async function value(page: Page, testId: string): Promise<string> {
  return (await page.getByTestId(testId).textContent()) ?? "";
}

describe("the page opens", () => {
  it("shows a sample at once and soon its waves, below any folder and under a strict policy", async () => {
    const before = bench.faults.length;
    const page = await bench.page();
    const began = Date.now();
    await page.waitForFunction(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#stage");
      return canvas && canvas.toDataURL().length > 2000; // an empty one is shorter
    });
    console.log(`sample drawn after ${Date.now() - began} ms`);
    await heard(page);
    console.log(`heard after ${Date.now() - began} ms`);
    expect(await value(page, "says")).toMatch(/^It hears .*a T/);
    expect(await page.evaluate(() => window.moved)).toBeLessThan(0.02);
    const one = await picture(page);
    await page.waitForTimeout(300);
    expect(await picture(page)).not.toBe(one);
    expect(bench.faults.slice(before)).toEqual([]);
    await page.context().close();
  });

  it("spends so little on a picture that 30 a second are easy", async () => {
    const page = await bench.page();
    await heard(page);
    const client = await page.context().newCDPSession(page);
    await client.send("Performance.enable");
    const script = async () =>
      (await client.send("Performance.getMetrics")).metrics.find(({ name }) => name === "ScriptDuration")?.value ?? NaN;
    const before = await script();
    const rate = await page.evaluate(async () => {
      const times: number[] = [];
      const range = document.querySelector<HTMLInputElement>('[data-testid="scrub"]') as HTMLInputElement;
      let last = "";
      const end = performance.now() + 2000;
      while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        if (range.value !== last) times.push(performance.now());
        last = range.value;
      }
      return times.length / 2;
    });
    const cost = (1000 * ((await script()) - before)) / (2 * rate);
    console.log(`${rate} pictures a second on this machine as busy as it is, ${cost.toFixed(1)} ms of script each`);
    expect(cost).toBeLessThan(1000 / 30 / 2);
    await page.context().close();
  });
});

describe("drawing", () => {
  it("hears a square that is drawn by hand as an O, where and as large as it is", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("clear").click();
    await heard(page);
    expect(await value(page, "says")).toBe("It hears nothing but background.");
    await page.getByTestId("tool-polygon").click();
    for (const [x, y] of [
      [24, 24],
      [38, 24],
      [38, 38],
      [24, 38],
      [24, 24],
    ])
      await page.mouse.click(...(await at(page, x - 0.5, y - 0.5)));
    await heard(page);
    expect(await value(page, "says")).toBe("It hears an O.");
    await page.getByTestId("scrub").press("End");
    await page.waitForTimeout(100);
    const area = (await share(page, "O")) * 64 * 64;
    expect(area).toBeGreaterThan(0.9 * PIECE);
    expect(area).toBeLessThan(1.1 * PIECE);
    await page.context().close();
  });

  it("draws with pen and eraser, stamps, fills, undoes and redoes", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("tool-listen").click();
    await press(page, 60, 4); // else A goes where the drawing goes
    await page.getByTestId("tool-pen").click();
    await page.getByTestId("overlay-none").click();
    const empty = async () => {
      await page.mouse.move(5, 5);
      await page.waitForTimeout(120);
      return picture(page);
    };
    const sample = await empty();
    await page.getByTestId("clear").click();
    const blank = await empty();
    await page.mouse.move(...(await at(page, 10, 50)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 50, 50)), { steps: 5 });
    await page.mouse.up();
    const stroke = await empty();
    expect(new Set([sample, blank, stroke]).size).toBe(3);
    await page.getByTestId("tool-eraser").click();
    await page.mouse.move(...(await at(page, 5, 50)));
    await page.mouse.down();
    await page.mouse.move(...(await at(page, 58, 50)), { steps: 5 });
    await page.mouse.up();
    expect(await empty()).toBe(blank);
    await page.keyboard.press("Control+z");
    expect(await empty()).toBe(stroke);
    await page.getByTestId("undo").click();
    await page.getByTestId("undo").click();
    expect(await empty()).toBe(sample);
    for (let i = 0; i < 3; i++) await page.keyboard.press("Control+Shift+z");
    expect(await empty()).toBe(blank);
    await page.getByTestId("tool-piece").click();
    await page.getByTestId("piece-i").click();
    await press(page, 32, 32);
    await heard(page);
    expect(await value(page, "says")).toBe("It hears an I.");
    await page.context().close();
  });

  it("takes an image from a file and says what is wrong with one that is none", async () => {
    const page = await bench.page();
    await heard(page);
    const file = page.getByTestId("file");
    await file.setInputFiles({ name: "x.png", mimeType: "image/png", buffer: Buffer.from("no image") });
    await page.getByTestId("toast").waitFor({ state: "visible" });
    expect(await value(page, "toast")).toContain("no image");
    const sample = new URL("../../src/drumhead/samples/pieces-2.png", import.meta.url);
    await file.setInputFiles({ name: "pieces.png", mimeType: "image/png", buffer: readFileSync(sample) });
    await heard(page);
    expect(await value(page, "says")).toMatch(/^It hears an? /);
    await page.context().close();
  });
});

describe("time", () => {
  it("pauses, steps and scrubs, and the answer comes over time", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("play").click();
    const scrub = page.getByTestId("scrub");
    await scrub.press("Home");
    await page.waitForTimeout(100);
    expect(await value(page, "time")).toBe("0 / 20");
    expect(await value(page, "sure")).toBe("not yet");
    const start = await picture(page);
    await page.getByTestId("forward").click();
    await page.getByTestId("forward").click();
    await page.waitForTimeout(100);
    expect(await value(page, "time")).toBe("2 / 20");
    expect(await picture(page)).not.toBe(start);
    const early = Number.parseInt(await value(page, "sure"), 10);
    await scrub.press("End");
    await page.waitForTimeout(700);
    expect(await value(page, "time")).toBe("20 / 20");
    expect(Number.parseInt(await value(page, "sure"), 10)).toBeGreaterThan(early);
    const still = await picture(page);
    await page.waitForTimeout(300);
    expect(await picture(page)).toBe(still);
    await page.context().close();
  });
});

describe("sound", () => {
  it("plays what a touched pixel hears, and nothing while mute", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("play").click();
    await page.getByTestId("tool-listen").click();
    const played = await record(page);
    await press(page, 14, 14);
    await page.waitForTimeout(150);
    const samples = await played();
    const loud = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    expect(loud).toBeGreaterThan(0.4);
    expect(loud).toBeLessThanOrEqual(1);
    expect(rms(samples.subarray(0, 8000))).toBeGreaterThan(4 * rms(samples.subarray(25_000, 33_000)));
    // Bins of the spectrum lie at multiples of 200 * 2 pi / (20 * 0.5) Hz.
    const bin = (200 * 2 * Math.PI) / (20 * 0.5);
    const at = (hz: number) => power(samples.subarray(0, 22_050), hz, 22_050);
    expect(Math.max(at(bin), at(2 * bin), at(3 * bin))).toBeGreaterThan(20 * at(1.5 * bin));
    await page.getByTestId("mute").click();
    const silent = await record(page);
    await page.getByTestId("spot-a").click();
    await page.waitForTimeout(150);
    expect(rms(await silent())).toBe(0);
    await page.getByTestId("spot-b").click();
    await press(page, 50, 30);
    await page.waitForTimeout(100);
    expect(await page.getByTestId("course").locator("path.b").count()).toBe(1);
    await page.context().close();
  });
});

describe("the drum", () => {
  it("rings where it is struck, sounds, and knows how large it is", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("mode-drum").click();
    await page.waitForFunction(
      () => /\d/.test(document.querySelector('[data-testid="heard-area"]')?.textContent ?? ""),
      undefined,
      { timeout: 30_000 },
    );
    await page.getByTestId("drum-square").click();
    await page.waitForFunction(() => document.querySelector('[data-testid="heard-area"]')?.textContent === "…");
    await page.waitForFunction(
      () => /\d/.test(document.querySelector('[data-testid="heard-area"]')?.textContent ?? ""),
      undefined,
      { timeout: 30_000 },
    );
    const [truth, told, square] = await Promise.all(
      ["true-area", "heard-area", "square-area"].map(async (id) => Number.parseInt(await value(page, id), 10)),
    );
    expect(Math.abs(truth / 72 ** 2 - 1)).toBeLessThan(0.02);
    expect(Math.abs(told / 72 ** 2 - 1)).toBeLessThan(0.05);
    expect(Math.abs(square / 72 ** 2 - 1)).toBeLessThan(0.01);
    const still = await picture(page);
    const played = await record(page);
    await press(page, 40, 52, 96);
    await page.waitForTimeout(250);
    expect(await picture(page)).not.toBe(still);
    expect(rms(await played())).toBeGreaterThan(0.01);
    expect(await value(page, "spot-a")).toBe("A: 40, 52");
    const tone = await record(page);
    await page.getByTestId("mode-0").click();
    await page.waitForTimeout(150);
    const samples = await tone();
    // The lowest mode of a square of side 72 rings at 2000 sqrt(2) pi / 72 Hz.
    const hz = (2000 * Math.SQRT2 * Math.PI) / 72;
    expect(power(samples.subarray(0, 22_050), hz, 22_050)).toBeGreaterThan(
      20 * power(samples.subarray(0, 22_050), hz * 1.25, 22_050),
    );
    expect(await page.getByTestId("mode-0").getAttribute("aria-pressed")).toBe("true");
    await page.context().close();
  });

  it("has twins that are pitched alike, and refuses a drawing that is none", async () => {
    const page = await bench.page();
    await heard(page);
    await page.getByTestId("mode-drum").click();
    const pitches: string[][] = [];
    for (const twin of ["drum-twin-1", "drum-twin-2"]) {
      await page.getByTestId(twin).click();
      await page.waitForFunction(() => document.querySelector('[data-testid="mode-11"] span')?.textContent === "–");
      await page.waitForFunction(
        () => /\d/.test(document.querySelector('[data-testid="mode-11"] span')?.textContent ?? ""),
        undefined,
        { timeout: 30_000 },
      );
      pitches.push(await page.locator(".modes-grid span").allTextContents());
    }
    expect(pitches[0]).toEqual(pitches[1]);
    await page.getByTestId("clear").click();
    await page.waitForTimeout(150);
    expect(await value(page, "note")).toMatch(/draw a filled shape/);
    await page.context().close();
  });
});

describe("networks", () => {
  it("changes the network and gives each a drawing that it reads", async () => {
    const page = await bench.page();
    await heard(page);
    await model(page, "mnist");
    expect(await value(page, "says")).toBe("It hears a 3.");
    await model(page, "wires-stack");
    expect(await value(page, "says")).toBe("It hears which wire has the dot, and which do not.");
    expect(await page.locator("[data-testid^=layer-]").count()).toBe(3);
    await page.getByTestId("layer-2").click();
    await page.waitForTimeout(100);
    expect(await value(page, "time")).toBe("0 / 12");
    for (const overlay of ["omega", "alpha", "mask", "none", "waves"]) {
      const before = await picture(page);
      await page.getByTestId(`overlay-${overlay}`).click();
      await page.waitForTimeout(overlay === "mask" ? 700 : 100);
      if (overlay !== "mask") expect(await picture(page)).not.toBe(before);
    }
    const all = await picture(page);
    await page.getByTestId("sheet").selectOption("3");
    await page.waitForTimeout(100);
    expect(await picture(page)).not.toBe(all);
    await page.context().close();
  });

  it("loses its answer when the coupling is cut, says so, and finds it again", async () => {
    const page = await bench.page();
    await heard(page);
    const before = await value(page, "says");
    await page.getByTestId("coupling").click();
    await heard(page);
    expect(await page.getByTestId("coupling").getAttribute("aria-checked")).toBe("false");
    const hint = await value(page, "cut-hint");
    expect(hint).toMatch(/^Cut: no wave travels, .* \d+\s% changed their answer\.$/);
    expect(Number(/(\d+)\s%/.exec(hint)?.[1])).toBeGreaterThan(20);
    expect(await value(page, "live")).toContain("coupling is cut");
    await page.getByTestId("coupling").click();
    await heard(page);
    expect(await value(page, "says")).toBe(before);
    await page.context().close();
  });
});

describe("networks that lie beside the page", () => {
  it("gives one that nobody knows a drawing of its task, and says what is missing of another", async () => {
    const page = await bench.page({}, "licences.txt");
    await page.route("**/models/index.json", (route) => route.fulfill({ json: { models: ["mine", "gone", "../no"] } }));
    await page.route("**/models/mine/*", (route) =>
      route.continue({ url: route.request().url().replace("/mine/", "/wires-stack/") }),
    );
    await page.goto(bench.url);
    await heard(page);
    expect(await value(page, "says")).toMatch(/^It hears .*wire/);
    expect(await page.getByTestId("model").locator("option").allTextContents()).toEqual(["mine", "gone"]);
    const before = bench.faults.length;
    await model(page, "gone");
    expect(await value(page, "note")).toMatch(/There is no network at .*\/gone\/manifest\.json/);
    await vi.waitFor(() => expect(bench.faults.length).toBeGreaterThan(before)); // of the missing file, as it should
    bench.faults.length = before;
    await model(page, "mine");
    expect(await value(page, "says")).toMatch(/^It hears .*wire/);
    await page.context().close();
  });
});

describe("sharing", () => {
  it("opens a link with the same drawing, settings and moment", async () => {
    const page = await bench.page();
    await heard(page);
    await model(page, "wires-stack");
    await page.getByTestId("surprise").click();
    await heard(page);
    await page.getByTestId("overlay-omega").click();
    await page.getByTestId("layer-1").click();
    await page.getByTestId("forward").click();
    await page.mouse.move(5, 5);
    await page.waitForTimeout(150);
    const [shown, says] = [await picture(page), await value(page, "says")];
    await page.getByTestId("share").click();
    const link = await page.getByTestId("link").inputValue();
    expect(link.length).toBeLessThan(2000);
    const other = await bench.page({}, link.slice(bench.url.length));
    await heard(other);
    await other.waitForTimeout(300);
    expect(await value(other, "says")).toBe(says);
    expect(await value(other, "time")).toBe("1 / 12");
    expect(await picture(other)).toBe(shown);
    await other.context().close();
    await page.context().close();
  });

  it("says what is wrong with a bad link and shows a sample", async () => {
    for (const fragment of ["#1.AAAA", "#nonsense", `#1.${"A".repeat(70_000)}`]) {
      const page = await bench.page({}, fragment);
      await heard(page);
      expect(await value(page, "toast")).toMatch(/Here is a sample instead\.$/);
      expect(await value(page, "says")).toMatch(/^It hears/);
      await page.context().close();
    }
  });

  it("saves a film, a picture and a sound, and gives the script", async () => {
    const page = await bench.page({ permissions: ["clipboard-read", "clipboard-write"] });
    await heard(page);
    await page.getByTestId("share").click();
    const save = async (id: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download", { timeout: 30_000 }),
        page.getByTestId(id).click(),
      ]);
      return { name: download.suggestedFilename(), content: readFileSync(await download.path()) };
    };
    const film = await save("save-gif");
    expect(film.name).toBe("drumhead-tetrominoes-fast.gif");
    expect(film.content.subarray(0, 6).toString()).toBe("GIF89a");
    const png = await save("save-png");
    expect(png.content.subarray(1, 4).toString()).toBe("PNG");
    const wav = await save("save-wav");
    expect(wav.content.subarray(0, 4).toString()).toBe("RIFF");
    expect(wav.content.length).toBe(44 + 2 * Math.round(1.5 * 22_050));
    await page.getByTestId("copy-python").click();
    await page.waitForTimeout(100);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("import drumhead");
    console.log(`film of ${film.content.length} bytes`);
    await page.context().close();
  });
});

describe("everybody", () => {
  it("fits phones, draws by touch, and does not scroll while drawing", async () => {
    for (const [width, height] of [
      [360, 640],
      [390, 844],
      [820, 1180],
    ]) {
      const page = await bench.page({
        viewport: { width, height },
        hasTouch: true,
        isMobile: true,
        deviceScaleFactor: 2,
      });
      await heard(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await page.evaluate(() => window.moved)).toBeLessThan(0.02);
      const box = await page.getByTestId("stage").boundingBox();
      expect(box?.width).toBeGreaterThan(width === 820 ? 500 : width - 40);
      await page.getByTestId("clear").tap();
      await page.getByTestId("tool-piece").tap();
      await page.getByTestId("stage").evaluate((canvas) => canvas.scrollIntoView({ block: "center" }));
      await page.touchscreen.tap(...(await at(page, 32, 32)));
      await heard(page);
      expect(await value(page, "says")).toBe("It hears a T.");
      expect(await page.getByTestId("stage").evaluate((canvas) => getComputedStyle(canvas).touchAction)).toBe("none");
      await page.context().close();
    }
  });

  it("does all by keyboard", async () => {
    const page = await bench.page();
    await heard(page);
    await page.keyboard.press("Delete");
    await page.getByTestId("stage").focus();
    await page.keyboard.press("1");
    await page.keyboard.press("Shift+ArrowLeft");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Space");
    await heard(page);
    expect(await value(page, "says")).toBe("It hears a T.");
    await page.keyboard.press("?");
    expect(await page.getByTestId("dialog").isVisible()).toBe(true);
    await page.keyboard.press("Escape");
    expect(await page.getByTestId("dialog").isVisible()).toBe(false);
    await page.keyboard.press("c");
    await heard(page);
    expect(await page.getByTestId("coupling").getAttribute("aria-checked")).toBe("false");
    await page.keyboard.press("d");
    await page.waitForTimeout(100);
    expect(await page.getByTestId("mode-drum").getAttribute("aria-checked")).toBe("true");
    await page.getByTestId("mode-drum").press("ArrowLeft");
    await page.waitForTimeout(100);
    expect(await page.getByTestId("mode-waves").getAttribute("aria-checked")).toBe("true");
    const seen = new Set<string>();
    await page.locator("body").press("Tab");
    for (let i = 0; i < 60; i++) {
      seen.add(await page.evaluate(() => document.activeElement?.getAttribute("data-testid") ?? ""));
      await page.keyboard.press("Tab");
    }
    for (const id of [
      "share",
      "theme",
      "stage",
      "play",
      "scrub",
      "overlay-waves",
      "sheet",
      "model",
      "coupling",
      "mute",
      "spot-b",
      "surprise",
    ])
      expect([...seen]).toContain(id);
    await page.context().close();
  });

  it("rests where motion is unwanted, with the last answer on it", async () => {
    const page = await bench.page({ reducedMotion: "reduce" });
    await heard(page);
    expect(await value(page, "time")).toBe("20 / 20");
    const one = await picture(page);
    await page.waitForTimeout(500);
    expect(await picture(page)).toBe(one);
    await page.context().close();
  });

  it("has nothing that axe finds serious", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await bench.page({ colorScheme });
      await heard(page);
      const check = async (what: string) => {
        await page.evaluate(AXE);
        const found = await page.evaluate(async () => {
          const axe = (
            window as unknown as {
              axe: {
                run(): Promise<{
                  violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
                }>;
              };
            }
          ).axe;
          return (await axe.run()).violations.map(
            ({ id, impact, nodes }) =>
              `${impact} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`,
          );
        });
        expect(found, `${what}, ${colorScheme}`).toEqual([]);
      };
      await check("waves");
      await page.getByTestId("coupling").click();
      await heard(page);
      await check("cut");
      await page.getByTestId("share").click();
      await page.waitForTimeout(200);
      await check("share");
      await page.keyboard.press("Escape");
      await page.getByTestId("help").click();
      await check("keys");
      await page.keyboard.press("Escape");
      await page.getByTestId("mode-drum").click();
      await page.waitForTimeout(2500);
      await check("drum");
      await page.context().close();
    }
  });

  it("asked nothing of the network and met no fault", () => {
    expect(bench.faults).toEqual([]);
  });
});

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
}

/** Power of one frequency. */
function power(samples: Float32Array, hz: number, rate: number): number {
  let [re, im] = [0, 0];
  samples.forEach((one, i) => {
    re += one * Math.cos((2 * Math.PI * hz * i) / rate);
    im += one * Math.sin((2 * Math.PI * hz * i) / rate);
  });
  return (re * re + im * im) / samples.length;
}
