import type { Field, Layer } from "../types";
import { amountColours, colourise, type Colours, relief, Upsampler, waveColours } from "./paint";
import { between, medium, sheet } from "./sheets";
import type { State } from "./state";

/** The displacement of a drum, and the size that counts as much. */
export interface Skin {
  field: Float32Array;
  scale: number;
}

/** Coloured waves, stiffness or damping in canvases that are used again. */
export class Surface {
  private readonly upsamplers = new Map<string, Upsampler>();
  private readonly canvases = new Map<string, HTMLCanvasElement>();
  private readonly colours = new Map<string, Colours>();
  private values = new Float32Array(0);

  layer(layer: Layer, step: number, { overlay, sheet: which, dark }: Readonly<State>): HTMLCanvasElement | null {
    const { width, height } = layer.frames[0];
    if (overlay === "omega" || overlay === "alpha") {
      const field = layer[overlay];
      if (!field) return null;
      const { values, low, high } = medium(field, which);
      return this.draw(values, width, height, this.table(overlay, dark), low, high, 1);
    }
    const wave = sheet(layer, which);
    if (this.values.length !== width * height) this.values = new Float32Array(width * height);
    return this.draw(
      between(layer, wave, step, this.values),
      width,
      height,
      this.table("waves", dark),
      0,
      wave.scale,
      0.75,
    );
  }

  drum(values: Skin, { width, height }: Field, { dark, drum, mode }: Readonly<State>): HTMLCanvasElement {
    return this.draw(
      values.field,
      width,
      height,
      this.table("waves", dark),
      0,
      values.scale,
      0.8,
      mode === "drum" ? drum?.membrane?.mask : undefined,
    );
  }

  private table(overlay: "waves" | "omega" | "alpha", dark: boolean): Colours {
    const key = `${overlay}-${dark}`;
    const found = this.colours.get(key) ?? (overlay === "waves" ? waveColours(dark) : amountColours(overlay, dark));
    this.colours.set(key, found);
    return found;
  }

  private draw(
    values: Float32Array,
    width: number,
    height: number,
    colours: Colours,
    low: number,
    high: number,
    gamma: number,
    skin?: Uint8Array,
  ): HTMLCanvasElement {
    const key = `${width}x${height}`;
    const fine = this.upsamplers.get(key) ?? new Upsampler(width, height, 128);
    this.upsamplers.set(key, fine);
    const canvas =
      this.canvases.get(key) ??
      Object.assign(document.createElement("canvas"), { width: fine.width, height: fine.height });
    this.canvases.set(key, canvas);
    const picture = new ImageData(fine.width, fine.height);
    const surface = fine.apply(values, width, height);
    colourise(surface, picture, colours, low, high, gamma);
    if (skin) {
      relief(surface, picture, high);
      const factor = fine.width / width;
      for (let i = 0; i < surface.length; i++) {
        const [y, x] = [Math.floor(Math.floor(i / fine.width) / factor), Math.floor((i % fine.width) / factor)];
        if (!skin[y * width + x]) picture.data[4 * i + 3] = 0; // a smooth surface swings a little beyond the rim
      }
    }
    canvas.getContext("2d")?.putImageData(picture, 0, 0);
    return canvas;
  }
}
