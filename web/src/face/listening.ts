import type { Field, Hearing, Network } from "../types";
import type { Store } from "./state";
import { total } from "./timeline";

/** Opens networks and lets the present one hear the present drawing. */
export interface Listening {
  open(name: string): Promise<void>;
  /** Hear the drawing soon; of many requests in a row the last one counts. */
  hear(delay?: number): void;
}

/**
 * Keep `state.hearing` that of the drawing, the network and the switch of the coupling.
 *
 * @param opener opens the network of a folder.
 */
export function createListening(store: Store, opener: (base: string) => Promise<Network>): Listening {
  const networks = new Map<string, Promise<Network>>();
  let present: Network | null = null;
  let wholeOf: Field | null = null;
  let stop = new AbortController();
  let timer = 0;

  async function run(): Promise<void> {
    stop.abort();
    const mine = (stop = new AbortController());
    const { image, coupling, mode, manifest } = store.state;
    const network = present;
    if (!network || mode !== "waves" || image.channels !== manifest?.image.channels)
      return store.update({ busy: !network });
    try {
      const hear = (coupled: boolean) => network.hear(image, { coupling: coupled, signal: mine.signal });
      let whole: Hearing | null = wholeOf === image ? store.state.whole : null;
      if (!whole) whole = await hear(true);
      const hearing = coupling ? whole : await hear(false);
      if (mine.signal.aborted) return;
      if (store.state.mode !== "waves") return store.update({ busy: false }); // it is heard again when they come back
      wholeOf = image;
      const { playing, reduced, at } = store.state;
      const end = total(hearing);
      store.update({ hearing, whole, failure: null, busy: false, at: playing ? 0 : reduced ? end : Math.min(at, end) });
    } catch (error) {
      if (mine.signal.aborted || (error as Error).name === "AbortError") return;
      store.update({ failure: (error as Error).message, busy: false });
    }
  }

  return {
    async open(name) {
      stop.abort();
      present = null;
      wholeOf = null;
      store.update({ model: name, busy: true, failure: null });
      const opening = networks.get(name) ?? opener(`./models/${name}/`);
      networks.set(name, opening);
      try {
        const network = await opening;
        if (store.state.model !== name) return;
        present = network;
        store.update({ manifest: network.manifest });
      } catch (error) {
        networks.delete(name);
        if (store.state.model === name) store.update({ failure: (error as Error).message, busy: false, hearing: null });
      }
    },
    hear(delay = 0) {
      clearTimeout(timer);
      stop.abort(); // what is still heard is of an old drawing
      store.update({ busy: true });
      timer = setTimeout(() => void run(), delay) as unknown as number;
    },
  };
}
