import { existsSync, readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { Engine, useWasm } from "../src/core/engine";
import { parseManifest } from "../src/core/manifest";

const folder = fileURLToPath(new URL("../public/models/", import.meta.url));
const wasm = new URL("../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", import.meta.url);
let ready = false;

/** Open an exported network in Node with the WebAssembly that the page has. */
export async function openModel(name: string): Promise<Engine> {
  if (!existsSync(`${folder}${name}/manifest.json`)) throw new Error(`web/public/models/${name} is missing: run make page-models first`);
  if (!ready) useWasm(new Uint8Array(readFileSync(wasm)).buffer);
  ready = true;
  const read = async (file: string) => new Uint8Array(readFileSync(`${folder}${name}/${file}`));
  return Engine.open(parseManifest(JSON.parse(readFileSync(`${folder}${name}/manifest.json`, "utf8"))), read);
}

/** Bytes that vectors.py packed. */
export function unpack(text: string): Uint8Array {
  return new Uint8Array(inflateSync(Buffer.from(text, "base64")));
}
