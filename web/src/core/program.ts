import type { Answer, Field, Graph, Hearing, Layer, LayerGraphs, Manifest } from "../types";

/** What goes into a graph and comes out of it. */
export interface Tensor {
  readonly data: Float32Array | Int32Array;
  readonly dims: readonly number[];
}

/** A graph that is ready to run: inputs by name, outputs in the order of the manifest, as ONNX has other names for them. */
export type Run = (feeds: Record<string, Tensor>) => Promise<readonly Tensor[]>;

/** The hearing was given up; nobody waits for it any more. */
export class Cancelled extends Error {
  override name = "AbortError";
}

/** The network cannot hear this image; the message says why in one sentence. */
export class HearError extends Error {
  override name = "HearError";
}

const MOST_BYTES = 700e6; // of frames and answers that are kept: more, and phones close the page
const MOST_SIDE = 1024;

/**
 * Run the program of a manifest for one image and keep all frames, and an answer after every step of the last layer.
 *
 * @param manifest the program.
 * @param runs the graphs by file name.
 * @param image (channels, height, width) in [0, 1].
 * @param coupling 1 lets the waves run, 0 cuts the coupling.
 * @param pause is awaited between graphs; it rejects where the hearing was cancelled.
 * @param now a clock in milliseconds.
 * @returns everything; `answers[i].step` is the number of the frame that it belongs to (0 without waves).
 */
export async function hearImage(
  manifest: Manifest,
  runs: ReadonlyMap<string, Run>,
  image: Field,
  coupling: number,
  pause: () => Promise<void>,
  now: () => number = () => performance.now(),
): Promise<Hearing> {
  check(manifest, image);
  const began = now();
  const { height, width } = image;
  const environment = new Map<string, Tensor>([
    ["image", { data: image.data, dims: [1, image.channels, height, width] }],
    ["coupling", scalar(coupling)],
  ]);
  const give = async (graph: Graph, into: Map<string, Tensor>) => {
    await pause();
    const run = runs.get(graph.file);
    if (!run) throw new HearError(`The graph ${graph.file} is not loaded.`);
    const feeds: Record<string, Tensor> = {};
    for (const name of graph.inputs) {
      const tensor = into.get(name);
      if (!tensor) throw new HearError(`The graph ${graph.file} reads "${name}", which nothing before it gives.`);
      feeds[name] = tensor;
    }
    const found = await run(feeds);
    if (found.length !== graph.outputs.length) {
      throw new HearError(`The graph ${graph.file} gives ${found.length} tensors and the manifest says ${graph.outputs.length}.`);
    }
    graph.outputs.forEach((name, i) => into.set(name, found[i]));
  };

  const answers: Answer[] = [];
  const layers: Layer[] = [];
  const answer = async (tell: Graph | null, end: Graph, step: number) => {
    const aside = new Map(environment); // what would be said now changes nothing for later
    if (tell) await give(tell, aside);
    await give(end, aside);
    answers.push(decide(aside.get("logits"), step, height, width));
  };
  if (!manifest.layers.length) {
    await give(manifest.whole, environment);
    answers.push(decide(environment.get("logits"), 0, height, width));
  }
  if (manifest.begin && manifest.layers.length) await give(manifest.begin, environment);
  for (const [index, layer] of manifest.layers.entries()) {
    const last = index === manifest.layers.length - 1;
    const after = last && manifest.end ? (step: number) => answer(layer.tell, manifest.end as Graph, step) : null;
    layers.push(await runLayer(layer, environment, give, after));
    if (layer.tell && !last) await give(layer.tell, environment);
  }
  return { width, height, layers, answers, milliseconds: now() - began, coupled: coupling !== 0 };
}

