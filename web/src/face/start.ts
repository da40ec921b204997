import { fromBytes } from "../core/raster";
import { brushOf } from "../core/scenes";
import { decode } from "../core/share";
import type { Shared } from "../types";
import { toast } from "./dialogs";
import { History } from "./history";
import { sampleOf } from "./samples";
import type { Mode, Spot, State } from "./state";
import { startsDark } from "./theme";

const SHIPPED = ["tetrominoes-fast"];

/** What the address asks for; a link that cannot be read says why, and a sample comes instead. */
export async function fromAddress(): Promise<Shared | null> {
  const fragment = location.hash.slice(1);
  if (!fragment) return null;
  try {
    return await decode(fragment);
  } catch (error) {
    toast(`${(error as Error).message} Here is a sample instead.`);
    return null;
  }
}

/** The networks that lie beside the page. */
export async function listModels(): Promise<string[]> {
  try {
    const response = await fetch("./models/index.json");
    const { models } = (await response.json()) as { models: unknown };
    const names = Array.isArray(models)
      ? models.filter((name): name is string => typeof name === "string" && /^\w[\w.-]*$/.test(name))
      : [];
    return names.length ? names : SHIPPED;
  } catch {
    return SHIPPED;
  }
}

/** The drawings and the state that the page opens with. */
export function beginning(shared: Shared | null, models: string[]): { state: State; drawings: Record<Mode, History> } {
  const model = shared && models.includes(shared.model) ? shared.model : models[0];
  const mode = shared?.mode ?? "waves";
  const image = shared && fromBytes(shared.image, shared.height, shared.width, shared.channels);
  const drawings = {
    waves: new History(image && mode === "waves" ? image : sampleOf(model)),
    drum: new History(image && mode === "drum" ? image : sampleOf("drum")),
  };
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const spots: [Spot | null, Spot | null] = [shared?.spots[0] ?? null, shared?.spots[1] ?? null];
  const state: State = {
    mode,
    models,
    model,
    manifest: null,
    image: drawings[mode].present,
    canUndo: false,
    canRedo: false,
    tool: mode === "drum" ? "strike" : "pen",
    brush: Math.round(brushOf(mode === "drum" ? "drum" : model).size),
    colour: [60, 120, 230],
    piece: 2,
    digit: 3,
    dot: true,
    sides: 5,
    turns: 0,
    hearing: null,
    whole: null,
    busy: true,
    failure: null,
    coupling: shared?.coupling ?? true,
    at: 0,
    playing: !reduced && (shared?.frame ?? null) === null,
    speed: shared?.speed ?? 1,
    overlay: shared?.overlay ?? "waves",
    sheet: shared?.sheet ?? "all",
    spots,
    active: 0,
    muted: false,
    drum: null,
    dark: startsDark(),
    reduced,
  };
  return { state, drawings };
}
