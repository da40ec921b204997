import { Ringing } from "../core/drum";
import { cellsOf } from "../core/modes";
import { brightness } from "./ink";
import type { Store } from "./state";
import type { Skin } from "./surface";

const STEPS = 2; // a picture
const LEAST = 64;
const MOST = 128 * 128; // pixels that a slow machine moves in the time of a picture

/** A plain wave that starts from the drawing while the first network is still on its way. */
export function createPreview(store: Store, moved: () => void): () => Skin | null {
  const { image, reduced } = store.state;
  const size = image.height * image.width;
  if (reduced || size < LEAST || size > MOST) return () => null; // a link may bring a drawing of another size
  const cells = cellsOf(new Uint8Array(size).fill(1), image.height, image.width);
  const ringing = new Ringing(cells, 0.5, 0.01);
  brightness(image).forEach((value, at) => (ringing.y[cells.number[at]] = value));
  const waiting = () => {
    const { mode, hearing, failure, image: now } = store.state;
    return mode === "waves" && !hearing && !failure && now === image;
  };
  const tick = () => {
    if (!waiting()) return;
    ringing.advance(STEPS);
    moved();
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  return () => (waiting() ? { field: ringing.field().data, scale: 0.5 } : null);
}
