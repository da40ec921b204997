import { membraneOf, Ringing } from "../core/drum";
import { brightness } from "./ink";
import type { Store } from "./state";
import type { Skin } from "./surface";

const STEPS = 2; // a picture

/** A plain wave that starts from the drawing while the first network is still on its way. */
export function createPreview(store: Store, moved: () => void): () => Skin | null {
  const { image, reduced } = store.state;
  const whole = membraneOf(new Uint8Array(image.height * image.width).fill(1), image.height, image.width);
  const ringing = new Ringing(whole.cells, 0.5, 0.01);
  brightness(image).forEach((value, at) => (ringing.y[whole.cells.number[at]] = value));
  const waiting = () => store.state.mode === "waves" && !store.state.hearing && !store.state.failure;
  const tick = () => {
    if (!waiting()) return;
    ringing.advance(STEPS);
    moved();
    requestAnimationFrame(tick);
  };
  if (!reduced) requestAnimationFrame(tick);
  return () => (waiting() && !reduced ? { field: ringing.field().data, scale: 0.5 } : null);
}
