import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import type { Field, Hearing, Manifest } from "../types";
import { Engine, useWasm } from "./engine";

/** What the page asks; every question has a number, and one answer. */
export type Question =
  | { id: number; ask: "open"; network: number; base: string; manifest: Manifest }
  | { id: number; ask: "hear"; network: number; image: Field; coupling: number }
  | { id: number; ask: "cancel"; of: number }
  | { id: number; ask: "close"; network: number };
export type Reply = { id: number; hearing?: Hearing; error?: { name: string; message: string } };

useWasm(wasm);
const engines = new Map<number, Engine>();
const cancelled = new Set<number>();
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Question>) => {
  if (data.ask === "cancel") cancelled.add(data.of);
  else queue = queue.then(() => handle(data)); // one thing at a time: onnxruntime runs on this one thread anyway
};

async function handle(question: Exclude<Question, { ask: "cancel" }>): Promise<void> {
  const reply: Reply = { id: question.id };
  const transfer = new Set<ArrayBufferLike>();
  try {
    if (question.ask === "open") {
      engines.set(question.network, await Engine.open(question.manifest, (file) => read(new URL(file, question.base))));
    } else if (question.ask === "close") {
      await engines.get(question.network)?.close();
      engines.delete(question.network);
    } else {
      const engine = engines.get(question.network);
      if (!engine) throw new Error("This network is closed.");
      const gone = () => cancelled.has(question.id);
      reply.hearing = await engine.hear(question.image, question.coupling, gone, breathe);
      for (const array of arrays(reply.hearing)) transfer.add(array.buffer);
    }
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply.error = { name, message };
  }
  cancelled.delete(question.id);
  self.postMessage(reply, { transfer: [...transfer] as ArrayBuffer[] });
}

async function read(url: URL): Promise<Uint8Array> {
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) throw new Error(`${url.pathname} cannot be read (${response?.status ?? "no connection"}).`);
  return new Uint8Array(await response.arrayBuffer());
}

function arrays({ layers, answers }: Hearing): (Float32Array | Uint8Array)[] {
  const fields = layers.flatMap((layer) => [...layer.frames, ...[layer.omega, layer.alpha].filter((one) => one !== undefined)]);
  return [...fields.map((field) => field.data), ...answers.flatMap((one) => [one.labels, one.confidence, one.shares])];
}

// A message channel is the quickest way to let other messages in: timers are slowed to 4 ms after a few.
const { port1, port2 } = new MessageChannel();
let resume = () => {};
port1.onmessage = () => resume();

function breathe(): Promise<void> {
  return new Promise((resolve) => {
    resume = resolve;
    port2.postMessage(null);
  });
}
