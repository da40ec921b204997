// TEMPORARY until networks are exported.
import type { Field, Hearing, Layer, Manifest, Network } from "../types";
const OKABE = ["#f4f4f4", "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#7f3c8d", "#80ba5a", "#a5402d"];
export async function openNetwork(base: string): Promise<Network> {
  await new Promise((r) => setTimeout(r, 300));
  const name = base.split("/").filter(Boolean).at(-1) as string;
  const classes = { tetrominoes: ["background", "I", "O", "T", "S/Z", "J/L"], mnist: ["background", ..."0123456789"], wires: ["background", "wire with the dot", "other wire"] }[name] ?? [];
  const layers = name === "tetrominoes" ? 1 : 3;
  const steps = name === "tetrominoes" ? 20 : 12;
  const stride = name === "tetrominoes" ? 2 : 4;
  const side = name === "mnist" ? 56 : 64;
  const manifest = { name, task: name, classes: classes.map((n, i) => ({ name: n, colour: OKABE[i] })), image: { channels: name === "tetrominoes" ? 3 : 1, size: [side, side] }, layers: [], preset: name } as unknown as Manifest;
  return {
    manifest,
    close() {},
    async hear(image: Field, { coupling = true } = {}): Promise<Hearing> {
      await new Promise((r) => setTimeout(r, 120));
      const n = Math.ceil(image.height / stride), c = name === "tetrominoes" ? 8 : 16;
      const out: Layer[] = [];
      for (let l = 0; l < layers; l++) {
        const frames: Field[] = [];
        let y = new Float32Array(c * n * n), z = new Float32Array(c * n * n);
        for (let k = 0; k < c; k++) for (let i = 0; i < n * n; i++) {
          const r = Math.floor(i / n), q = i % n;
          y[k * n * n + i] = image.data[(k % image.channels) * image.height * image.width + Math.min(image.height - 1, r * stride) * image.width + q * stride] * Math.sin(k + 1 + r * 0.3 * (k % 3));
        }
        frames.push({ data: y, channels: c, height: n, width: n });
        for (let t = 0; t < steps; t++) {
          const y2 = y.slice();
          for (let k = 0; k < c; k++) for (let i = 0; i < n * n; i++) {
            const r = Math.floor(i / n), q = i % n, b = k * n * n;
            let lap = coupling ? -4 * y[b + i] : 0;
            if (coupling) { if (r > 0) lap += y[b + i - n]; if (r < n - 1) lap += y[b + i + n]; if (q > 0) lap += y[b + i - 1]; if (q < n - 1) lap += y[b + i + 1]; }
            z[b + i] = z[b + i] * 0.96 + 0.5 * (lap - (0.05 + 0.1 * k / c) * y[b + i]);
            y2[b + i] = y[b + i] + 0.5 * z[b + i];
          }
          y = y2;
          frames.push({ data: y, channels: c, height: n, width: n });
        }
        out.push({ kind: "stepped", channels: c, steps, dt: 0.5, stride, frames, omega: frames[2], alpha: frames[0] });
      }
      const size = image.height * image.width;
      const answers = Array.from({ length: steps }, (_, t) => {
        const labels = new Uint8Array(size), confidence = new Float32Array(size), shares = new Float32Array(classes.length);
        for (let i = 0; i < size; i++) {
          let m = 0; for (let k = 0; k < image.channels; k++) m = Math.max(m, image.data[k * size + i]);
          const q = i % image.width, r = Math.floor(i / image.width);
          labels[i] = m > 0.2 ? (coupling && t > steps * 0.4 ? 1 + ((q > 32 ? 1 : 0) + (r > 30 ? 2 : 0)) % (classes.length - 1) : 1 + ((q * 7 + r * 3) >> 3) % (classes.length - 1)) : 0;
          confidence[i] = m > 0.2 ? 1 - 0.7 * Math.exp(-t / 6) : 0.98;
          shares[labels[i]] += 1 / size;
        }
        return { step: t + 1, labels, confidence, shares };
      });
      return { width: image.width, height: image.height, layers: out, answers, milliseconds: 12, coupled: coupling };
    },
  };
}
