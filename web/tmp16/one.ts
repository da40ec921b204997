
import { Bench, heard } from "../e2e/browser";
const bench = await Bench.open();
let p = await bench.page({ viewport: { width: 320, height: 480 } });
await heard(p);
console.log(await p.evaluate(() => [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => `${e.tagName}.${e.className}#${e.id} ${Math.round(e.getBoundingClientRect().left)}-${Math.round(e.getBoundingClientRect().right)}`).slice(0, 12)), await p.evaluate(() => getComputedStyle(document.querySelector(".modes button")!).padding));
p = await bench.page({ forcedColors: "active", colorScheme: "dark" });
await heard(p); await p.waitForTimeout(400); await p.screenshot({ path: "/tmp/u16/shots/forced.png" });
await p.getByTestId("tool-eraser").click(); await p.getByTestId("coupling").click(); await p.waitForTimeout(800); await p.emulateMedia({ forcedColors: "active", colorScheme: "light" }); await p.waitForTimeout(500); await p.screenshot({ path: "/tmp/u16/shots/forced-light.png" });
await bench.close();
