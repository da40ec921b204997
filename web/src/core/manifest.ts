import type { ClassInfo, Graph, LayerGraphs, Manifest } from "../types";

/** A manifest that this page cannot run; the message says why in one sentence. */
export class ManifestError extends Error {
  override name = "ManifestError";
}

type Entry = Record<string, unknown>;
const KINDS = ["stepped", "cell", "closed"];
const MOST_STEPS = 10_000;

/**
 * Check what `drumhead export` wrote into manifest.json.
 *
 * @param value the parsed JSON.
 * @returns the same value, known to be complete; parts that it does not have are null.
 * @throws ManifestError if it is no manifest, of another version, or lacks something.
 */
export function parseManifest(value: unknown): Manifest {
  const entry = object(value, "the manifest");
  if (entry["format"] !== "drumhead-export") fail(`format is ${show(entry["format"])}, and "drumhead-export" is needed`);
  if (entry["version"] !== 1) {
    fail(`version is ${show(entry["version"])} and this page reads version 1: export the network again`);
  }
  const image = object(entry["image"], "image");
  const channels = image["channels"];
  if (channels !== 1 && channels !== 3) fail(`image.channels is ${show(channels)}, and 1 or 3 is needed`);
  const size = image["size"] ?? null;
  if (size !== null && !(Array.isArray(size) && size.length === 2 && size.every((side) => count(side, 1, 1 << 15)))) {
    fail(`image.size is ${show(size)}, and two whole numbers (height, width) or null are needed`);
  }
  if (!Array.isArray(entry["layers"])) fail(`layers is ${show(entry["layers"])}, and a list is needed`);
  const layers = entry["layers"].map(layer);
  const begin = optional(entry["begin"], "begin");
  const end = optional(entry["end"], "end");
  if (layers.length && !end) fail("end is missing, and a network with layers needs it");
  const whole = graph(entry["whole"], "whole");
  const manifest: Manifest = {
    format: "drumhead-export",
    version: 1,
    drumhead: text(entry["drumhead"] ?? "", "drumhead"),
    name: text(entry["name"], "name"),
    task: text(entry["task"] ?? "", "task"),
    family: text(entry["family"] ?? "", "family"),
    preset: text(entry["preset"] ?? "", "preset"),
    image: { channels, size: size as [number, number] | null },
    classes: classes(entry["classes"]),
    whole,
    begin,
    layers,
    end,
    files: files(entry["files"]),
  };
  for (const { file } of graphs(manifest)) {
    if (!(file in manifest.files)) fail(`files does not list ${show(file)}, which the program runs`);
  }
  return manifest;
}

/** The graphs that have to be loaded to hear what the waves do: not `whole` where there are layers. */
export function graphs(manifest: Manifest): Graph[] {
  if (!manifest.layers.length) return [manifest.whole];
  const inner = manifest.layers.flatMap((one) => [one.medium, one.kind === "closed" ? one.at : one.step, one.hear, one.tell]);
  return [manifest.begin, ...inner, manifest.end].filter((one): one is Graph => one !== null);
}

function layer(value: unknown, index: number): LayerGraphs {
  const where = `layers[${index}]`;
  const entry = object(value, where);
  const kind = entry["kind"];
  if (typeof kind !== "string" || !KINDS.includes(kind)) {
    fail(`${where}.kind is ${show(kind)}, and one of ${KINDS.join(", ")} is needed`);
  }
  const { channels, steps, dt } = entry;
  const stride = entry["stride"] ?? 1;
  if (!count(channels, 1, 4096)) fail(`${where}.channels is ${show(channels)}, and a whole number from 1 is needed`);
  if (!count(steps, 1, MOST_STEPS)) {
    fail(`${where}.steps is ${show(steps)}, and a whole number from 1 to ${MOST_STEPS} is needed`);
  }
  if (!count(stride, 1, 256)) fail(`${where}.stride is ${show(stride)}, and a whole number from 1 is needed`);
  const step = dt ?? 1; // recurrent cells have none
  if (typeof step !== "number" || !(step > 0 && step < Infinity)) fail(`${where}.dt is ${show(dt)}, and a number above 0 is needed`);
  const common = {
    channels,
    steps,
    dt: step,
    stride,
    medium: graph(entry["medium"], `${where}.medium`),
    hear: optional(entry["hear"], `${where}.hear`),
    tell: optional(entry["tell"], `${where}.tell`),
  };
  if (kind === "closed") return { ...common, kind, at: graph(entry["at"], `${where}.at`) };
  return { ...common, kind: kind as "stepped" | "cell", step: graph(entry["step"], `${where}.step`) };
}

function optional(value: unknown, where: string): Graph | null {
  return value === null || value === undefined ? null : graph(value, where);
}

function graph(value: unknown, where: string): Graph {
  const entry = object(value, where);
  const file = text(entry["file"], `${where}.file`);
  if (!/^[\w-][\w.-]*\.onnx$/.test(file)) fail(`${where}.file is ${show(file)}, and the name of an .onnx file beside the manifest is needed`);
  return { file, inputs: names(entry["inputs"], `${where}.inputs`), outputs: names(entry["outputs"], `${where}.outputs`) };
}

function names(value: unknown, where: string): string[] {
  if (!Array.isArray(value) || !value.length || !value.every((name) => typeof name === "string" && name)) {
    fail(`${where} is ${show(value)}, and a list of names is needed`);
  }
  return value as string[];
}

function classes(value: unknown): ClassInfo[] {
  if (!Array.isArray(value) || value.length < 2 || value.length > 255) fail("classes has to list 2 to 255 classes");
  return value.map((one, index) => {
    const entry = object(one, `classes[${index}]`);
    const colour = text(entry["colour"], `classes[${index}].colour`);
    if (!/^#[0-9a-f]{6}$/i.test(colour)) fail(`classes[${index}].colour is ${show(colour)}, and a colour such as #0072b2 is needed`);
    return { name: text(entry["name"], `classes[${index}].name`), colour };
  });
}

function files(value: unknown): Manifest["files"] {
  const entry = object(value, "files");
  const found: Manifest["files"] = Object.create(null) as Manifest["files"];
  for (const [name, one] of Object.entries(entry)) {
    const { bytes, sha256 } = object(one, `files[${show(name)}]`);
    if (!count(bytes, 1, 2 ** 31)) fail(`files[${show(name)}].bytes is ${show(bytes)}, and a whole number is needed`);
    found[name] = { bytes, sha256: text(sha256 ?? "", `files[${show(name)}].sha256`) };
  }
  return found;
}

function object(value: unknown, where: string): Entry {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(`${where} is ${show(value)}, and an object is needed`);
  return value as Entry;
}

function text(value: unknown, where: string): string {
  if (typeof value !== "string" || value.length > 500) fail(`${where} is ${show(value)}, and a short text is needed`);
  return value;
}

function count(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function show(value: unknown): string {
  const shown = value === undefined ? "missing" : JSON.stringify(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
}

function fail(message: string): never {
  throw new ManifestError(`manifest.json: ${message}.`);
}
