import { type Membrane, maskOf, membraneOf, modeField, Ringing } from "../core/drum";
import { areaOfSquare, measure, weyl } from "../core/area";
import { modesAside } from "../core/aside";
import type { Field } from "../types";
import type { Drum, Spot, Store } from "./state";

const LOSS = 0.014;
const UNITS_PER_SECOND = 70; // a wave crosses the whole drawing in a little over a second
const REST = 0.004;

/** The drum that is drawn, in motion. */
export interface Drumkit {
  /** Stretch a new skin. */
  take(image: Field): void;
  strike(spot: Spot): void;
  /** Let one mode ring alone, or none. */
  show(mode: number | null): void;
  readonly mode: number | null;
  /** The skin now, and the size that counts as much; null while it rests. */
  now(): { field: Float32Array; scale: number } | null;
  /** The skin so many frames of `seconds` on, for a film; the skin itself stays as it is. */
  film(spot: Spot, frames: number, seconds: number): { field: Float32Array; scale: number }[];
}

/** Simulate the drum of the present drawing; `moved` is called for each picture while it moves. */
export function createDrumkit(store: Store, moved: () => void): Drumkit {
  let ringing: Ringing | null = null;
  let mode: { index: number; field: Field; omega: number; time: number } | null = null;
  let loud = 0;
  let last = 0;
  let running = false;

  async function find(membrane: Membrane): Promise<void> {
    try {
      const modes = await modesAside(membrane);
      const { drum } = store.state;
      if (drum?.membrane !== membrane) return;
      const told = weyl(modes.values);
      const square = areaOfSquare(Math.sqrt(modes.values[0]), 1e-3);
      store.update({ drum: { ...drum, modes, heard: told ? { area: told.smoothed.area, square } : null } });
    } catch (error) {
      const { drum } = store.state;
      if ((error as Error).name !== "AbortError" && drum)
        store.update({ drum: { ...drum, failure: (error as Error).message } });
    }
  }

  const tick = (time: number) => {
    const passed = Math.min(0.05, (time - last) / 1000);
    last = time;
    const units = passed * UNITS_PER_SECOND * store.state.speed;
    if (mode) mode.time += units;
    else if (ringing) {
      ringing.advance(Math.max(1, Math.round(units / ringing.dt)));
      const most = ringing.y.reduce((sum, value) => Math.max(sum, Math.abs(value)), 0);
      loud = Math.max(most, loud * 0.985);
      if (most < REST) ringing.y.fill(0);
    }
    moved();
    running = store.state.mode === "drum" && Boolean(mode || ringing?.y.some((value) => value !== 0));
    if (running) requestAnimationFrame(tick);
  };
  const run = () => {
    if (running || store.state.reduced) return moved();
    running = true;
    requestAnimationFrame((time) => {
      last = time;
      tick(time);
    });
  };

  return {
    take(image) {
      mode = null;
      ringing = null;
      try {
        const membrane = membraneOf(maskOf(image), image.height, image.width);
        ringing = new Ringing(membrane.cells, 0.5, LOSS);
        const truth = measure(membrane.mask, image.height, image.width);
        store.update({ drum: { membrane, failure: null, modes: null, truth, heard: null } });
        void find(membrane);
      } catch (error) {
        store.update({
          drum: { membrane: null, failure: (error as Error).message, modes: null, truth: null, heard: null },
        });
      }
    },
    strike(spot) {
      if (mode) ringing?.y.fill(0);
      mode = null;
      ringing?.strike(spot.y, spot.x);
      loud = Math.max(loud, 0.6);
      if (store.state.reduced) ringing?.advance(24); // one still picture: the wave on its way
      run();
    },
    show(index) {
      const modes = store.state.drum?.modes;
      mode =
        index === null || !modes
          ? null
          : { index, field: modeField(modes, index), omega: Math.sqrt(modes.values[index]), time: 0 };
      if (!mode) ringing?.y.fill(0);
      run();
    },
    get mode() {
      return mode?.index ?? null;
    },
    now() {
      if (mode) {
        // Shown at one pace, or the high modes would flicker.
        const size = store.state.reduced ? 1 : Math.cos((mode.time / UNITS_PER_SECOND) * 5);
        return { field: mode.field.data.map((value) => value * size), scale: 1 };
      }
      if (!ringing?.y.some((value) => value !== 0)) return null;
      return { field: ringing.field().data, scale: Math.max(0.06, loud * 0.6) };
    },
    film(spot, frames, seconds) {
      const membrane = store.state.drum?.membrane;
      if (!membrane) return [];
      const filmed = new Ringing(membrane.cells, 0.5, LOSS);
      filmed.strike(spot.y, spot.x);
      let most = 0.6;
      return Array.from({ length: frames }, () => {
        filmed.advance(Math.max(1, Math.round((seconds * UNITS_PER_SECOND) / filmed.dt)));
        most = Math.max(0.1, most * 0.94);
        return { field: filmed.field().data, scale: most * 0.6 };
      });
    },
  };
}

/** Whether a spot lies on the drum. */
export function onDrum(drum: Drum, { y, x }: Spot): boolean {
  const { membrane } = drum;
  return Boolean(membrane && membrane.cells.number[y * membrane.cells.width + x] >= 0);
}
