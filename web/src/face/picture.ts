import { fromPicture } from "../core/raster";
import type { Field } from "../types";
import { byId } from "./dom";

const LARGEST = 40_000_000; // bytes of a file

/**
 * Read an image file as a drawing of the given size: whole, in the middle, on black.
 *
 * Dark lines on light paper are turned round, since networks here learned light on dark.
 *
 * @throws Error with one sentence.
 */
export async function readPicture(file: Blob, { width, height, channels }: Field): Promise<Field> {
  if (file.size > LARGEST) throw new Error("This file has more than 40 MB; choose a smaller image.");
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw new Error("This file is no image that the browser can read; try PNG or JPEG.");
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
  context.imageSmoothingQuality = "high";
  const scale = Math.min(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  bitmap.close();
  const image = fromPicture(context.getImageData(0, 0, width, height), channels as 1 | 3);
  const mean = image.data.reduce((sum, value) => sum + value, 0) / image.data.length;
  return mean > 0.5 ? { ...image, data: image.data.map((value) => 1 - value) } : image;
}

/** Let images be dropped on the stage, pasted, or chosen from a file; returns what opens the choice. */
export function createPictures(take: (file: Blob) => void): () => void {
  const frame = byId("frame");
  const sign = byId("drop");
  const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    sign.hidden = !frame.contains(event.target as Node);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) sign.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    sign.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (file) take(file);
  });
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
  input.dataset["testid"] = "file";
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) take(file);
    input.value = "";
  });
  document.body.append(input);
  return () => input.click();
}
