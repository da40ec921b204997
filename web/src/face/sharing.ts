import { gif } from "../core/gif";
import { pythonOf } from "../core/python";
import { toBytes } from "../core/raster";
import { encode } from "../core/share";
import { wav } from "../core/wav";
import type { Shared } from "../types";
import { openDialog, toast } from "./dialogs";
import { byId, el, icon } from "./dom";
import type { Drumkit } from "./drumkit";
import type { Stage } from "./stage";
import type { Spot, State, Store } from "./state";
import { locate, total } from "./timeline";
import { RATE, voiceOf } from "./voices";

const SIDE = 320;
const FRAME_MS = 70;

/** What a permalink keeps of the state. */
export function sharedOf(state: Readonly<State>): Shared {
  const { image, hearing, playing } = state;
  const moment = hearing ? locate(hearing, state.at) : { layer: 0, step: 0 };
  return {
    version: 1,
    mode: state.mode,
    model: state.model,
    width: image.width,
    height: image.height,
    channels: image.channels as 1 | 3,
    image: toBytes(image),
    coupling: state.coupling,
    layer: moment.layer,
    sheet: state.sheet,
    overlay: state.overlay,
    frame: playing ? null : Math.floor(moment.step + 1e-6),
    speed: state.speed,
    spots: state.spots.filter((spot): spot is Spot => spot !== null),
  };
}

/** The dialog with the link, the files and the script. */
export function createSharing(store: Store, stage: Stage, kit: Drumkit): () => void {
  const name = () => `drumhead-${store.state.mode === "drum" ? "drum" : store.state.model}`;

  async function link(): Promise<string> {
    const url = new URL(location.href);
    url.hash = await encode(sharedOf(store.state));
    return url.href;
  }

  async function film(): Promise<Uint8Array> {
    const { state } = store;
    const frames: ImageData[] = [];
    const rest = () => new Promise((done) => setTimeout(done));
    if (state.mode === "drum") {
      const spot = state.spots[0] ?? state.spots[1];
      for (const skin of spot ? kit.film(spot, 48, FRAME_MS / 1000) : []) frames.push(stage.snapshot(SIDE, { skin }));
    } else {
      const end = total(state.hearing);
      for (let at = 0; at <= end; at += 0.5) {
        frames.push(stage.snapshot(SIDE, { at }));
        if (frames.length % 8 === 0) await rest();
      }
      const last = frames.at(-1);
      if (last) for (let i = 0; i < 16; i++) frames.push(last);
    }
    if (!frames.length) frames.push(stage.snapshot(SIDE, {}));
    await rest();
    return gif(frames, FRAME_MS);
  }

  async function copy(text: string, what: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      toast(`${what} copied.`);
    } catch {
      const shown = el("textarea", { rows: 12, readonly: true, "aria-label": what, "data-testid": "to-copy" }, text);
      openDialog(`Copy the ${what.toLowerCase()}`, shown);
      shown.select();
    }
  }

  return async () => {
    const { state } = store;
    const address = await link().catch((error: Error) => error);
    const field = el("input", {
      type: "text",
      readonly: true,
      value: String(address),
      "aria-label": "Link",
      "data-testid": "link",
      onfocus: () => field.select(),
    });
    const choice = (id: string, label: string, image: string, act: () => Promise<void> | void) => {
      const button = el("button", { type: "button", "data-testid": id }, icon(image), el("span", {}, label));
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          await act();
        } catch (error) {
          toast((error as Error).message);
        }
        button.disabled = false;
      });
      return button;
    };
    const copyLink = (text: string) =>
      el(
        "button",
        { type: "button", class: "primary", "data-testid": "copy-link", onclick: () => void copy(text, "Link") },
        "Copy",
      );
    const script = state.manifest ? pythonOf(sharedOf(state), state.manifest) : "";
    openDialog(
      "Share what you made",
      ...(address instanceof Error
        ? [el("p", { class: "hint", "data-testid": "no-link" }, address.message)]
        : [
            el("p", { class: "hint" }, "The link holds the drawing and the settings; nothing is stored anywhere else."),
            el("p", { class: "address" }, field, copyLink(address)),
          ]),
      el(
        "div",
        { class: "shares" },
        choice("save-gif", "Film (GIF)", "play", async () => save(await film(), "image/gif", `${name()}.gif`)),
        choice("save-png", "Picture (PNG)", "image", async () => {
          const picture = await toPng(stage.snapshot(1024, {}));
          save(picture, "image/png", `${name()}.png`);
        }),
        choice("save-wav", "Sound (WAV)", "sound", () => {
          const now = store.state;
          const voice = voiceOf(now, now.spots[now.active] ?? now.spots[0]);
          if (!voice)
            throw new Error(
              now.mode === "drum"
                ? "Strike the drum first; then its sound can be saved."
                : "Listen to a pixel first; then its sound can be saved.",
            );
          save(wav(voice.sound(), RATE), "audio/wav", `${name()}.wav`);
        }),
        choice("copy-python", "Copy as Python", "share", () => copy(script, "Python script")),
      ),
    );
    byId<HTMLDialogElement>("dialog").querySelector<HTMLElement>('[data-testid="copy-link"]')?.focus();
  };
}

function save(content: Uint8Array | Blob, type: string, name: string): void {
  const blob = content instanceof Blob ? content : new Blob([content as Uint8Array<ArrayBuffer>], { type });
  const url = URL.createObjectURL(blob);
  const anchor = el("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function toPng(picture: ImageData): Promise<Blob> {
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  canvas.getContext("2d")?.putImageData(picture, 0, 0);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("The picture could not be written."))),
      "image/png",
    ),
  );
}
