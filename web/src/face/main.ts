import { openNetwork } from "../core/network";
import { Actions } from "./actions";
import { createAnswer } from "./answer";
import { startClock } from "./clock";
import { openHow, openKeys } from "./dialogs";
import { byId, radios, setText } from "./dom";
import { createDrumkit, type Drumkit } from "./drumkit";
import { createEar } from "./ear";
import { createKeys } from "./keys";
import { createListening } from "./listening";
import { createMembrane } from "./membrane";
import { createPictures } from "./picture";
import { createPointer } from "./pointer";
import { createPreview } from "./preview";
import { medium } from "./sheets";
import { createSharing } from "./sharing";
import { createStage } from "./stage";
import { beginning, fromAddress, listModels } from "./start";
import { createStore, type Mode, type State } from "./state";
import { createTheme } from "./theme";
import { locate, startOf, total } from "./timeline";
import { createTools } from "./tools";
import { createTransport } from "./transport";
import { says } from "./words";

const [shared, models] = await Promise.all([fromAddress(), listModels()]);
const { state: initial, drawings } = beginning(shared, models);
const store = createStore(initial);
createTheme(store);
const stage = createStage(byId<HTMLCanvasElement>("stage"), store, () =>
  store.state.mode === "drum" ? kit.now() : preview(),
);
const kit: Drumkit = createDrumkit(store, () => stage.redraw());
const preview = createPreview(store, () => stage.redraw());
const listening = createListening(store, openNetwork);
const actions = new Actions(store, kit, listening, drawings);
const openImage = createPictures((file) => void actions.take(file));
const theme = () => byId("theme-button").click();
const { toggle, skip, surprise, clear, undo, redo, draw, touch } = actions;
createTools(store, { surprise, clear, undo, redo, openImage }, draw);
createTransport(store, skip, toggle);
createAnswer(store, (name) => void actions.choose(name));
createMembrane(store, kit);
actions.play = createEar(store, touch);
createPointer(stage, store, { draw, touch });
createKeys(store, {
  toggle,
  skip,
  surprise,
  clear,
  undo,
  redo,
  openImage,
  theme,
  help: openKeys,
  mode: () => actions.setMode(store.state.mode === "waves" ? "drum" : "waves"),
});
const share = createSharing(store, stage, kit);
const onClick: Record<string, () => void> = {
  "help-button": openKeys,
  how: openHow,
  "how-too": openHow,
  "share-button": () => void share(),
};
for (const [id, act] of Object.entries(onClick)) byId(id).addEventListener("click", act);
const showMode = radios(byId("modes"), (value) => actions.setMode(value as Mode));
startClock(store);
document.documentElement.dataset["ready"] = "";
addEventListener("hashchange", () => location.reload()); // another link was pasted

let moved = shared === null || shared.frame === null;
store.listen((state, changed) => {
  if (changed("mode")) {
    showMode(state.mode);
    document.documentElement.dataset["mode"] = state.mode;
  }
  if (changed("coupling") && state.manifest) listening.hear();
  if (changed("hearing")) actions.listenSomewhere();
  if (changed("hearing", "drum", "mode", "failure")) setText(byId("live"), spoken(state));
  const note = byId("note");
  const text = noteOf(state);
  note.hidden = !text;
  setText(note, text ?? "");
  document.documentElement.dataset["busy"] = String(state.busy);
  if (changed("hearing") && state.hearing && !moved && shared) {
    moved = true; // to where the link stood
    const layer = Math.max(0, Math.min(shared.layer, state.hearing.layers.length - 1));
    store.update({ at: Math.min(total(state.hearing), startOf(state.hearing, layer) + (shared.frame ?? 0)) });
  }
});
if (store.state.mode === "drum") actions.stretch(store.state.image);
await actions.open(store.state.model, shared === null);

/** A line in the corner of the picture, where something is to be said about it. */
function noteOf({ mode, drum, failure, hearing, overlay, at, sheet, reduced }: Readonly<State>): string | null {
  if (mode === "drum") return drum?.failure ?? null;
  if (failure) return failure;
  if (!hearing) return reduced ? "The network is loading." : "The network is loading. Meanwhile, a plain wave.";
  if (overlay !== "omega" && overlay !== "alpha") return null;
  const field = hearing.layers[locate(hearing, at).layer]?.[overlay];
  const name = overlay === "omega" ? "Stiffness" : "Damping";
  if (!field) return `${name}: this network has none.`;
  const { low, high } = medium(field, sheet);
  const of = sheet === "all" ? "each place, mean over all sheets" : `each oscillator of sheet ${sheet + 1}`;
  return `${name} of ${of}, from ${low.toFixed(2)} to ${high.toFixed(2)}`;
}

/** What screen readers are told when an answer has come. */
function spoken({ mode, drum, hearing, manifest, coupling, failure }: Readonly<State>): string {
  if (mode === "drum") {
    if (!drum?.truth || !drum.heard) return drum?.failure ?? "";
    return `The drum's area is ${Math.round(drum.truth.area)} square pixels; its notes say ${Math.round(drum.heard.area)}.`;
  }
  if (failure) return failure;
  return hearing && manifest ? `${says(hearing, manifest)}${coupling ? "" : " The coupling is cut."}` : "";
}
