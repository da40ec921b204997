import * as ort from "onnxruntime-web/wasm";
import type { Field, Hearing, Manifest } from "../types";
import { graphs } from "./manifest";
import { Cancelled, HearError, hearImage, type Run, type Tensor } from "./program";

/** Tell onnxruntime where its one WebAssembly file is; before the first network is opened. */
export function useWasm(source: string | ArrayBuffer): void {
  ort.env.wasm.numThreads = 1; // more need headers that not every static host sends
  ort.env.wasm.proxy = false;
  ort.env.logLevel = "error";
  if (typeof source === "string") ort.env.wasm.wasmPaths = { wasm: source };
  else ort.env.wasm.wasmBinary = source;
}

/** The graphs of one network in memory. */
export class Engine {
  private constructor(
    readonly manifest: Manifest,
    private readonly sessions: Map<string, ort.InferenceSession>,
  ) {}

  /**
   * Load all graphs that hearing needs.
   *
   * @param read gives the bytes of a file beside the manifest.
   */
  static async open(manifest: Manifest, read: (file: string) => Promise<Uint8Array>): Promise<Engine> {
    const files = [...new Set(graphs(manifest).map((graph) => graph.file))];
    const contents = await Promise.all(files.map(read));
    const sessions = new Map<string, ort.InferenceSession>();
    for (const [index, file] of files.entries()) {
      const bytes = contents[index];
      if (bytes.length !== manifest.files[file].bytes) {
        throw new HearError(`${file} has ${bytes.length} bytes and the manifest says ${manifest.files[file].bytes}: export the network again.`);
      }
      try {
        sessions.set(file, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" }));
      } catch (error) {
        throw new HearError(`${file} could not be opened: ${firstLine(error)}`);
      }
    }
    return new Engine(manifest, sessions);
  }

  /** Hear one image; `cancelled` is asked between graphs, and `breathe` lets messages come in. */
  async hear(image: Field, coupling: number, cancelled: () => boolean, breathe: () => Promise<void>): Promise<Hearing> {
    let last = performance.now();
    const pause = async () => {
      if (performance.now() - last > 12) {
        await breathe();
        last = performance.now();
      }
      if (cancelled()) throw new Cancelled("Cancelled.");
    };
    const runs = new Map([...this.sessions].map(([file, session]) => [file, run(file, session)]));
    return hearImage(this.manifest, runs, image, coupling, pause);
  }

  async close(): Promise<void> {
    for (const session of this.sessions.values()) await session.release();
    this.sessions.clear();
  }
}

function run(file: string, session: ort.InferenceSession): Run {
  return async (feeds) => {
    const given: Record<string, ort.Tensor> = {};
    for (const [name, { data, dims }] of Object.entries(feeds)) {
      const type = data instanceof Int32Array ? "int32" : "float32";
      given[name] = new ort.Tensor(type, data as Float32Array, dims);
    }
    try {
      const found = await session.run(given);
      return session.outputNames.map((name) => found[name] as unknown as Tensor);
    } catch (error) {
      throw new HearError(`${file} could not be run: ${firstLine(error)}`);
    }
  };
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0].slice(0, 300);
}
