import { byId, el, icon } from "./dom";

const KEYS: [string, string][] = [
  ["Space", "play or pause; on the drawing: draw, strike or listen at the cursor"],
  [", .", "one step back, one forward"],
  ["Arrows", "on the drawing: move the cursor (with Shift by 8)"],
  ["P E F G", "pen, eraser, fill, corners of a polygon"],
  ["1 2 3 4", "stamps: piece, digit, wire, shape"],
  ["L S", "listen to a pixel, strike the drum"],
  ["X", "turn the stamp"],
  ["[ ]", "narrower, wider pen"],
  ["R", "surprise me"],
  ["C", "cut the coupling, or connect again"],
  ["W", "show waves, stiffness, damping, answer, drawing in turn"],
  ["D", "waves or drum"],
  ["M", "sound on or off"],
  ["T", "light or dark"],
  ["O", "draw an image from a file"],
  ["Ctrl+Z", "undo; with Shift redo"],
  ["?", "this list"],
];

/** Show something in the page's one dialog. */
export function openDialog(title: string, ...content: (Node | string)[]): void {
  const dialog = byId<HTMLDialogElement>("dialog");
  const close = el(
    "button",
    { type: "button", class: "icon", title: "Close (Esc)", "data-testid": "close", onclick: () => dialog.close() },
    icon("close"),
    el("span", { class: "hide" }, "Close"),
  );
  dialog.replaceChildren(el("header", {}, el("h2", { id: "dialog-title" }, title), close), ...content);
  if (!dialog.open) dialog.showModal();
  dialog.onclick = (event) => {
    if (event.target === dialog && outside(dialog, event)) dialog.close();
  };
}

function outside(dialog: HTMLElement, { clientX, clientY }: MouseEvent): boolean {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

/** All shortcuts. */
export function openKeys(): void {
  const rows = KEYS.flatMap(([keys, does]) => {
    const shown = el("dt", {});
    for (const key of keys.split(" ")) shown.append(el("kbd", {}, key), " ");
    return [shown, el("dd", {}, does)];
  });
  openDialog("Keys", el("dl", { class: "keys" }, ...rows));
}

/** What is computed here, in a minute of reading. */
export function openHow(): void {
  const p = (...children: (Node | string)[]) => el("p", {}, ...children);
  openDialog(
    "How it works",
    p(
      "Every pixel (or small group of pixels) holds several oscillators: weights on springs that swing up and down. Each is tied to its neighbours, as the points of a drum's skin are.",
    ),
    p(
      "The drawing is looked at once, through a window of a few pixels. It sets how stiff each oscillator is, how damped, and how far it is lifted at the start. Then the drawing is taken away.",
    ),
    p(
      "Now the oscillators are let go. y″ = tanh(W ∗ y) − ω y − α y′: neighbours pull, stiffness pulls back, damping slows. Waves travel, and what they meet on their way changes them.",
    ),
    p(
      "Each pixel keeps what it has heard over time, and a small network turns that into a class. No pixel ever sees the whole shape: what it knows of it came by wave. Cut the coupling, and that knowledge is gone.",
    ),
    p(
      "All of it runs in your browser, the networks by onnxruntime-web (",
      el("a", { href: "./licences.txt" }, "licence"),
      "). Drawings and images never leave this device.",
    ),
    p(
      "The idea is from ",
      el(
        "a",
        { href: "https://arxiv.org/abs/2502.06034", target: "_blank", rel: "noopener noreferrer" },
        "Traveling Waves Integrate Spatial Information Through Time",
      ),
      ". In drumhead's documentation, docs/theory/waves.md has the equation, docs/theory/drum.md what can be heard of a drum, and docs/results how good such networks are.",
    ),
  );
}

let timer = 0;

/** Say something for a few seconds. */
export function toast(text: string): void {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (node.hidden = true), 6000) as unknown as number;
}

/** Take back what was said, as it is true no longer. */
export function hush(): void {
  byId("toast").hidden = true;
}
