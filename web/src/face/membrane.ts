import { modeField, modeTone } from "../core/drum";
import { byId, el, setText } from "./dom";
import type { Drumkit } from "./drumkit";
import { colourise, Upsampler, waveColours } from "./paint";
import { sound } from "./speaker";
import type { Store } from "./state";
import { RATE } from "./voices";

const SHOWN = 12;

/** What the drum is: how large it believes to be and is, and its modes as pictures that sound. */
export function createMembrane(store: Store, kit: Drumkit): void {
  const sentence = el("p", { class: "says", "data-testid": "drum-says" });
  const rows = [
    area("It is", "true-area", false),
    area("Its notes say", "heard-area", true),
    area("Lowest note alone", "square-area", true, "The area of the square that has this lowest note"),
  ];
  const grid = el("div", { class: "modes-grid", role: "group", "aria-label": "Modes" });
  byId("drum").append(
    el("div", { class: "head" }, el("h2", { id: "drum-title" }, "How large it believes to be")),
    sentence,
    el("div", { class: "areas" }, ...rows.flatMap(({ nodes }) => nodes)),
    el("p", { class: "caption" }, el("span", {}, "The ways in which it can ring, and their pitch")),
    grid,
  );
  const buttons = Array.from({ length: SHOWN }, (_, index) => {
    const picture = el("canvas", { width: 72, height: 72, "aria-hidden": "true" });
    const name = el("span", {}, "–");
    const button = el(
      "button",
      { type: "button", disabled: true, "aria-pressed": "false", "data-testid": `mode-${index}` },
      picture,
      name,
    );
    button.addEventListener("click", () => choose(index));
    grid.append(button);
    return { button, picture, name };
  });

  function choose(index: number): void {
    const { modes } = store.state.drum ?? {};
    if (!modes) return;
    const next = kit.mode === index ? null : index;
    kit.show(next);
    if (next !== null) sound(store, modeTone(modes, index), RATE);
    press();
  }

  function press(): void {
    buttons.forEach(({ button }, index) => button.setAttribute("aria-pressed", String(kit.mode === index)));
  }

  store.listen((state, changed) => {
    byId("drum").hidden = state.mode !== "drum";
    if (changed("spots")) press();
    if (!changed("drum", "dark")) return;
    const { drum } = state;
    const values = [drum?.truth?.area, drum?.heard?.area, drum?.heard?.square];
    const most = Math.max(1, ...values.map((value) => value ?? 0));
    rows.forEach(({ bar, number }, index) => {
      const value = values[index];
      bar.style.width = `${(100 * (value ?? 0)) / most}%`;
      setText(number, value === undefined ? (drum?.failure ? "–" : "…") : `${Math.round(value)} px²`);
    });
    setText(sentence, drum?.failure ?? verdict(values[0], values[1]));
    const colours = waveColours(state.dark);
    buttons.forEach(({ button, picture, name }, index) => {
      const there = drum?.modes && index < drum.modes.values.length;
      button.disabled = !there;
      const context = picture.getContext("2d") as CanvasRenderingContext2D;
      context.clearRect(0, 0, 72, 72);
      setText(name, "–");
      if (!there || !drum?.modes) return;
      const { modes } = drum;
      const pitch = Math.sqrt(modes.values[index] / modes.values[0]);
      setText(name, pitch.toFixed(2));
      button.setAttribute("aria-label", `Mode ${index + 1}, ${pitch.toFixed(2)} times the lowest pitch`);
      const { data, width, height } = modeField(modes, index);
      const box = bounds(modes.cells.place, width);
      const cut = crop(data, width, height, box);
      const fine = new Upsampler(cut.side, cut.side, 72);
      const pixels = new ImageData(fine.width, fine.height);
      colourise(fine.apply(cut.data, cut.side, cut.side), pixels, colours, 0, 1, 0.9);
      const canvas = Object.assign(document.createElement("canvas"), { width: fine.width, height: fine.height });
      canvas.getContext("2d")?.putImageData(pixels, 0, 0);
      context.drawImage(canvas, 2, 2, 68, 68);
    });
    press();
  });
}

function verdict(truth: number | undefined, heard: number | undefined): string {
  if (truth === undefined || heard === undefined) return "Counting its notes…";
  const off = (heard - truth) / truth;
  const size =
    Math.abs(off) < 0.005
      ? "right to half a percent"
      : `${(100 * Math.abs(off)).toFixed(1)} % too ${off > 0 ? "large" : "small"}`;
  return `Its area, told from 40 notes, is ${size}.`;
}

function area(label: string, testId: string, belief: boolean, title = "") {
  const bar = el("i", belief ? { class: "belief" } : {});
  const number = el("b", { "data-testid": testId });
  return {
    bar,
    number,
    nodes: [el("span", { title: title || null }, label), el("span", { class: "bar" }, bar), number],
  };
}

interface Box {
  top: number;
  left: number;
  side: number;
}

/** The square around all cells. */
function bounds(place: Int32Array, width: number): Box {
  let [top, left, bottom, right] = [Infinity, Infinity, 0, 0];
  for (const at of place) {
    const [y, x] = [Math.floor(at / width), at % width];
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
  }
  const side = Math.max(bottom - top, right - left) + 2;
  return { top: Math.round((top + bottom - side) / 2), left: Math.round((left + right - side) / 2), side };
}

function crop(
  data: Float32Array,
  width: number,
  height: number,
  { top, left, side }: Box,
): { data: Float32Array; side: number } {
  const out = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [row, column] = [top + y, left + x];
      if (row >= 0 && column >= 0 && row < height && column < width) out[y * side + x] = data[row * width + column];
    }
  }
  return { data: out, side };
}
