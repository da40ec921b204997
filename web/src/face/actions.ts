import { maskOf, middle } from "../core/drum";
import { brushOf, scene } from "../core/scenes";
import type { Field } from "../types";
import { hush, toast } from "./dialogs";
import { type Drumkit, onDrum } from "./drumkit";
import { fromRadius } from "./drums";
import { History } from "./history";
import { brightness } from "./ink";
import type { Listening } from "./listening";
import { cleared } from "./pencil";
import { readPicture } from "./picture";
import { SAMPLED, sampleOf } from "./samples";
import type { Mode, Spot, Store } from "./state";
import { total } from "./timeline";

const DEBOUNCE = 140; // milliseconds after a stroke

export type Spots = [Spot | null, Spot | null];

/** Everything that a person can do, whatever with: pointer, key or button. */
export class Actions {
  private readonly spots: Record<Mode, Spots>;
  /** The pixel that nobody chose; it goes where the drawing goes. */
  private guessed: Spot | null = null;
  /** Sounds what a pixel hears; set once the ear is there. */
  play: (which: 0 | 1) => void = () => {};

  constructor(
    private readonly store: Store,
    private readonly kit: Drumkit,
    private readonly listening: Listening,
    private readonly drawings: Record<Mode, History>,
  ) {
    this.spots = { waves: [null, null], drum: [null, null], [store.state.mode]: store.state.spots };
  }

  /** A drawing is finished: keep it and let it be heard. */
  draw = (image: Field): void => {
    this.drawings[this.store.state.mode].push(image);
    this.show(image, DEBOUNCE);
  };

  undo = (): void => this.show(this.drawings[this.store.state.mode].move(-1));
  redo = (): void => this.show(this.drawings[this.store.state.mode].move(1));
  clear = (): void => this.draw(cleared(this.store.state.image));
  surprise = (): void => {
    const { mode, model, manifest, image } = this.store.state;
    const task = mode === "drum" ? "drum" : (manifest?.task ?? model);
    if (mode === "drum" && Math.random() < 0.5) return this.draw(pebble());
    this.draw(scene(task, image.height, image.width, image.channels as 1 | 3));
  };

  /** Read an image file into the drawing. */
  take = async (file: Blob): Promise<void> => {
    try {
      this.draw(await readPicture(file, this.store.state.image));
      hush();
    } catch (error) {
      toast((error as Error).message);
    }
  };

  /** Listen to a pixel, or strike the drum there. */
  touch = (spot: Spot): void => {
    const { mode, spots, active, drum, image } = this.store.state;
    if (mode === "drum" && !(drum && onDrum(drum, spot)))
      return toast(
        drum?.membrane && maskOf(image)[spot.y * image.width + spot.x]
          ? "The drum is the largest part of the drawing, and that place is on another: strike the largest."
          : "That place is not on the drum: strike where it is drawn.",
      );
    const next: Spots = [...spots];
    next[active] = spot;
    this.store.update({ spots: next });
    if (mode === "drum") this.kit.strike(spot);
    // The sound is that of the state after this change.
    requestAnimationFrame(() => this.play(active));
  };

  toggle = (): void => {
    const { playing, at, hearing, mode, spots, drum } = this.store.state;
    if (mode === "drum") {
      const place = spots[0] ?? (drum?.membrane ? middle(drum.membrane) : null);
      if (place) this.touch(place);
      return;
    }
    const end = total(hearing);
    this.store.update({ playing: !playing, at: !playing && at >= end ? 0 : at });
  };

  /** Move by whole steps and stay there. */
  skip = (steps: number): void => {
    const { at, hearing } = this.store.state;
    const whole = steps > 0 ? Math.floor(at + 1e-6) : Math.ceil(at - 1e-6);
    this.store.update({ at: Math.max(0, Math.min(total(hearing), whole + steps)), playing: false });
  };

  setMode = (mode: Mode): void => {
    const { state } = this.store;
    if (mode === state.mode) return;
    this.spots[state.mode] = state.spots;
    const history = this.drawings[mode];
    this.store.update({
      mode,
      image: history.present,
      canUndo: history.canUndo,
      canRedo: history.canRedo,
      spots: this.spots[mode],
      active: 0,
      tool: mode === "drum" ? "strike" : "pen",
      brush: Math.round(brushOf(mode === "drum" ? "drum" : state.model).size),
    });
    if (mode === "drum") this.stretch(history.present);
    if (mode === "waves") this.listening.hear(); // a stroke may have been made just before the drum was chosen
  };

