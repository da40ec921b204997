import type { Membrane } from "../core/drum";
import type { Modes } from "../core/modes";
import type { Field, Hearing, Manifest, Shared } from "../types";

export type Mode = Shared["mode"];
export type Overlay = Shared["overlay"];
export type Tool = "pen" | "eraser" | "fill" | "polygon" | "piece" | "digit" | "wire" | "shape" | "listen" | "strike";
export interface Spot {
  y: number;
  x: number;
}

/** What is known of the drum that is drawn. */
export interface Drum {
  membrane: Membrane | null;
  /** Why the drawing is no drum. */
  failure: string | null;
  modes: Modes | null;
  /** Area and perimeter as they are. */
  truth: { area: number; perimeter: number } | null;
  /** Area as all its notes tell it, and as the lowest one would, were it a square. */
  heard: { area: number; square: number } | null;
}

/** Everything that is seen and heard follows from this. */
export interface State {
  mode: Mode;
  models: string[];
  model: string;
  manifest: Manifest | null;
  /** The drawing of the present mode. */
  image: Field;
  canUndo: boolean;
  canRedo: boolean;
  tool: Tool;
  brush: number;
  colour: [number, number, number];
  piece: number;
  digit: number;
  dot: boolean;
  sides: number;
  /** How often the stamp was turned, or, of wires, which one it is. */
  turns: number;
  /** What the network heard in the drawing, and what it hears while connected, for comparison. */
  hearing: Hearing | null;
  whole: Hearing | null;
  busy: boolean;
  failure: string | null;
  coupling: boolean;
  /** Steps since the start of the first layer; all layers one after another. */
  at: number;
  playing: boolean;
  speed: number;
  overlay: Overlay;
  sheet: number | "all";
  /** Pixels that are listened to: the first, and one to compare. */
  spots: [Spot | null, Spot | null];
  active: 0 | 1;
  muted: boolean;
  drum: Drum | null;
  dark: boolean;
  reduced: boolean;
}

export type Listener = (state: Readonly<State>, changed: (...keys: (keyof State)[]) => boolean) => void;

export interface Store {
  readonly state: Readonly<State>;
  /** The one way to change anything; what listens is told once, before the next picture is drawn. */
  update(patch: Partial<State>): void;
  listen(listener: Listener): void;
}

/** Keep a state and tell listeners, in their order, what has changed. */
export function createStore(initial: State): Store {
  const state = { ...initial };
  const listeners: Listener[] = [];
  let dirty = new Set<keyof State>();
  let waiting = false;
  const flush = () => {
    waiting = false;
    const now = dirty;
    dirty = new Set();
    const changed = (...keys: (keyof State)[]) => keys.some((key) => now.has(key));
    for (const listener of listeners) listener(state, changed);
  };
  return {
    state,
    update(patch) {
      for (const key of Object.keys(patch) as (keyof State)[]) {
        if (Object.is(state[key], patch[key])) continue;
        (state as Record<string, unknown>)[key] = patch[key];
        dirty.add(key);
      }
      if (!dirty.size || waiting) return;
      waiting = true;
      requestAnimationFrame(flush);
    },
    listen(listener) {
      listeners.push(listener);
      listener(state, () => true);
    },
  };
}
