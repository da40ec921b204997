import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {} from "./page"; // `core`, on the page

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

// The worker, its messages and its WebAssembly exist in browsers only.
describe.skipIf(!existsSync(executablePath))("in a browser", { timeout: 120_000 }, () => {
  let server: ViteDevServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const root = fileURLToPath(new URL("..", import.meta.url));
    server = await createServer({ root, logLevel: "error", server: { port: 0, host: "127.0.0.1", hmr: false }, cacheDir: "node_modules/.vite-test" });
    await server.listen();
    browser = await chromium.launch({ executablePath, args });
    page = await browser.newPage();
    await page.goto(`${server.resolvedUrls!.local[0]}test/page.html`);
    await page.waitForFunction(() => "core" in globalThis);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it("a network hears an image in a worker, again and again", async () => {
    for (const name of ["tetrominoes-fast", "mnist", "wires-stack"]) {
      const found = await page.evaluate(async (name) => {
        const began = performance.now();
        const network = await core.openNetwork(`../models/${name}`);
        const opened = performance.now() - began;
        const [height, width] = network.manifest.image.size!;
        const channels = network.manifest.image.channels;
        const times: number[] = [];
        let shape = "";
        for (let turn = 0; turn < 4; turn++) {
          const data = Float32Array.from({ length: channels * height * width }, (_, i) => ((i * 7) % 11 < 3 ? 0.8 : 0));
          const { milliseconds, layers, answers } = await network.hear({ data, channels, height, width });
          times.push(Math.round(milliseconds));
          shape = `${layers.length} layers, ${layers[0].frames.length} frames, ${answers.length} answers, ${answers[0].labels.length}`;
        }
        network.close();
        return { opened: Math.round(opened), times, shape, pixels: height * width };
      }, name);
      console.log(`${name}: opened in ${found.opened} ms, heard in ${found.times.join(", ")} ms; ${found.shape}`);
      expect(found.shape).toContain(`, ${found.pixels}`);
    }
  });

  it("a newer request replaces an older one, a signal and close stop at once", async () => {
    const said = await page.evaluate(async () => {
      const network = await core.openNetwork("../models/wires-stack/");
      const image = { data: new Float32Array(64 * 64), channels: 1, height: 64, width: 64 };
      const outcome = (one: Promise<unknown>) => one.then(() => "heard", (error: Error) => `${error.name}: ${error.message}`);
      const first = outcome(network.hear(image));
      const second = outcome(network.hear(image, { coupling: false }));
      const replaced = [await first, await second];
      // So large that no machine has heard it before it is given up.
      const large = { data: new Float32Array(512 * 512), channels: 1, height: 512, width: 512 };
      const controller = new AbortController();
      const third = outcome(network.hear(large, { signal: controller.signal }));
      await new Promise((resolve) => setTimeout(resolve, 30));
      const began = performance.now();
      controller.abort();
      const aborted = await third;
      const took = performance.now() - began;
      const early = await outcome(network.hear(image, { signal: AbortSignal.abort() }));
      const again = await outcome(network.hear(image));
      const wrong = await outcome(network.hear({ ...image, channels: 3 }));
      const last = outcome(network.hear(image));
      network.close();
      return { replaced, aborted, took, early, again, wrong, last: await last, closed: await outcome(network.hear(image)) };
    });
    expect(said.replaced[0]).toMatch(/^AbortError: A newer drawing/);
    expect(said.replaced[1]).toBe("heard");
    expect(said.aborted).toMatch(/^AbortError/);
    expect(said.took).toBeLessThan(50);
    expect(said.early).toMatch(/^AbortError/);
    expect(said.again).toBe("heard");
    expect(said.wrong).toBe("HearError: The image has 3 channels and this network sees 1.");
    expect(said.last).toMatch(/^AbortError/);
    expect(said.closed).toBe("Error: This network is closed.");
  });

  it("what is not there, or damaged, is said in a sentence", async () => {
    await page.route("**/models/damaged/**", (route) => {
      const manifest = route.request().url().endsWith("manifest.json");
      return manifest ? route.fulfill({ json: { format: "drumhead-export", version: 7 } }) : route.abort();
    });
    await page.route("**/models/cut/*.onnx", (route) => route.fulfill({ body: "short" }));
    await page.route("**/models/cut/manifest.json", async (route) => {
      route.fulfill({ response: await route.fetch({ url: route.request().url().replace("/cut/", "/wires-stack/") }) });
    });
    await page.route("**/models/none/**", (route) => route.fulfill({ status: 404, body: "" }));
    const said = await page.evaluate(async () => {
      const failure = (name: string) => core.openNetwork(`../models/${name}`).then(() => "opened", (error: Error) => error.message);
      return [await failure("none"), await failure("damaged"), await failure("cut")];
    });
    expect(said[0]).toBe("There is no network at /models/none/manifest.json (404).");
    expect(said[1]).toBe("manifest.json: version is 7 and this page reads version 1: export the network again.");
    expect(said[2]).toMatch(/^begin\.onnx has 5 bytes and the manifest says \d+: export the network again\.$/);
  });

  it("the modes of a drum come from a worker of their own, and are given up for newer ones", async () => {
    const found = await page.evaluate(async () => {
      const { drum, modesAside } = core;
      const membrane = drum.membraneOf(new Uint8Array(64 * 64).fill(1), 64, 64);
      const first = modesAside(membrane).then(() => "found", (error: Error) => error.name);
      const began = performance.now();
      const modes = await modesAside(membrane, 40);
      const took = performance.now() - began;
      const here = drum.modesOf(membrane, 40);
      return { first: await first, took: Math.round(took), off: Math.max(...here.values.map((value, k) => Math.abs(value - modes.values[k]))), shapes: modes.shapes.length };
    });
    console.log(`40 modes of 64 x 64 cells in a worker: ${found.took} ms`);
    expect(found.first).toBe("AbortError");
    expect(found.off).toBe(0);
    expect(found.shapes).toBe(40);
  });

  it("a struck drum is played as it was computed", async () => {
    const off = await page.evaluate(async () => {
      const { drum, play, RATE } = core;
      const membrane = drum.membraneOf(new Uint8Array(20 * 30).fill(1), 20, 30);
      const modes = drum.modesOf(membrane, 20);
      const { y, x } = drum.middle(membrane);
      const samples = drum.drumTone(modes, drum.strike(modes, y, x), y, x);
      const context = new OfflineAudioContext(1, samples.length, RATE);
      play(samples, RATE, context);
      const heard = (await context.startRendering()).getChannelData(0);
      return samples.reduce((most, value, i) => Math.max(most, Math.abs(value - heard[i])), samples.length === 0 ? 1 : 0);
    });
    expect(off).toBeLessThan(1e-6);
  });
});
