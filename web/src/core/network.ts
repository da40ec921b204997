import type { Hearing, Network } from "../types";
import { ManifestError, parseManifest } from "./manifest";
import type { Question, Reply } from "./worker";

type Ask = Question extends infer Q ? (Q extends { id: number } ? Omit<Q, "id"> : never) : never;

/** One worker for all networks of the page, so that WebAssembly is compiled once. */
class Line {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, { resolve: (hearing?: Hearing) => void; reject: (error: Error) => void }>();
  private last = 0;
  broken = false;

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<Reply>) => this.settle(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.broken = true;
      this.worker.terminate();
      const message = `The part of the page that runs networks stopped: ${event.message || "it could not be loaded"}.`;
      for (const id of [...this.waiting.keys()]) this.settle({ id, error: { name: "Error", message } });
    };
  }

  ask(question: Ask, transfer: Transferable[] = []): { id: number; reply: Promise<Hearing | undefined> } {
    const id = ++this.last;
    const reply = new Promise<Hearing | undefined>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.worker.postMessage({ ...question, id }, transfer);
    return { id, reply };
  }

  /** Stop waiting for an answer at once; the worker hears of it and stops at its next graph. */
  cancel(id: number, reason: unknown): void {
    const one = this.waiting.get(id);
    if (!one) return;
    this.waiting.delete(id);
    one.reject(reason as Error);
    this.worker.postMessage({ id: 0, ask: "cancel", of: id } satisfies Question);
  }

  private settle({ id, hearing, error }: Reply): void {
    const one = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) one?.reject(Object.assign(new Error(error.message), { name: error.name }));
    else one?.resolve(hearing);
  }
}

let line: Line | null = null;
let opened = 0;

/**
 * Load an exported network.
 *
 * A new `hear` of the same network replaces the one before, which rejects with an AbortError, as it does when its
 * signal fires.
 *
 * @param base the folder that holds manifest.json, relative to the page: "./models/wires-stack/".
 * @throws Error with one sentence: nothing there, a manifest of another version, a damaged graph.
 */
export async function openNetwork(base: string): Promise<Network> {
  const folder = new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
  const url = new URL("manifest.json", folder);
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) throw new Error(`There is no network at ${url.pathname} (${response?.status ?? "no connection"}).`);
  const parsed: unknown = await response.json().catch(() => {
    throw new ManifestError(`${url.pathname} is not JSON.`);
  });
  const manifest = parseManifest(parsed);
  if (!line || line.broken) line = new Line();
  const mine = line;
  const network = ++opened;
  await mine.ask({ ask: "open", network, base: folder.href, manifest }).reply;

  let running: number | null = null;
  let closed = false;
  const drop = (reason: unknown) => {
    if (running !== null) mine.cancel(running, reason);
    running = null;
  };
  return {
    manifest,
    async hear(image, { coupling = true, signal } = {}) {
      signal?.throwIfAborted();
      if (closed) throw new Error("This network is closed.");
      if (mine.broken) throw new Error("The part of the page that runs networks stopped; load the page again.");
      drop(new DOMException("A newer drawing took its place.", "AbortError"));
      const { id, reply } = mine.ask({ ask: "hear", network, image, coupling: coupling ? 1 : 0 });
      running = id;
      const stop = () => mine.cancel(id, signal?.reason);
      signal?.addEventListener("abort", stop, { once: true });
      try {
        return (await reply) as Hearing;
      } finally {
        signal?.removeEventListener("abort", stop);
        if (running === id) running = null;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      drop(new DOMException("The network was closed.", "AbortError"));
      if (!mine.broken) mine.ask({ ask: "close", network }).reply.catch(() => {});
    },
  };
}
