import { readFileSync, mkdirSync } from "node:fs";
import { at, Bench, heard } from "../e2e/browser";
import { encode } from "../src/core/share";
const S = "/tmp/u16/shots"; mkdirSync(S, { recursive: true });
const bench = await Bench.open();
const only = process.argv.slice(2);
const T: Record<string, (p: any) => Promise<void>> = {};
const txt = async (p: any, id: string) => (await p.getByTestId(id).textContent()) ?? "";
const shot = (p: any, n: string) => p.screenshot({ path: `${S}/${n}.png` });
const rnd = (() => { let s = 1; return () => (s = (s * 16807) % 2147483647) / 2147483647; })();
async function scribble(p: any, n: number, steps = 6, side = 64) {
  for (let i = 0; i < n; i++) {
    await p.mouse.move(...(await at(p, rnd() * 60 + 1, rnd() * 60 + 1, side)));
    await p.mouse.down();
    for (let k = 0; k < 3; k++) await p.mouse.move(...(await at(p, rnd() * 60 + 1, rnd() * 60 + 1, side)), { steps });
    await p.mouse.up();
  }
}
T.pen = async (p) => { await p.getByTestId("clear").click(); await scribble(p, 12); await heard(p); console.log(await txt(p, "says"), await txt(p, "sure")); await shot(p, "pen"); 
  await p.getByTestId("tool-eraser").click(); await scribble(p, 3); await p.getByTestId("tool-fill").click(); await p.mouse.click(...(await at(p, 2, 2))); await heard(p); console.log(await txt(p, "says")); await shot(p, "fill"); };
T.empty = async (p) => { for (const m of ["tetrominoes", "mnist", "wires"]) { await p.getByTestId("model").selectOption(m); await heard(p); await p.getByTestId("clear").click(); await heard(p); await p.waitForTimeout(300); console.log(m, await txt(p, "says"), await txt(p, "sure")); await shot(p, `empty-${m}`); } };
T.colour = async (p) => { for (const m of ["tetrominoes"]) { await p.getByTestId("clear").click(); await p.evaluate(async () => { }); 
  const png = await p.evaluate(async () => { const c = document.createElement("canvas"); c.width = c.height = 300; const g = c.getContext("2d")!; for (let i = 0; i < 300; i++) for (let j = 0; j < 300; j += 10) { g.fillStyle = `hsl(${i * 1.2} ${100 - j / 4}% ${30 + j / 8}%)`; g.fillRect(i, j, 1, 10); } return c.toDataURL(); });
  await p.getByTestId("file").setInputFiles({ name: "c.png", mimeType: "image/png", buffer: Buffer.from(png.split(",")[1], "base64") }); await heard(p); console.log(await txt(p, "says")); await shot(p, "colour"); } };
