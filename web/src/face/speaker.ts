import { play, type Playing } from "../core/sound";
import type { Store } from "./state";

declare global {
  interface Window {
    /** Where sounds go instead of the loudspeaker: tests put an OfflineAudioContext here. */
    drumheadSpeaker?: BaseAudioContext;
  }
}

let playing: Playing | null = null;

/** Play a sound instead of the one before it, unless the page is mute. */
export function sound(store: Store, samples: Float32Array, rate: number): void {
  if (store.state.muted) return;
  try {
    playing?.stop();
    playing = play(
      samples.map((value) => value * 0.6),
      rate,
      window.drumheadSpeaker,
    );
  } catch {
    playing = null; // no sound device: everything else goes on
  }
}
