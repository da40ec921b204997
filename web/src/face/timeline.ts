import type { Answer, Hearing, Layer } from "../types";

/** Where a moment lies: the layer, and how many of its steps have passed (not a whole number between two). */
export interface Moment {
  layer: number;
  step: number;
}

/** Steps of all layers together; layers follow one another. */
export function total(hearing: Hearing | null): number {
  return hearing?.layers.reduce((sum, layer) => sum + layer.steps, 0) ?? 0;
}

/** The step at which a layer starts. */
export function startOf(hearing: Hearing, layer: number): number {
  return hearing.layers.slice(0, layer).reduce((sum, one) => sum + one.steps, 0);
}

/** Find the layer that is running after `at` steps; the end of one layer is the start of the next. */
export function locate(hearing: Hearing, at: number): Moment {
  let rest = at;
  for (const [index, layer] of hearing.layers.entries()) {
    if (rest < layer.steps || index === hearing.layers.length - 1)
      return { layer: index, step: Math.min(rest, layer.steps) };
    rest -= layer.steps;
  }
  return { layer: 0, step: 0 };
}

/** What the network would answer at a moment; null before the last layer has made a step. */
export function answerAt(hearing: Hearing, { layer, step }: Moment): Answer | null {
  if (hearing.layers.length && layer < hearing.layers.length - 1) return null;
  let found: Answer | null = null;
  for (const answer of hearing.answers) if (answer.step <= step + 1e-6) found = answer;
  return found;
}

/** The last answer, which is the network's. */
export function verdict(hearing: Hearing): Answer | null {
  return hearing.answers.at(-1) ?? null;
}

/** The two frames around a step, the two outside them for a smooth curve through all four, and the place between. */
export function around(layer: Layer, step: number): { frames: [number, number, number, number]; between: number } {
  const last = layer.frames.length - 1;
  const low = Math.min(Math.floor(step), last);
  const high = Math.min(low + 1, last);
  return { frames: [Math.max(low - 1, 0), low, high, Math.min(high + 1, last)], between: step - low };
}

/** Catmull and Rom's weights of four equally spaced values, at `t` of the way from the second to the third. */
export function cubic(t: number): [number, number, number, number] {
  const t2 = t * t;
  const t3 = t2 * t;
  return [(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2];
}
