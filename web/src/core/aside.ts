import type { Membrane } from "./drum";
import type { Modes } from "./modes";
import type { ModesQuestion, ModesReply } from "./modes-worker";

let worker: Worker | null = null;
let giveUp: ((reason: Error) => void) | null = null;
let last = 0;

/**
 * The lowest modes of a membrane, found in a worker so that the page goes on meanwhile (a second for the largest drum).
 *
 * @throws DOMException an AbortError where a newer call took its place.
 */
export function modesAside(membrane: Membrane, count = 40): Promise<Modes> {
  if (giveUp) {
    giveUp(new DOMException("A newer drum took its place.", "AbortError"));
    worker?.terminate(); // it is in the middle of a long sum, and hears no message
    worker = null;
  }
  worker ??= new Worker(new URL("./modes-worker.ts", import.meta.url), { type: "module" });
  const id = ++last;
  const mine = worker;
  return new Promise<Modes>((resolve, reject) => {
    giveUp = reject;
    mine.onmessage = ({ data }: MessageEvent<ModesReply>) => {
      if (data.id !== id) return;
      giveUp = null;
      resolve(data.modes);
    };
    mine.onerror = (event) => {
      event.preventDefault();
      giveUp = worker = null;
      reject(new Error(`The modes could not be found: ${event.message || "the worker could not be loaded"}.`));
    };
    mine.postMessage({ id, cells: membrane.cells, count } satisfies ModesQuestion);
  });
}
