import type { Store, Tool } from "./state";

export interface Commands {
  toggle(): void;
  skip(steps: number): void;
  undo(): void;
  redo(): void;
  surprise(): void;
  clear(): void;
  openImage(): void;
  mode(): void;
  help(): void;
  theme(): void;
}

const TOOLS: Record<string, Tool> = {
  p: "pen",
  e: "eraser",
  f: "fill",
  g: "polygon",
  1: "piece",
  2: "digit",
  3: "wire",
  4: "shape",
  l: "listen",
  s: "strike",
};
const REPEATED = [",", ".", "[", "]"];
const OVERLAYS = ["waves", "omega", "alpha", "mask", "none"] as const;

/** Shortcuts that work wherever nothing else takes the key. */
export function createKeys(store: Store, commands: Commands): void {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    const typing = target instanceof Element && target.matches("input:not([type=range]), select, textarea");
    if (typing || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") (event.shiftKey ? commands.redo : commands.undo)();
      else if (key === "y") commands.redo();
      else return;
    } else if (key === " ") {
      if (target instanceof Element && target.matches("button, a, input")) return;
      if (!event.repeat) commands.toggle();
    } else if (event.repeat && !REPEATED.includes(key)) return; // what is switched to and fro would flicker
    else if (!act(key)) return;
    event.preventDefault();
  });

  function act(key: string): boolean {
    const { state } = store;
    const tool = TOOLS[key];
    if (tool) {
      const fits = state.mode === "drum" ? !["listen", "wire", "digit", "piece"].includes(tool) : tool !== "strike";
      if (fits) store.update({ tool });
      return true;
    }
    const plain: Record<string, () => void> = {
      ",": () => commands.skip(-1),
      ".": () => commands.skip(1),
      "[": () => store.update({ brush: Math.max(1, state.brush - 1) }),
      "]": () => store.update({ brush: Math.min(16, state.brush + 1) }),
      x: () => store.update({ turns: state.turns + 1 }),
      r: commands.surprise,
      c: () => state.mode === "waves" && store.update({ coupling: !state.coupling }),
      w: () => store.update({ overlay: OVERLAYS[(OVERLAYS.indexOf(state.overlay) + 1) % OVERLAYS.length] }),
      d: commands.mode,
      m: () => store.update({ muted: !state.muted }),
      t: commands.theme,
      o: commands.openImage,
      delete: commands.clear,
      "?": commands.help,
    };
    plain[key]?.();
    return key in plain;
  }
}