  /** Another network, and at once a drawing that it knows. */
  choose = async (name: string): Promise<void> => {
    const { reduced } = this.store.state;
    this.start(sampleOf(name));
    this.store.update({
      manifest: null,
      hearing: null,
      whole: null,
      at: 0,
      playing: !reduced,
      sheet: "all",
      spots: [null, null],
      active: 0,
      brush: Math.round(brushOf(name).size),
    });
    await this.open(name, true);
  };

  /**
   * Load a network and let it hear. Where no sample of it is known (`fresh`), or the drawing does not fit it, it gets
   * one of the kind that its task shows.
   */
  open = async (name: string, fresh: boolean): Promise<void> => {
    await this.listening.open(name);
    const { manifest, image, mode } = this.store.state;
    if (!manifest || this.store.state.model !== name) return;
    const { channels, size } = manifest.image;
    if (mode === "waves" && (image.channels !== channels || (fresh && !SAMPLED.includes(name)))) {
      const [height, width] = size ?? [64, 64];
      this.start(scene(manifest.task, height, width, channels));
    }
    this.listening.hear();
  };

  /** Choose a pixel to listen to where nobody has: the one deepest inside what is drawn. */
  listenSomewhere(): void {
    const { mode, spots, image, hearing } = this.store.state;
    if (mode !== "waves" || (spots[0] && spots[0] !== this.guessed) || !hearing) return;
    const spot = deepest(brightness(image), image.width);
    if (!spot || (spots[0]?.x === spot.x && spots[0].y === spot.y)) return;
    this.guessed = spot;
    this.store.update({ spots: [spot, spots[1]] });
  }

  /** Stretch a new skin and tap it, without a sound, where it was struck before or in its middle. */
  stretch(image: Field): void {
    this.kit.take(image);
    const { drum, spots } = this.store.state;
    if (!drum?.membrane) return;
    const [before, other] = spots.map((spot) => (spot && onDrum(drum, spot) ? spot : null));
    const spot = before ?? middle(drum.membrane);
    this.store.update({ spots: [spot, other] });
    this.kit.strike(spot);
  }

  private start(image: Field): void {
    this.drawings.waves = new History(image);
    const inside = (spot: Spot | null) => (spot && spot.y < image.height && spot.x < image.width ? spot : null);
    const { mode, spots } = this.store.state;
    if (mode === "waves")
      this.store.update({ image, canUndo: false, canRedo: false, spots: [inside(spots[0]), inside(spots[1])] });
  }

  private show(image: Field, delay = 0): void {
    const history = this.drawings[this.store.state.mode];
    this.store.update({ image, canUndo: history.canUndo, canRedo: history.canRedo });
    if (this.store.state.mode === "drum") this.stretch(image);
    else this.listening.hear(delay);
  }
}

/** A rounded drum that nobody has seen before. */
function pebble(): Field {
  const parts = [2, 3, 4].map((k) => ({
    k,
    size: (9 * Math.random()) / Math.sqrt(k),
    phase: 2 * Math.PI * Math.random(),
  }));
  return fromRadius(
    (angle) => 33 + parts.reduce((sum, { k, size, phase }) => sum + size * Math.sin(k * angle + phase), 0),
  );
}

/** The drawn pixel that is farthest from any that is not, in steps along rows and columns. */
export function deepest(bright: Float32Array, width: number): Spot | null {
  let layer = Uint8Array.from(bright, (value) => Number(value > 0.25));
  let found = layer.indexOf(1);
  while (layer.includes(1)) {
    found = layer.indexOf(1);
    const inner = (i: number) => i % width && (i + 1) % width && layer[i - 1] && layer[i + 1];
    layer = layer.map((one, i) => (one && inner(i) && layer[i - width] && layer[i + width] ? 1 : 0));
  }
  return found < 0 ? null : { y: Math.floor(found / width), x: found % width };
}