T.files = async (p) => { const f = p.getByTestId("file");
  await f.setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") }); await p.waitForTimeout(300); console.log(await txt(p, "toast")); await shot(p, "text");
  await f.setInputFiles("/tmp/u16/big.png"); await p.waitForTimeout(1500); await heard(p); console.log("big", await txt(p, "says")); await shot(p, "big");
  await f.setInputFiles("/tmp/u16/one.png"); await p.waitForTimeout(300); await heard(p); console.log("1px", await txt(p, "says")); await shot(p, "onepx");
  await f.setInputFiles("/tmp/u16/photo.jpg"); await p.waitForTimeout(300); await heard(p); console.log("photo", await txt(p, "says")); await shot(p, "photo");
  await f.setInputFiles("/tmp/u16/zero.png"); await p.waitForTimeout(300); console.log("zero", await txt(p, "toast"));
  await f.setInputFiles({ name: "s.svg", mimeType: "image/svg+xml", buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><circle r="30" cx="40" cy="40"/></svg>') }); await p.waitForTimeout(300); console.log("svg", await txt(p, "toast"), await p.getByTestId("toast").isVisible()); await heard(p); await shot(p, "svg");
  await p.getByTestId("share").click(); await p.waitForTimeout(300); await shot(p, "share-photo"); };
T.digits = async (p) => { await p.getByTestId("model").selectOption("mnist"); await heard(p); await p.getByTestId("tool-digit").click(); const out = [];
  for (let d = 0; d < 10; d++) for (const [x, y] of [[32, 32], [22, 24], [42, 40]]) { await p.getByTestId("clear").click(); await p.getByTestId(`digit-${d}`).click(); await p.mouse.click(...(await at(p, x, y))); await heard(p); out.push(`${d}@${x},${y}: ${await txt(p, "says")} ${await txt(p, "sure")}`); if (d == 3 && x == 32) await shot(p, "digit3"); }
  console.log(out.join("\n"));
  // by hand with the pen
  await p.getByTestId("tool-pen").click();
  const hand: Record<string, number[][][]> = { "7": [[[18, 14], [44, 14], [28, 52]]], "1": [[[32, 12], [32, 54]]], "4": [[[24, 12], [22, 34], [44, 34]], [[40, 14], [38, 54]]], "0": [[[32, 12], [20, 20], [18, 36], [24, 50], [36, 52], [44, 40], [44, 22], [32, 12]]], "3": [[[20, 14], [40, 14], [42, 26], [28, 32], [42, 38], [42, 50], [20, 52]]], "2": [[[20, 20], [28, 12], [42, 16], [40, 28], [20, 52], [44, 52]]] };
  for (const [d, strokes] of Object.entries(hand)) { await p.getByTestId("clear").click(); for (const s of strokes) { await p.mouse.move(...(await at(p, s[0][0], s[0][1]))); await p.mouse.down(); for (const q of s.slice(1)) await p.mouse.move(...(await at(p, q[0], q[1])), { steps: 8 }); await p.mouse.up(); } await heard(p); console.log("hand", d, await txt(p, "says"), await txt(p, "sure")); if (d == "4") await shot(p, "hand4"); } };
T.wires = async (p) => { await p.getByTestId("model").selectOption("wires"); await heard(p); await p.getByTestId("clear").click(); await p.getByTestId("tool-wire").click(); await p.mouse.click(...(await at(p, 16, 20))); await heard(p); console.log(await txt(p, "says")); await p.mouse.click(...(await at(p, 46, 46))); await heard(p); console.log("two dots:", await txt(p, "says")); await p.getByTestId("scrub").press("End"); await p.waitForTimeout(700); await shot(p, "wires2dots"); await p.getByTestId("coupling").click(); await heard(p); console.log(await txt(p, "says"), await txt(p, "cut-hint")); };
T.cut = async (p) => { await p.getByTestId("coupling").click(); await p.getByTestId("model").selectOption("mnist"); await p.waitForTimeout(20); await p.getByTestId("coupling").click(); await p.getByTestId("coupling").click(); await heard(p); console.log(await txt(p, "says"), await txt(p, "cut-hint")); await p.getByTestId("model").selectOption("wires"); await p.getByTestId("model").selectOption("tetrominoes"); await heard(p); console.log(await txt(p, "says"), await txt(p, "cut-hint")); await p.getByTestId("coupling").click(); await heard(p); console.log(await txt(p, "says")); await shot(p, "cut-end"); };
T.scrub = async (p) => { await p.getByTestId("tool-pen").click(); for (let i = 0; i < 10; i++) { await scribble(p, 1, 2); await p.getByTestId("scrub").press(i % 2 ? "End" : "Home"); await p.getByTestId("forward").click(); } await heard(p); console.log(await txt(p, "time"), await txt(p, "says")); };
T.stale = async (p) => { // draw, and go to the drum at once and back
  await p.getByTestId("clear").click(); await p.keyboard.press("d"); await p.waitForTimeout(400); await p.keyboard.press("d"); await heard(p); console.log("after clear+drum+back:", await txt(p, "says")); await shot(p, "stale"); };
T.midstroke = async (p) => { await p.mouse.move(...(await at(p, 10, 10))); await p.mouse.down(); await p.mouse.move(...(await at(p, 40, 40)), { steps: 4 }); await p.keyboard.press("d"); await p.waitForTimeout(200); await p.mouse.move(...(await at(p, 50, 20)), { steps: 4 }); await p.mouse.up(); await p.waitForTimeout(2000); await shot(p, "midstroke"); console.log(await txt(p, "drum-says")); };
T.drums = async (p) => { await p.getByTestId("mode-drum").click(); await p.waitForTimeout(1500); const b = await p.getByTestId("brush"); 
  await p.getByTestId("clear").click(); await p.waitForTimeout(500); console.log("empty:", await txt(p, "drum-says")); await shot(p, "drum-empty"); await p.getByTestId("strike-again").click(); await p.mouse.click(...(await at(p, 44, 52, 96)));  await p.waitForTimeout(300);
  await p.getByTestId("tool-pen").click(); await p.keyboard.press("["); for (let i = 0; i < 16; i++) await p.keyboard.press("["); await p.mouse.click(...(await at(p, 44, 52, 96))); await p.waitForTimeout(500); console.log("one px:", await txt(p, "drum-says")); await shot(p, "drum-one");
  await p.getByTestId("clear").click(); await p.getByTestId("tool-fill").click(); await p.mouse.click(...(await at(p, 44, 52, 96))); await p.waitForTimeout(300); await p.getByTestId("tool-strike").click(); await p.mouse.click(...(await at(p, 20, 20, 96))); await p.waitForTimeout(6000); console.log("whole:", await txt(p, "drum-says")); await shot(p, "drum-whole");
  await p.getByTestId("clear").click(); await p.getByTestId("tool-shape").click(); await p.mouse.click(...(await at(p, 25, 25, 96))); await p.mouse.click(...(await at(p, 72, 72, 96))); await p.waitForTimeout(3000); await p.getByTestId("tool-strike").click(); await p.mouse.click(...(await at(p, 72, 72, 96))); await p.waitForTimeout(300); console.log("two:", await txt(p, "drum-says"), "|", await txt(p, "toast"), await p.getByTestId("toast").isVisible()); await p.mouse.click(...(await at(p, 25, 25, 96))); await p.waitForTimeout(300); await shot(p, "drum-two"); console.log(await p.getByTestId("note").count(), await p.locator("#note").textContent()); 
  for (let i = 0; i < 6; i++) { await p.getByTestId("surprise").click(); await p.waitForTimeout(80); } await p.waitForTimeout(2500); console.log(await txt(p, "drum-says")); };
T.zmemory = async (p) => { const c = await p.context().newCDPSession(p); await c.send("HeapProfiler.enable"); const m = async () => { await c.send("HeapProfiler.collectGarbage"); return p.evaluate(() => (performance as any).memory.usedJSHeapSize / 1e6); };
  await scribble(p, 5, 2); await heard(p); const a = await m(); await scribble(p, 100, 2); await heard(p); const b = await m(); await scribble(p, 100, 2); await heard(p); console.log("heap MB", a, b, await m()); };
T.resize = async (p) => { for (const [w, h] of [[320, 480]]) { await p.setViewportSize({ width: w, height: h }); await p.waitForTimeout(300); await shot(p, `size-${w}`); const over = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth); console.log(w, h, "overflow", over); } };
T.hidden = async (p) => { const q = await p.context().newPage(); await q.goto(p.url()); await q.waitForTimeout(1500); await p.bringToFront(); await p.waitForTimeout(500); console.log(await txt(p, "time"), await txt(q, "says")); await q.close(); };
T.hold = async (p) => { for (const k of ["c", "c", "c", "c", "c", "c", "c"]) await p.keyboard.press(k); await heard(p); console.log(await txt(p, "says"), await txt(p, "cut-hint")); };
T.forced = async (p) => { await p.emulateMedia({ forcedColors: "active", colorScheme: "dark" }); await p.waitForTimeout(400); await shot(p, "forced"); await p.getByTestId("mode-drum").click(); await p.waitForTimeout(2500); await shot(p, "forced-drum"); };
T.apart = async (p) => { await p.getByTestId("mode-drum").click(); await p.waitForTimeout(1500); await p.getByTestId("clear").click(); await p.getByTestId("tool-shape").click(); await p.mouse.click(...(await at(p, 25, 25, 96))); await p.mouse.click(...(await at(p, 72, 72, 96))); await p.getByTestId("tool-strike").click(); await p.waitForTimeout(300); await p.mouse.click(...(await at(p, 72, 72, 96))); await p.waitForTimeout(300); console.log(await txt(p, "toast")); };
T.shots = async (p) => { await p.getByTestId("overlay-omega").click(); await p.waitForTimeout(300); await shot(p, "omega"); await p.getByTestId("overlay-mask").click(); await p.getByTestId("scrub").press("End"); await p.waitForTimeout(800); await shot(p, "mask"); await p.evaluate(() => document.getElementById("how")?.click()); await p.waitForTimeout(200); await shot(p, "how"); };
const base = { version: 1 as const, mode: "waves" as any, model: "tetrominoes", coupling: true, layer: 0, sheet: "all" as any, overlay: "waves" as any, frame: null as any, speed: 1, spots: [] as any };
const links: Record<string, any> = {
  big: { ...base, width: 512, height: 512, channels: 3, image: new Uint8Array(512 * 512 * 3).fill(200) , spots: [{ y: 500, x: 500 }, { y: 2, x: 511 }], frame: 7 },
  one: { ...base, width: 1, height: 1, channels: 3, image: new Uint8Array(3).fill(200), spots: [{ y: 0, x: 0 }], frame: 3 },
  thin: { ...base, width: 512, height: 3, channels: 3, image: new Uint8Array(512 * 9).fill(200), frame: 3 },
  wrong: { ...base, model: "wires", width: 512, height: 512, channels: 3, image: new Uint8Array(512 * 512 * 3).fill(200), spots: [{ y: 500, x: 500 }, { y: 499, x: 3 }], sheet: 4095, speed: 37, layer: 99, frame: 10000 },
  wiresbig: { ...base, model: "wires", width: 512, height: 512, channels: 1, image: new Uint8Array(512 * 512).fill(200), spots: [{ y: 500, x: 500 }] },
  drum512: { ...base, mode: "drum", width: 512, height: 512, channels: 3, image: new Uint8Array(512 * 512 * 3).fill(200), spots: [{ y: 500, x: 500 }] },
  drumthin: { ...base, mode: "drum", width: 512, height: 12, channels: 1, image: new Uint8Array(512 * 12).fill(200), spots: [{ y: 5, x: 500 }] },
  drum1: { ...base, mode: "drum", width: 1, height: 512, channels: 1, image: new Uint8Array(512).fill(200), spots: [{ y: 500, x: 0 }] },
  odd: { ...base, width: 61, height: 47, channels: 3, image: Uint8Array.from({ length: 61 * 47 * 3 }, (_, i) => (i % 61 > 20 && i % 61 < 40 ? 220 : 0)), spots: [{ y: 20, x: 30 }] },
  speed: { ...base, width: 64, height: 64, channels: 3, image: new Uint8Array(64 * 64 * 3), speed: 0.01, sheet: 77, spots: [{ y: 63, x: 63 }] },
};
for (const [n, l] of Object.entries(links)) T[`link-${n}`] = Object.assign(async (p: any) => { try { await heard(p); } catch { console.log("NOT HEARD in 30 s"); } await p.waitForTimeout(l.mode === "drum" ? 3000 : 500); console.log(n, await p.getByTestId("says").textContent(), "|", await p.locator("#note").textContent(), "|", l.mode === "drum" ? await txt(p, "drum-says") : await txt(p, "time"), "| sheet", await p.getByTestId("sheet").inputValue(), "speed", await p.getByTestId("speed").inputValue()); await shot(p, `link-${n}`); await p.getByTestId("share").click(); await p.waitForTimeout(500); console.log("share opens", await p.getByTestId("link").count()); }, { link: l });
T["link-bad"] = Object.assign(async (p: any) => { await heard(p); console.log(await txt(p, "toast")); await shot(p, "link-bad"); }, { hash: "#1.<script>alert(1)</script>" });
for (const [name, act] of Object.entries(T)) {
  if (only.length && !only.some((o) => name.startsWith(o))) continue;
  console.log(`--- ${name}`);
  const k = bench.faults.length, t0 = Date.now();
  try {
    const a = act as any;
    const hash = a.link ? "#" + (await encode(a.link)) : a.hash ?? "";
    const page = await bench.page({}, hash);
    if (!hash) await heard(page);
    await act(page);
    await page.context().close();
  } catch (e) { console.log("THREW", String(e).slice(0, 600)); }
  if (bench.faults.length > k) console.log("FAULTS", bench.faults.slice(k));
  console.log(`${Date.now() - t0} ms`);
}
await bench.close();
