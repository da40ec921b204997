import * as ort from "onnxruntime-web/wasm";
import { readFileSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import { openModel } from "./models";

// The equation once more, from first principles: y'' = tanh(W * y) - omega y - alpha y' on a grid whose rim is fixed.
const [C, H, W, DT] = [16, 9, 11, 0.5];
const file = new URL("../public/models/wires-stack/layer-0-step.onnx", import.meta.url);
let session: ort.InferenceSession;
let kernel: number[][]; // of each sheet, the pull of nine neighbours: read from answers to single impulses

type Grids = Float32Array<ArrayBuffer>; // (c, y, x)
async function graph(y: Grids, z: Grids, omega: Grids, alpha: Grids, first: number, coupling: number): Promise<Grids[]> {
  const grid = (data: Grids) => new ort.Tensor("float32", data, [1, C, H, W]);
  const scalar = (value: number) => new ort.Tensor("float32", Float32Array.of(value), []);
  const found = await session.run({
    y: grid(y), z: grid(z), omega: grid(omega), alpha: grid(alpha), first: scalar(first), coupling: scalar(coupling),
  });
  return session.outputNames.map((name) => found[name].data as Grids);
}

/** Velocity Verlet, as the library has it: half a kick at first, then whole ones; damping as an exact decay. */
function step(y: Grids, z: Grids, omega: Grids, alpha: Grids, first: boolean, coupling: number): Grids[] {
  const [newY, newZ] = [y.slice(), z.slice()];
  for (let c = 0; c < C; c++)
    for (let i = 0; i < H; i++)
      for (let j = 0; j < W; j++) {
        const at = (c * H + i) * W + j;
        let pull = 0;
        for (let a = -1; a <= 1; a++)
          for (let b = -1; b <= 1; b++)
            if (i + a >= 0 && i + a < H && j + b >= 0 && j + b < W) pull += kernel[c][3 * (a + 1) + b + 1] * y[at + a * W + b];
        const force = Math.tanh(coupling * pull) - omega[at] * y[at];
        const decay = Math.exp(-DT * alpha[at]);
        newZ[at] = first ? Math.sqrt(decay) * z[at] + (DT / 2) * force : decay * z[at] + (DT / 2) * (1 + decay) * force;
        newY[at] = y[at] + DT * newZ[at];
      }
  return [newY, newZ];
}

const filled = (of: (i: number) => number) => Float32Array.from({ length: C * H * W }, (_, i) => of(i));
const noise = (i: number) => (((Math.imul(i + 1, 2654435761) ^ (i << 7)) >>> 8) % 1000) / 500 - 1;

beforeAll(async () => {
  await (await openModel("wires-stack")).close();
  session = await ort.InferenceSession.create(new Uint8Array(readFileSync(file)));
  const zero = filled(() => 0);
  const middle = (i: number) => i % (H * W) === 4 * W + 5;
  const [, z] = await graph(filled((i) => (middle(i) ? 0.5 : 0)), zero, zero, zero, 0, 1);
  kernel = Array.from({ length: C }, (_, c) =>
    Array.from({ length: 9 }, (_, k) => {
      const [a, b] = [Math.floor(k / 3) - 1, (k % 3) - 1]; // a neighbour down and right feels the kernel's entry up and left
      return Math.atanh(z[(c * H + 4 - a) * W + 5 - b] / DT) / 0.5;
    }),
  );
});

it.each([[1, 1], [1, 0], [0, 1], [0, 0]])("coupling %i, first %i: the exported step is the wave equation", async (coupling, first) => {
  const [y, z] = [filled((i) => noise(i)), filled((i) => noise(i + 5000))];
  const [omega, alpha] = [filled((i) => 1 + noise(i + 9000)), filled((i) => 0.5 + 0.5 * noise(i + 20000))];
  const got = await graph(y, z, omega, alpha, first, coupling);
  step(y, z, omega, alpha, first === 1, coupling).forEach((want, k) => {
    const largest = want.reduce((most, value, i) => Math.max(most, Math.abs(value - got[k][i])), 0);
    expect(largest).toBeLessThan(3e-6);
  });
});

it("coupling carries a pulse exactly one pixel a step", async () => {
  let [y, z] = [filled((i) => (i === 4 * W + 1 ? 1 : 0)), filled(() => 0)];
  const still = filled(() => 0);
  for (let t = 1; t <= 5; t++) {
    [y, z] = await graph(y, z, still, still, t === 1 ? 1 : 0, 1);
    const reach = [...y.keys()].filter((i) => y[i] !== 0).map((i) => Math.max(Math.abs(Math.floor(i / W) - 4), Math.abs((i % W) - 1)));
    expect(Math.max(...reach)).toBe(t);
  }
});