async function runLayer(
  layer: LayerGraphs,
  environment: Map<string, Tensor>,
  give: (graph: Graph, into: Map<string, Tensor>) => Promise<void>,
  after: ((step: number) => Promise<void>) | null,
): Promise<Layer> {
  const { kind, channels, steps, dt, stride, hear } = layer;
  await give(layer.medium, environment);
  const frames: Field[] = [];
  if (kind === "closed") {
    const start = environment.get("y0");
    if (start) frames.push(field(start));
    for (let t = 1; t <= steps; t++) {
      environment.set("time", scalar(t * dt));
      await give(layer.at, environment);
      frames.push(field(environment.get("y")));
    }
    if (hear) await give(hear, environment);
    await after?.(steps); // all times are heard at once, so there is one answer
  } else {
    frames.push(field(environment.get("y")));
    for (let t = 0; t < steps; t++) {
      environment.set("first", scalar(t === 0 ? 1 : 0));
      environment.set("step", { data: Int32Array.of(t), dims: [] });
      await give(layer.step, environment);
      frames.push(field(environment.get("y")));
      if (hear) await give(hear, environment);
      await after?.(t + 1);
    }
  }
  const kept: Layer = { kind, channels, steps, dt, stride, frames };
  if (layer.medium.outputs.includes("omega")) kept.omega = field(environment.get("omega"));
  if (layer.medium.outputs.includes("alpha")) kept.alpha = field(environment.get("alpha"));
  return kept;
}

/** Turn logits (1, n, y, x) into an answer. */
export function decide(logits: Tensor | undefined, step: number, height: number, width: number): Answer {
  const size = height * width;
  const classes = logits?.dims[1] ?? 0;
  const dims = logits?.dims.join(" x ") ?? "nothing";
  if (!logits || logits.data.length !== classes * size) {
    throw new HearError(`The network answered ${dims} for an image of ${height} x ${width} pixels.`);
  }
  const { data } = logits;
  const labels = new Uint8Array(size);
  const confidence = new Float32Array(size);
  const shares = new Float32Array(classes);
  for (let i = 0; i < size; i++) {
    let best = 0;
    for (let n = 1; n < classes; n++) if (data[n * size + i] > data[best * size + i]) best = n;
    let total = 0;
    for (let n = 0; n < classes; n++) total += Math.exp(data[n * size + i] - data[best * size + i]);
    if (!Number.isFinite(total)) throw new HearError("The network answered with numbers that are not finite.");
    labels[i] = best;
    confidence[i] = 1 / total;
    shares[best]++;
  }
  for (let n = 0; n < classes; n++) shares[n] /= size;
  return { step, labels, confidence, shares };
}

function field(tensor: Tensor | undefined): Field {
  if (!tensor || tensor.dims.length !== 4) throw new HearError("A layer gave no waves of the shape (1, c, y, x).");
  const [, channels, height, width] = tensor.dims;
  return { data: tensor.data as Float32Array, channels, height, width };
}

function scalar(value: number): Tensor {
  return { data: Float32Array.of(value), dims: [] };
}

function check(manifest: Manifest, image: Field): void {
  const { channels, height, width, data } = image;
  if (channels !== manifest.image.channels) {
    throw new HearError(`The image has ${channels} channels and this network sees ${manifest.image.channels}.`);
  }
  const fits = [height, width].every((side) => Number.isInteger(side) && side >= 1 && side <= MOST_SIDE);
  if (!fits || data.length !== channels * height * width) {
    throw new HearError(`The image is ${height} x ${width} pixels with ${data.length} numbers; sides from 1 to ${MOST_SIDE} fit.`);
  }
  const frames = manifest.layers.reduce((sum, one) => {
    return sum + (one.steps + 3) * one.channels * Math.ceil(height / one.stride) * Math.ceil(width / one.stride) * 4;
  }, 0);
  const told = (manifest.layers.at(-1)?.steps ?? 1) * height * width * 5;
  if (frames + told > MOST_BYTES) {
    const megabytes = Math.round((frames + told) / 1e6);
    throw new HearError(`All waves on ${height} x ${width} pixels would take ${megabytes} MB; take a smaller image.`);
  }
}
