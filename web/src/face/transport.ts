import { byId, el, icon, radios, setIcon, setText } from "./dom";
import type { Overlay, Store } from "./state";
import { locate, startOf, total } from "./timeline";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const OVERLAYS: [Overlay, string, string][] = [
  ["waves", "Waves", "The waves"],
  ["omega", "Stiffness", "How stiff each oscillator is (omega)"],
  ["alpha", "Damping", "How damped each oscillator is (alpha)"],
  ["mask", "Answer", "The mask that the network answers with"],
  ["none", "Drawing", "The drawing alone"],
];

/** Play, pause, step, scrub and speed; what is shown over the drawing; which sheet. */
export function createTransport(store: Store, skip: (steps: number) => void, toggle: () => void): void {
  const play = el(
    "button",
    { type: "button", class: "go", "data-testid": "play", onclick: toggle },
    icon("play"),
    el("span", { class: "hide" }, "Play"),
  );
  const back = stepper("back", "One step back", () => skip(-1));
  const forward = stepper("forward", "One step forward", () => skip(1));
  const range = el("input", {
    type: "range",
    min: 0,
    max: 1,
    step: "any",
    value: 0,
    "data-testid": "scrub",
    "aria-label": "Time",
    oninput: () => store.update({ at: Number(range.value), playing: false }),
  });
  const segments = el("div", { class: "segments", hidden: true, role: "group", "aria-label": "Layers" });
  const time = el("output", { class: "time", "data-testid": "time" });
  const speed = el(
    "select",
    {
      "aria-label": "Speed",
      title: "Speed",
      "data-testid": "speed",
      onchange: () => store.update({ speed: Number(speed.value) }),
    },
    ...SPEEDS.map((value) => el("option", { value }, `${{ 0.25: "¼", 0.5: "½" }[value] ?? value}×`)),
  );
  const overlays = el(
    "div",
    { class: "switch", role: "radiogroup", "aria-label": "What is shown" },
    ...OVERLAYS.map(([value, name, title]) =>
      el("button", { type: "button", role: "radio", value, title, "data-testid": `overlay-${value}` }, name),
    ),
  );
  const chooseOverlay = radios(overlays, (value) => store.update({ overlay: value as Overlay }));
  const sheets = el("select", {
    class: "push",
    "aria-label": "Sheet",
    title: "One sheet of oscillators as it is, or the strongest pattern of all, without what is the same everywhere",
    "data-testid": "sheet",
    onchange: () => store.update({ sheet: sheets.value === "all" ? "all" : Number(sheets.value) }),
  });
  byId("transport").append(
    el("div", { class: "line" }, play, back, forward, el("div", { class: "scrub" }, segments, range), time, speed),
    el("div", { class: "line" }, overlays, sheets),
  );
  const pace = speed.cloneNode(true) as HTMLSelectElement;
  pace.dataset["testid"] = "drum-speed";
  pace.addEventListener("change", () => store.update({ speed: Number(pace.value) }));
  byId("sticks").append(
    el(
      "div",
      { class: "line" },
      el(
        "button",
        { type: "button", class: "primary strike", "data-testid": "strike-again", onclick: toggle },
        icon("strike"),
        el("span", {}, "Strike"),
      ),
      el("p", { class: "hint" }, "Touch the drum, or strike it again."),
      el("span", { class: "push" }),
      pace,
    ),
  );

  let layers = "";
  store.listen((state, changed) => {
    const { hearing, at, playing } = state;
    byId("transport").hidden = state.mode === "drum";
    byId("sticks").hidden = state.mode !== "drum";
    if (changed("playing")) {
      setIcon(play, playing ? "pause" : "play");
      setText(play.lastElementChild as Element, playing ? "Pause" : "Play");
    }
    if (changed("hearing", "manifest")) {
      const end = total(hearing);
      range.max = String(end || 1);
      const shape = JSON.stringify([state.model, hearing?.layers.map((layer) => [layer.steps, layer.channels])]);
      for (const control of [play, back, forward, range]) control.disabled = !end;
      if (shape !== layers && hearing) {
        layers = shape;
        segments.replaceChildren(
          ...hearing.layers.map((layer, index) => {
            const name = `Layer ${index + 1}`;
            const start = startOf(hearing, index);
            const button = el(
              "button",
              {
                type: "button",
                "data-testid": `layer-${index}`,
                onclick: () => store.update({ at: start, playing: false }),
              },
              name,
            );
            button.style.flexGrow = String(layer.steps);
            return button;
          }),
        );
        segments.hidden = hearing.layers.length < 2;
        const count = hearing.layers[0]?.channels ?? 0;
        sheets.replaceChildren(
          el("option", { value: "all" }, "All sheets"),
          ...Array.from({ length: count }, (_, c) => el("option", { value: c }, `Sheet ${c + 1}`)),
        );
        sheets.disabled = !count;
        sheets.value = state.sheet === "all" ? "all" : String(Math.min(state.sheet, count - 1));
      }
    }
    if (changed("hearing", "at") && hearing) {
      const { layer, step } = locate(hearing, at);
      const steps = hearing.layers[layer]?.steps ?? 0;
      range.value = String(at);
      range.style.setProperty("--done", `${(100 * at) / (total(hearing) || 1)}%`);
      range.setAttribute("aria-valuetext", `layer ${layer + 1}, step ${Math.floor(step)} of ${steps}`);
      setText(time, steps ? `${Math.floor(step + 1e-6)} / ${steps}` : "");
      [...segments.children].forEach((button, index) => {
        if (index === layer) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      });
    }
    if (changed("overlay")) chooseOverlay(state.overlay);
    if (changed("speed")) for (const one of [speed, pace]) choose(one, state.speed, `${state.speed}×`);
    if (changed("sheet")) sheets.value = String(state.sheet);
  });

  /** A link may bring a speed that is not in the list. */
  function choose(select: HTMLSelectElement, value: number, name: string): void {
    if (![...select.options].some((option) => option.value === String(value)))
      select.append(el("option", { value }, name));
    select.value = String(value);
  }

  function stepper(name: "back" | "forward", label: string, act: () => void): HTMLButtonElement {
    return el(
      "button",
      { type: "button", class: "icon", "data-testid": name, title: label, onclick: act },
      icon(name),
      el("span", { class: "hide" }, label),
    );
  }
}
