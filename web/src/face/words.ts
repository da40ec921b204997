import type { Answer, ClassInfo, Hearing, Manifest } from "../types";
import { verdict } from "./timeline";

const LEAST = 0.0025; // of all pixels: 10 of 64 x 64, less than any object
/** Brightness above which a pixel counts as drawn. */
export const DRAWN = 0.25;

/** The classes that an answer names, by size, without the background. */
export function named({ shares }: Answer, classes: ClassInfo[]): ClassInfo[] {
  return classes
    .map((one, index) => ({ one, index, share: shares[index] ?? 0 }))
    .filter(({ index, share }) => index > 0 && share >= LEAST)
    .sort((a, b) => b.share - a.share)
    .map(({ one }) => one);
}

/** "an I, a T and an O". */
export function list(words: string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** What the network says in one sentence. */
export function says(hearing: Hearing, manifest: Manifest): string {
  const answer = verdict(hearing);
  const names = answer ? named(answer, manifest.classes).map(({ name }) => name) : [];
  if (!names.length) return "It hears nothing but background.";
  if (!hearing.coupled) return `Cut off, it hears ${list(names.map(withArticle))}.`;
  if (answer && unsure(answer)) return `It is unsure, and guesses ${list(names.map(withArticle))}.`;
  if (manifest.task.startsWith("wires")) {
    const [dot, other] = ["wire with the dot", "other wire"].map((name) => names.includes(name));
    if (dot && other) return "It hears which wire has the dot, and which do not.";
    return dot ? "It hears a wire with a dot." : "It hears wires without a dot.";
  }
  return `It hears ${list(names.map(withArticle))}.`;
}

/** Whether the labelled pixels have, on average, a label that the network gives less than half of its belief. */
function unsure({ labels, confidence }: Answer): boolean {
  let [sum, count] = [0, 0];
  labels.forEach((label, i) => {
    if (!label) return;
    sum += confidence[i];
    count++;
  });
  return sum < 0.5 * count;
}

function withArticle(name: string): string {
  if (name.startsWith("other ")) return `an${name}`;
  return `${/^(8|11|18|[aeio]|[FILMNORSX](\W|$))/.test(name) ? "an" : "a"} ${name}`;
}

/** How sure an answer is, on average over the pixels that are drawn, or over all where none is. */
export function sureness({ confidence }: Answer, bright: Float32Array): number {
  let [sum, count, all] = [0, 0, 0];
  confidence.forEach((value, i) => {
    all += value;
    if (bright[i] > DRAWN) {
      sum += value;
      count++;
    }
  });
  return count ? sum / count : all / Math.max(1, confidence.length);
}

/** The share of drawn pixels that get another label once the coupling is cut. */
export function fallen(cut: Hearing, whole: Hearing, bright: Float32Array): number | null {
  const [one, other] = [verdict(cut), verdict(whole)];
  if (!one || !other || one.labels.length !== other.labels.length) return null;
  let [changed, count] = [0, 0];
  one.labels.forEach((label, i) => {
    if (bright[i] <= DRAWN) return;
    count++;
    if (label !== other.labels[i]) changed++;
  });
  return count ? changed / count : null;
}

/** "12 %", and "< 1 %" for what is there but small; not broken over two lines. */
export function percent(share: number): string {
  return share > 0 && share < 0.01 ? "<\u00a01\u00a0%" : `${Math.round(100 * share)}\u00a0%`;
}
