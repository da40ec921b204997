import type { Shared } from "../types";

/** A link that cannot be made or read; the message is one sentence. */
export class ShareError extends Error {
  override name = "ShareError";
}

/** Characters of a link: every browser and most messengers carry so many. */
export const LONGEST = 60_000;
/** Pixels of each side. */
export const LARGEST = 512;
const MOST_SPOTS = 8;
const MOST_BYTES = LARGEST * LARGEST * 3 + 4096;
const SLICE = 1024; // of compressed bytes inflated at a time, to at most a megabyte
const PREFIX = "1.";
const OVERLAYS = ["waves", "omega", "alpha", "mask", "none"];

/**
 * Everything that a permalink keeps as the part of an address after "#".
 *
 * @throws ShareError the picture is too large or too rich in detail for a link, or a value is out of range.
 */
export async function encode(shared: Shared): Promise<string> {
  const { image, ...rest } = shared;
  check(rest);
  if (image.length !== shared.width * shared.height * shared.channels) fail("its picture has another size than it says");
  const head = new TextEncoder().encode(JSON.stringify(rest));
  const whole = new Uint8Array(2 + head.length + image.length);
  whole[0] = head.length & 255;
  whole[1] = head.length >> 8;
  whole.set(head, 2);
  whole.set(image, 2 + head.length);
  const packed = await through(whole, new CompressionStream("deflate"), 1 << 16, 2 * MOST_BYTES);
  const fragment = PREFIX + base64url(packed);
  if (fragment.length > LONGEST) {
    throw new ShareError(`This picture has too much detail for a link (${fragment.length} characters, ${LONGEST} fit): save it as an image.`);
  }
  return fragment;
}

/**
 * Read what `encode` wrote; whatever else it is given, it ends soon and with a sentence.
 *
 * @param fragment with or without the leading "#".
 * @throws ShareError it is damaged, of another version, or too large.
 */
export async function decode(fragment: string): Promise<Shared> {
  const text = fragment.startsWith("#") ? fragment.slice(1) : fragment;
  if (text.length > LONGEST) fail(`it has ${text.length} characters and at most ${LONGEST} are allowed`);
  if (!text.startsWith(PREFIX)) fail("it is of another version of this page, or no link of it at all");
  const packed = fromBase64url(text.slice(PREFIX.length));
  const whole = await through(packed, new DecompressionStream("deflate"), SLICE, MOST_BYTES);
  const length = whole.length > 2 ? whole[0] | (whole[1] << 8) : 0;
  if (!length || 2 + length > whole.length) fail("a part of it is missing");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(whole.subarray(2, 2 + length)));
  } catch {
    fail("what it says cannot be read");
  }
  const rest = check(value);
  const image = whole.slice(2 + length);
  if (image.length !== rest.width * rest.height * rest.channels) fail("its picture has another size than it says");
  return { ...rest, image };
}

function check(value: unknown): Omit<Shared, "image"> {
  if (typeof value !== "object" || value === null) fail("what it says is no list of settings");
  const { version, mode, model, width, height, channels, coupling, layer, sheet, overlay, frame, speed, spots } =
    value as Record<string, unknown>;
  if (version !== 1) fail("it is of another version of this page");
  if (mode !== "waves" && mode !== "drum") fail("its mode is unknown");
  if (typeof model !== "string" || !/^[\w-][\w. -]{0,63}$/.test(model)) fail("its network has no proper name");
  if (!whole(width, 1, LARGEST) || !whole(height, 1, LARGEST)) fail(`its picture is not of 1 to ${LARGEST} pixels a side`);
  if (channels !== 1 && channels !== 3) fail("its picture is neither grey nor coloured");
  if (typeof coupling !== "boolean") fail("it does not say whether pixels are coupled");
  if (!whole(layer, 0, 99)) fail("its layer is out of range");
  if (sheet !== "all" && !whole(sheet, 0, 4095)) fail("its sheet is out of range");
  if (typeof overlay !== "string" || !OVERLAYS.includes(overlay)) fail("what lies over its picture is unknown");
  if (frame !== null && !whole(frame, 0, 10_000)) fail("its moment is out of range");
  if (typeof speed !== "number" || !(speed >= 0.01 && speed <= 100)) fail("its speed is out of range");
  if (!Array.isArray(spots) || spots.length > MOST_SPOTS) fail("its places are no short list");
  const places = (spots as unknown[]).map((spot) => {
    const { y, x } = (typeof spot === "object" && spot !== null ? spot : {}) as Record<string, unknown>;
    if (!whole(y, 0, height - 1) || !whole(x, 0, width - 1)) fail("one of its places is not on the picture");
    return { y, x };
  });
  return {
    version, mode, model, width, height, channels, coupling, layer, sheet, overlay: overlay as Shared["overlay"], frame, speed,
    spots: places,
  };
}

function whole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** Push bytes through a stream in slices; what comes out may not grow beyond a limit. */
async function through(
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
  slice: number,
  most: number,
): Promise<Uint8Array> {
  let at = 0;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + slice));
        at += slice;
      },
    },
    { highWaterMark: 0 },
  );
  const parts: Uint8Array[] = [];
  let count = 0;
  const reader = source.pipeThrough(stream as ReadableWritablePair<Uint8Array, Uint8Array<ArrayBuffer>>).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      count += part.value.length;
      if (count > most) break;
      parts.push(part.value);
    }
  } catch {
    fail("a part of it is damaged or missing");
  }
  if (count > most) {
    await reader.cancel().catch(() => {});
    fail("its picture is too large");
  }
  const whole = new Uint8Array(count);
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

function base64url(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64url(text: string): Uint8Array {
  if (!/^[\w-]*$/.test(text)) fail("it has characters that no link of this page has");
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    return fail("a part of it is missing");
  }
}

function fail(why: string): never {
  throw new ShareError(`This link cannot be opened: ${why}.`);
}
