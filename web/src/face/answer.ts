import { Chart } from "./chart";
import { byId, el, setText } from "./dom";
import { brightness } from "./ink";
import type { Store } from "./state";
import { answerAt, locate } from "./timeline";
import { DRAWN, fallen, percent, says, sureness } from "./words";

const TITLES: Record<string, string> = {
  tetrominoes: "Pieces",
  "tetrominoes-fast": "Pieces, one layer",
  mnist: "Digits",
  wires: "Wires, in rounds",
  "wires-stack": "Wires",
};

/** The network, what it answers in words, in colours and over time, and the switch that cuts its coupling. */
export function createAnswer(store: Store, chooseModel: (name: string) => void): void {
  const models = el("select", {
    "aria-label": "Network",
    "data-testid": "model",
    onchange: () => chooseModel(models.value),
  });
  const sentence = el("p", { class: "says", "data-testid": "says" });
  const legend = el("ul", {
    class: "legend",
    "data-testid": "legend",
    "aria-label": "Classes and their share of the pixels",
  });
  const chart = new Chart("How sure the network is over time", "confidence");
  const sure = el("b", { "data-testid": "sure" });
  const where = el("span", { "data-testid": "sure-where" }, "How sure, on what is drawn");
  const hint = el("p", { class: "hint", "data-testid": "cut-hint" });
  const coupling = el(
    "button",
    {
      type: "button",
      class: "toggle",
      role: "switch",
      "data-testid": "coupling",
      onclick: () => store.update({ coupling: !store.state.coupling }),
    },
    "Neighbours feel each other",
  );
  byId("answer").append(
    el("div", { class: "head" }, el("h2", { id: "answer-title" }, "What it hears"), models),
    sentence,
    legend,
    el("p", { class: "caption" }, where, sure),
    chart.node,
    el("div", { class: "cut" }, coupling, hint),
  );
  let rows: { item: HTMLElement; share: HTMLElement }[] = [];
  let bright: Float32Array = new Float32Array(0);
  let sureOver: number[] = [];
  store.listen((state, changed) => {
    const { manifest, hearing, whole, coupling: on } = state;
    byId("answer").hidden = state.mode === "drum";
    if (changed("models", "model")) {
      models.replaceChildren(...state.models.map((name) => el("option", { value: name }, TITLES[name] ?? name)));
      models.value = state.model;
    }
    if (changed("manifest") && manifest) {
      rows = manifest.classes.map(({ name, colour }) => {
        const swatch = el("span", { class: "swatch" });
        swatch.style.background = colour;
        const share = el("span", { class: "share" });
        const item = el("li", { "data-class": name }, swatch, el("span", { class: "name" }, name), share);
        return { item, share };
      });
      legend.classList.toggle(
        "one",
        manifest.classes.some(({ name }) => name.length > 14),
      );
      legend.classList.toggle(
        "many",
        manifest.classes.length > 6 && manifest.classes.slice(1).every(({ name }) => name.length < 3),
      );
      legend.replaceChildren(...rows.map(({ item }) => item));
    }
    if (changed("hearing", "failure", "busy", "manifest")) {
      const text = state.failure
        ? "It could not listen."
        : hearing && manifest
          ? says(hearing, manifest)
          : "Listening…";
      setText(sentence, text);
      if (hearing) {
        bright = brightness(state.image);
        setText(where, bright.some((one) => one > DRAWN) ? "How sure, on what is drawn" : "How sure, nothing being drawn");
        sureOver = hearing.answers.map((answer) => sureness(answer, bright));
        chart.draw([{ values: sureOver.length > 1 ? sureOver : [0, ...sureOver], of: "a" }], 0, 1);
        const last = hearing.layers.at(-1);
        const label = hearing.layers.length > 1 ? `layer ${hearing.layers.length}, ` : "";
        chart.ends(`${label}step ${hearing.answers[0]?.step ?? 0}`, `step ${last?.steps ?? 0}`);
      }
    }
    if (changed("hearing", "at") && hearing) {
      const moment = locate(hearing, state.at);
      const answer = answerAt(hearing, moment);
      rows.forEach(({ item, share }, index) => {
        const part = answer?.shares[index] ?? 0;
        setText(share, answer ? (part ? percent(part) : "–") : "–");
        item.dataset["share"] = part.toFixed(5);
        item.classList.toggle("absent", !part);
      });
      const index = answer ? hearing.answers.indexOf(answer) : -1;
      setText(sure, answer ? percent(sureOver[index]) : "not yet");
      const first = hearing.answers[0]?.step ?? 0;
      const span = Math.max(1, (hearing.answers.at(-1)?.step ?? 1) - first);
      chart.now(answer ? Math.min(1, Math.max(0, (moment.step - first) / span)) : null);
    }
    if (changed("coupling", "hearing", "whole")) {
      coupling.setAttribute("aria-checked", String(on));
      hint.classList.toggle("off", !on);
      setText(
        hint,
        on ? "Switch this off to cut all pixels from their neighbours and watch the answer fall apart." : cutSentence(),
      );
    }

    function cutSentence(): string {
      const part = hearing && whole && !hearing.coupled ? fallen(hearing, whole, bright) : null;
      const change =
        part === null ? "each pixel must guess" : `each pixel must guess, and ${percent(part)} changed their answer`;
      return `Cut: no wave travels, ${change}.`;
    }
  });
}
