import { byId, el, icon, radios, setText } from "./dom";
import { DRUMS, drumOf } from "./drums";
import { STAMPS } from "./pencil";
import { DIGITS, PIECE_NAMES, WIRES } from "./samples";
import type { Field } from "../types";
import type { State, Store, Tool } from "./state";

const TOOLS: [Tool, string, string][] = [
  ["pen", "Pen", "Draw (P)"],
  ["eraser", "Eraser", "Rub out (E)"],
  ["fill", "Fill", "Fill an area (F)"],
  ["polygon", "Corners", "Click the corners of a polygon; the first corner again, or Enter, closes it (G)"],
  ["piece", "Piece", "Stamp a tetromino (1)"],
  ["digit", "Digit", "Stamp a digit (2)"],
  ["wire", "Wire", "Stamp a wire (3)"],
  ["shape", "Shape", "Stamp a polygon (4)"],
  ["listen", "Listen", "Touch a pixel and hear it (L)"],
  ["strike", "Strike", "Strike the drum (S)"],
];
const COLOURS: [string, [number, number, number]][] = [
  ["Blue", [60, 120, 230]],
  ["Orange", [240, 150, 30]],
  ["Green", [40, 180, 120]],
  ["Red", [220, 60, 50]],
  ["Violet", [160, 90, 210]],
  ["White", [230, 230, 230]],
];

export interface Actions {
  surprise(): void;
  clear(): void;
  undo(): void;
  redo(): void;
  openImage(): void;
}

