
import { readFileSync } from "node:fs";
import { gif } from "../src/core/gif";
for (const m of ["tetrominoes", "wires", "mnist", "drum"]) {
  const raw = readFileSync(`/tmp/u16/${m}.rgba`); const n = raw.length / (320 * 320 * 4);
  const frames = Array.from({ length: n }, (_, k) => ({ width: 320, height: 320, data: new Uint8Array(raw.buffer, raw.byteOffset + k * 409600, 409600) }));
  for (let k = 1; k < n; k++) if (Buffer.compare(frames[k].data, frames[k - 1].data) === 0) frames[k] = frames[k - 1];
  const t = Date.now(); console.log(m, n, gif(frames, 70).length, Date.now() - t, "ms");
}
