import { writeFileSync } from "node:fs";
import { Bench, heard } from "../e2e/browser";
const bench = await Bench.open();
for (const [model, scheme] of [["tetrominoes","light"],["wires","light"],["mnist","dark"],["drum","light"]] as const) {
  const page = await bench.page({ colorScheme: scheme, acceptDownloads: true });
  await heard(page);
  if (model === "drum") { await page.getByTestId("mode-drum").click(); await page.waitForTimeout(3000); }
  else { await page.getByTestId("model").selectOption(model); await heard(page); }
  await page.getByTestId("share").click();
  const wait = page.waitForEvent("download", { timeout: 120000 });
  const t = Date.now();
  await page.getByTestId("save-gif").click();
  const d = await wait;
  await d.saveAs(`/tmp/u16/film-${model}.gif`);
  console.log(model, Date.now() - t, "ms");
  await page.context().close();
}
await bench.close();