/** The tools, what can be set for the chosen one, and what is done to the whole drawing. */
export function createTools(store: Store, actions: Actions, draw: (image: Field) => void): void {
  const group = byId("tools");
  for (const [tool, name, title] of TOOLS) {
    const wide = tool === "listen" || tool === "strike" ? "tool wide" : "tool";
    group.append(
      el(
        "button",
        { type: "button", role: "radio", class: wide, value: tool, title, "data-testid": `tool-${tool}` },
        icon(iconOf(tool)),
        el("span", {}, name),
      ),
    );
  }
  const choose = radios(group, (tool) => store.update({ tool: tool as Tool }));

  const brush = el("input", {
    type: "range",
    min: 1,
    max: 16,
    step: 1,
    "aria-label": "Width of the pen",
    "data-testid": "brush",
    oninput: () => store.update({ brush: Number(brush.value) }),
  });
  const width = el("output", {});
  const brushBox = el("label", { class: "option" }, "Width ", width, brush);
  const colours = choices(
    "Colour",
    COLOURS.map(([name]) => name),
    (name) => store.update({ colour: COLOURS.find(([one]) => one === name)?.[1] ?? COLOURS[0][1] }),
  );
  [...colours.list.children].forEach((button, i) => {
    button.className = "colour";
    button.setAttribute("aria-label", COLOURS[i][0]);
    button.textContent = "";
    (button as HTMLElement).style.background = `rgb(${COLOURS[i][1].join(" ")})`;
  });
  const turn = () => store.update({ turns: store.state.turns + 1 });
  const pieces = choices("Piece", PIECE_NAMES, (name) => {
    const piece = PIECE_NAMES.findIndex((one) => one === name);
    if (piece === store.state.piece) turn();
    else store.update({ piece });
  });
  const wires = choices("Wire", WIRES, (name) => {
    const dot = name === WIRES[0];
    if (dot === store.state.dot) turn();
    else store.update({ dot });
  });
  const digits = choices("Digit", DIGITS.map(String), (name) => store.update({ digit: Number(name) }));
  const sides = choices("Corners", ["3", "4", "5", "6", "7", "8"], (name) => {
    if (Number(name) === store.state.sides) turn();
    else store.update({ sides: Number(name) });
  });
  const ready = DRUMS.map((name) =>
    el(
      "button",
      {
        type: "button",
        "data-testid": `drum-${name.toLowerCase().replace(" ", "-")}`,
        onclick: () => draw(drumOf(name)),
      },
      name,
    ),
  );
  const drums = el(
    "div",
    { class: "option" },
    "Drums",
    el("div", { class: "choices", role: "group", "aria-label": "Drums" }, ...ready),
  );
  const hint = el("p", { class: "hint" });
  byId("options").append(brushBox, pieces.box, digits.box, wires.box, sides.box, colours.box, drums, hint);

  const act = (name: keyof Actions, image: string, label: string, title: string) =>
    el(
      "button",
      { type: "button", class: "tool", title, "data-testid": name, onclick: () => actions[name]() },
      icon(image),
      el("span", {}, label),
    );
  const undo = act("undo", "undo", "Undo", "Undo (Ctrl+Z)");
  const redo = act("redo", "redo", "Redo", "Redo (Ctrl+Shift+Z)");
  const surprise = act("surprise", "dice", "Surprise", "Draw something else (R)");
  byId("actions").append(
    surprise,
    undo,
    redo,
    act("openImage", "image", "Image", "Draw an image from a file; it stays on this device (O)"),
    act("clear", "clear", "Clear", "Clear the drawing (Delete)"),
  );

  store.listen((state, changed) => {
    const { tool, mode } = state;
    if (changed("mode")) {
      const drum = mode === "drum";
      for (const button of group.querySelectorAll<HTMLButtonElement>("button")) {
        button.hidden =
          button.value === (drum ? "listen" : "strike") || (drum && ["wire", "digit", "piece"].includes(button.value));
      }
    }
    if (changed("tool", "mode", "image", "brush", "piece", "digit", "dot", "sides", "colour")) {
      choose(tool);
      brushBox.hidden = tool !== "pen" && tool !== "eraser";
      pieces.box.hidden = tool !== "piece";
      wires.box.hidden = tool !== "wire";
      wires.show(state.dot ? WIRES[0] : WIRES[1]);
      digits.box.hidden = tool !== "digit";
      sides.box.hidden = tool !== "shape";
      colours.box.hidden = state.image.channels !== 3 || ["eraser", "listen", "digit", "wire"].includes(tool);
      brush.value = String(state.brush);
      brush.style.setProperty("--done", `${(100 * (state.brush - 1)) / 15}%`);
      setText(width, `${state.brush} px`);
      pieces.show(PIECE_NAMES[state.piece]);
      digits.show(String(state.digit));
      sides.show(String(state.sides));
      colours.show(COLOURS.find(([, value]) => value.join() === state.colour.join())?.[0] ?? "");
      setText(hint, hintOf(state));
      drums.hidden = tool !== "strike";
      hint.hidden = !hint.textContent;
    }
    if (changed("canUndo", "canRedo")) {
      undo.disabled = !state.canUndo;
      redo.disabled = !state.canRedo;
    }
  });
}

function hintOf({ tool }: Readonly<State>): string {
  if (tool === "polygon") return "Touch corner after corner; the first one again closes the shape.";
  if (tool === "fill") return "Touch an area to fill it.";
  if (tool === "listen") return "Touch any pixel of the drawing.";
  if (tool === "strike") return "The twins sound alike. Compare their pitches.";
  if (tool === "digit") return "Touch the drawing to place it.";
  return STAMPS.includes(tool) ? `Press it again ${tool === "wire" ? "for another curve" : "to turn it"}.` : "";
}

function iconOf(tool: Tool): string {
  return tool === "listen" ? "ear" : tool;
}

function choices(label: string, names: readonly string[], pick: (name: string) => void) {
  const list = el("div", { class: "choices", role: "radiogroup", "aria-label": label });
  for (const name of names)
    list.append(
      el(
        "button",
        { type: "button", role: "radio", value: name, "data-testid": `${label.toLowerCase()}-${name.toLowerCase()}` },
        name,
      ),
    );
  const box = el("div", { class: "option" }, label, list);
  return { box, list, show: radios(list, pick) };
}
