import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { serve } from "./server";

declare global {
  interface Window {
    /** How much has moved on the page without being asked, as browsers count it. */
    moved: number;
  }
}

export const PAGE = fileURLToPath(new URL("../../src/drumhead/page", import.meta.url));
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A built page on a server of its own, in Debian's Chromium. */
export class Bench {
  /** What went wrong in any page: errors, refusals by the policy, requests to elsewhere. */
  readonly faults: string[] = [];

  private constructor(
    readonly url: string,
    private readonly browser: Browser,
    private readonly stop: () => void,
  ) {}

  static async open(): Promise<Bench> {
    const { url, server } = await serve(PAGE);
    const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    return new Bench(url, browser, () => server.close());
  }

  /** A page in a browser that knows nothing of the others. */
  async page(options: BrowserContextOptions = {}, path = ""): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width: 1280, height: 800 },
      colorScheme: "light",
      ...options,
    });
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.moved = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[]) window.moved += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    page.on("console", (message) => {
      const { url } = message.location();
      if (url.endsWith("/favicon.ico")) return; // a bare text file has no icon, and the browser asks for one
      if (["error", "warning"].includes(message.type())) this.faults.push(`${message.text()} (${url})`);
    });
    page.on("pageerror", (error) => this.faults.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(this.url) && !/^(blob|data):/.test(request.url()))
        this.faults.push(`asked for ${request.url()}`);
    });
    await page.goto(this.url + path);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.stop();
  }
}

/** Wait until the present drawing has been heard. */
export async function heard(page: Page): Promise<void> {
  await page.waitForTimeout(220); // a stroke is heard a moment after its end
  await page.waitForFunction(() => document.documentElement.dataset["busy"] === "false", undefined, {
    timeout: 30_000,
  });
  await page.waitForTimeout(60);
}

/** The place of a pixel of the drawing on the screen. */
export async function at(page: Page, x: number, y: number, side = 64): Promise<[number, number]> {
  const box = await page.getByTestId("stage").boundingBox();
  if (!box) throw new Error("the stage is not to be seen");
  return [box.x + ((x + 0.5) / side) * box.width, box.y + ((y + 0.5) / side) * box.height];
}

/** Click a pixel of the drawing. */
export async function press(page: Page, x: number, y: number, side = 64): Promise<void> {
  await page.mouse.click(...(await at(page, x, y, side)));
}

/** The stage as one string, which any change of the picture changes. */
export function picture(page: Page): Promise<string> {
  return page.getByTestId("stage").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
}

/** The share of all pixels that got a class. */
export async function share(page: Page, name: string): Promise<number> {
  return Number(await page.locator(`[data-class="${name}"]`).getAttribute("data-share"));
}

/** Let sounds go into an offline context of so many seconds instead of the loudspeaker. */
export async function record(page: Page, seconds = 2): Promise<() => Promise<Float32Array>> {
  await page.evaluate((s) => (window.drumheadSpeaker = new OfflineAudioContext(1, s * 22_050, 22_050)), seconds);
  return async () => {
    const samples = await page.evaluate(async () => {
      const context = window.drumheadSpeaker as OfflineAudioContext;
      const buffer = await context.startRendering();
      return [...buffer.getChannelData(0)];
    });
    return Float32Array.from(samples);
  };
}
