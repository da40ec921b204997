import { Chart } from "./chart";
import { byId, el, icon, setIcon, setText } from "./dom";
import { sound } from "./speaker";
import type { Spot, Store } from "./state";
import { locate, total } from "./timeline";
import { RATE, type Voice, voiceOf } from "./voices";

/** What one or two touched pixels hear: their time course, their spectrum, their sound. */
export function createEar(store: Store, touch: (spot: Spot) => void): (which: 0 | 1) => void {
  const mute = el(
    "button",
    {
      type: "button",
      class: "plain",
      "data-testid": "mute",
      onclick: () => store.update({ muted: !store.state.muted }),
    },
    icon("sound"),
    el("span", {}, "Sound on"),
  );
  const chips = ([0, 1] as const).map((which) =>
    el(
      "button",
      {
        type: "button",
        class: which ? "of-b" : "of-a",
        "data-testid": which ? "spot-b" : "spot-a",
        onclick: () => press(which),
      },
      icon("play"),
      el("span", {}),
    ),
  );
  const hint = el("p", { class: "hint", "data-testid": "ear-hint" });
  const course = new Chart("What the pixel does over time", "course");
  const tones = new Chart("How much of each frequency it hears", "spectrum");
  const courseName = el("span", {});
  const tonesName = el("span", {});
  byId("ear").append(
    el("div", { class: "head" }, el("h2", { id: "ear-title" }, "Listen to a pixel"), mute),
    el("div", { class: "spots", role: "group", "aria-label": "Pixels" }, ...chips),
    el(
      "div",
      { class: "pair" },
      el("div", {}, el("p", { class: "caption" }, courseName), course.node),
      el("div", {}, el("p", { class: "caption" }, tonesName), tones.node),
    ),
    hint,
  );
  let voices: (Voice | null)[] = [null, null];

  function press(which: 0 | 1): void {
    const { spots } = store.state;
    const tool = store.state.mode === "drum" ? "strike" : "listen";
    store.update({ active: which, tool });
    const spot = spots[which];
    if (spot) touch(spot);
  }

  function play(which: 0 | 1): void {
    const voice = voiceOf(store.state, store.state.spots[which]);
    if (voice) sound(store, voice.sound(), RATE);
  }

  let layer = -1;
  store.listen((state, changed) => {
    const { mode, spots, active, muted, hearing } = state;
    if (changed("muted")) {
      setIcon(mute, muted ? "mute" : "sound");
      setText(mute.lastElementChild as Element, muted ? "Sound off" : "Sound on");
      mute.setAttribute("aria-pressed", String(muted));
    }
    if (changed("mode", "tool", "active")) {
      setText(byId("ear-title"), mode === "drum" ? "Hear the drum" : "Listen to a pixel");
      const verb = mode === "drum" ? "Strike the drum anywhere." : "Choose Listen, then touch a pixel.";
      setText(hint, active ? "Now touch the second place." : verb);
    }
    if (changed("spots", "active", "mode")) {
      chips.forEach((chip, which) => {
        const spot = spots[which];
        const name = which ? "B" : "A";
        setText(
          chip.lastElementChild as Element,
          spot ? `${name}: ${spot.x}, ${spot.y}` : which ? "B: compare" : "A: none yet",
        );
        chip.setAttribute("aria-pressed", String(which === active));
      });
    }
    const now = mode === "waves" && hearing ? locate(hearing, state.at).layer : -1;
    if (changed("spots", "hearing", "sheet", "mode", "drum") || now !== layer) {
      layer = now;
      voices = spots.map((spot) => voiceOf(state, spot));
      const heard = voices
        .map((voice, which) => ({ voice, of: which ? ("b" as const) : ("a" as const) }))
        .filter(({ voice }) => voice);
      const curves = heard.flatMap(({ voice, of }) => (voice as Voice).course.map((part) => ({ ...part, of })));
      const high = curves.reduce(
        (most, { values }) => values.reduce((top, value) => Math.max(top, Math.abs(value)), most),
        1e-6,
      );
      course.draw(curves, -high, high);
      tones.draw(
        heard.map(({ voice, of }) => ({ values: normal((voice as Voice).spectrum), of })),
        0,
        1,
        true,
      );
      const layers = hearing?.layers.length ?? 0;
      setText(courseName, mode === "drum" ? "Up and down" : layers > 1 ? "Up and down, all layers" : "Up and down");
      setText(tonesName, mode === "drum" ? "Its notes" : layers > 1 ? `Its notes in layer ${now + 1}` : "Its notes");
      course.ends("start", mode === "drum" ? "100 units of time" : `step ${total(hearing)}`);
      const [one] = heard;
      tones.ends("low", one ? `high (ω = ${(one.voice as Voice).top.toFixed(1)})` : "high");
      course.now(null);
    }
    if (changed("at", "spots", "hearing", "mode"))
      course.now(mode === "waves" && voices[0] ? state.at / (total(hearing) || 1) : null);
  });
  return play;
}

function normal(values: Float64Array): Float64Array {
  const most = values.reduce((top, value) => Math.max(top, value), 1e-12);
  return values.map((value) => value / most);
}
