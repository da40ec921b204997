import type { Answer, Field, Hearing } from "../types";
import { Cached } from "./cached";
import { fit } from "./fit";
import { beads, inked, masked, rim } from "./ink";
import { things } from "./objects";
import type { State, Store } from "./state";
import { type Skin, Surface } from "./surface";
import { answerAt, locate, total } from "./timeline";

/** What lies over the picture while someone draws. */
export type Ghost = (context: CanvasRenderingContext2D, pixel: number) => void;

export interface Stage {
  /** Draw something over the picture until it is called with null; in units of pixels of the drawing. */
  ghost(draw: Ghost | null): void;
  /** While a stroke is made the drawing is shown alone and full. */
  drawing(now: boolean): void;
  redraw(): void;
  /** The picture of another moment, or of another state of the drum, as pixels on paper. */
  snapshot(side: number, of: { at?: number; skin?: Skin }): ImageData;
  canvas: HTMLCanvasElement;
}

/** The square picture: the drawing, its waves, the answer, and the pixels that are listened to. */
export function createStage(canvas: HTMLCanvasElement, store: Store, skin: () => Skin | null): Stage {
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const ink = new Cached((image: Field, dark: boolean) => toCanvas(inked(image, dark)));
  const skinned = new Cached((image: Field, dark: boolean) => toCanvas(inked(image, dark, true)));
  const edge = new Cached((image: Field) => rim(image));
  const mask = new Cached((answer: Answer, state: Readonly<State>) => {
    const { width, height } = state.hearing as Hearing;
    const classes = state.manifest?.classes ?? [];
    return {
      picture: toCanvas(masked(answer, classes, width, height)),
      dots: beads(answer, width),
      classes,
      names: things(answer.labels, width, height, 24),
    };
  });
  const waves = new Surface();
  let ghost: Ghost | null = null;
  let drawing = false;
  let reveal = 0;
  let last = 0;
  let asked = false;
  let at = fit(store.state.image, canvas.width);

  const redraw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame((time) => {
      asked = false;
      paint(store.state, Math.min(50, time - last));
      last = time;
    });
  };

  function paint(state: Readonly<State>, passed: number, ringing = skin()): void {
    const { image, hearing, dark, overlay } = state;
    const { pixel, left, top } = (at = fit(image, canvas.width));
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const moment = hearing && !drawing && state.mode === "waves" ? locate(hearing, state.at) : null;
    const answer = hearing && moment ? answerAt(hearing, moment) : null;
    const ended = Boolean(answer) && state.at >= total(hearing);
    const aim = overlay === "mask" || (overlay === "waves" && ended) ? 1 : 0;
    reveal = state.reduced ? aim : Math.max(0, Math.min(1, reveal + ((aim ? 1 : -2.5) * passed) / 450));
    const shown = moment && answer ? reveal : 0;
    const covered = Boolean(moment && overlay !== "none" && hearing?.layers.length);

    context.globalAlpha = covered ? (dark ? 0.3 : 0.22) : 1;
    picture((state.mode === "drum" ? skinned : ink).get(image, dark), false);
    if (hearing && moment && hearing.layers.length && overlay !== "none") {
      context.globalAlpha = overlay === "mask" ? 0.12 : 1 - 0.88 * shown;
      const drawn = waves.layer(hearing.layers[moment.layer], moment.step, state);
      if (drawn) picture(drawn, true);
    }
    if (ringing && !drawing) {
      context.globalAlpha = 1;
      picture(waves.drum(ringing, image, state), canvas.width < 400);
    }
    context.globalAlpha = 1;
    context.setTransform(pixel, 0, 0, pixel, left, top);
    context.lineJoin = "round";
    context.lineCap = "round";
    if (covered || state.mode === "drum")
      stroke(edge.get(image), dark ? "rgb(236 230 216 / 55%)" : "rgb(33 29 23 / 50%)", 1.25 / pixel);
    if (answer && (overlay === "waves" || overlay === "mask")) {
      const { picture: filled, dots, classes, names } = mask.get(answer, state);
      context.globalAlpha = 1 - shown;
      if (shown < 1) {
        for (const path of dots.values()) stroke(path, dark ? "#090d18" : "#fffdf7", 1.6 / pixel);
        for (const [label, path] of dots) {
          context.fillStyle = classes[label]?.colour ?? "#888";
          context.fill(path);
        }
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalAlpha = shown * 0.94;
      if (shown) picture(filled, false);
      context.setTransform(pixel, 0, 0, pixel, left, top);
      context.globalAlpha = shown;
      if (shown) for (const { label, y, x } of names) name(classes[label]?.name ?? "", x + 0.5, y + 0.5, state, pixel);
      context.globalAlpha = 1;
    }
    if (!drawing && state.mode === "waves") for (const which of [1, 0] as const) spot(state, which, pixel);
    ghost?.(context, pixel);
    if (state.mode === "waves" && Math.abs(reveal - aim) > 1e-3) redraw();
  }

  function picture(source: CanvasImageSource, smooth: boolean): void {
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, at.left, at.top, at.width, at.height);
  }

  function stroke(path: Path2D, style: string, width: number): void {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke(path);
  }

  function spot({ spots, dark, active }: Readonly<State>, which: 0 | 1, pixel: number): void {
    const place = spots[which];
    if (!place) return;
    const unit = Math.max(canvas.width / 640, 0.8) / pixel;
    const [x, y] = [place.x + 0.5, place.y + 0.5];
    const colour = which ? (dark ? "#bda2f2" : "#6a3fa0") : dark ? "#e3b365" : "#8a4f04";
    const ring = new Path2D();
    ring.arc(x, y, 9 * unit, 0, 2 * Math.PI);
    stroke(ring, dark ? "#090d18" : "#fffdf7", 6 * unit);
    stroke(ring, colour, (which === active ? 3 : 2) * unit);
    const above = y - 19 * unit > 8 * unit ? -19 : 19;
    word(which ? "B" : "A", x, y + above * unit, 13, colour, dark ? "#090d18" : "#fffdf7", pixel);
  }

  function name(text: string, x: number, y: number, { spots, dark }: Readonly<State>, pixel: number): void {
    const close = spots.some(
      (spot) => spot && Math.hypot(spot.x + 0.5 - x, spot.y + 0.5 - y) * pixel < Math.max(canvas.width / 14, 30),
    );
    const below = close ? (26 * Math.max(canvas.width / 640, 0.8)) / pixel : 0;
    word(
      text,
      x,
      y + below,
      17,
      dark ? "#ece6d8" : "#211d17",
      dark ? "rgb(9 13 24 / 80%)" : "rgb(255 253 247 / 80%)",
      pixel,
    );
  }

  function word(text: string, x: number, y: number, size: number, colour: string, halo: string, pixel: number): void {
    const unit = Math.max(canvas.width / 640, 0.8) / pixel;
    context.font = `600 ${size * unit}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const half = context.measureText(text).width / 2 + 4 * unit;
    const inside = Math.max(half, Math.min(canvas.width / pixel - half, x));
    context.lineWidth = 4 * unit;
    context.strokeStyle = halo;
    context.strokeText(text, inside, y);
    context.fillStyle = colour;
    context.fillText(text, inside, y);
  }

  new ResizeObserver(([entry]) => {
    const side = Math.round(entry.contentRect.width * Math.min(2, devicePixelRatio || 1));
    if (side < 1 || side === canvas.width) return;
    canvas.width = canvas.height = side;
    redraw();
  }).observe(canvas);
  const keys = [
    "image",
    "hearing",
    "at",
    "overlay",
    "sheet",
    "dark",
    "mode",
    "spots",
    "active",
    "drum",
    "playing",
  ] as const;
  store.listen((_, changed) => {
    if (changed(...keys)) redraw();
  });
  return {
    canvas,
    redraw,
    ghost(draw) {
      ghost = draw;
      redraw();
    },
    snapshot(side, { at = store.state.at, skin: other }) {
      const kept = reveal;
      paint({ ...store.state, at, reduced: true, spots: [null, null] }, 0, ...(other ? [other] : []));
      reveal = kept;
      const small = Object.assign(document.createElement("canvas"), { width: side, height: side });
      const drawn = small.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
      drawn.fillStyle = store.state.dark ? "#090d18" : "#fffdf7";
      drawn.fillRect(0, 0, side, side);
      drawn.imageSmoothingQuality = "high";
      drawn.drawImage(canvas, 0, 0, side, side);
      redraw();
      return drawn.getImageData(0, 0, side, side);
    },
    drawing(now) {
      drawing = now;
      redraw();
    },
  };
}

function toCanvas(picture: ImageData): HTMLCanvasElement {
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  return canvas;
}
