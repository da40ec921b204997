import type { Store } from "./state";
import { total } from "./timeline";

const STEPS_PER_SECOND = 7;
const HOLD = 1.8; // seconds that the answer stays before the waves start again

/** Move time on while it plays: through all layers, a rest at the answer, and again from the start. */
export function startClock(store: Store): void {
  let last = 0;
  let held = 0;
  let running = false;
  const tick = (time: number) => {
    const { playing, hearing, at, speed, mode } = store.state;
    const end = total(hearing);
    if (!playing || mode !== "waves" || !end) {
      running = false;
      return;
    }
    const passed = Math.min(0.1, (time - last) / 1000);
    last = time;
    if (at < end) {
      held = 0;
      store.update({ at: Math.min(end, at + passed * STEPS_PER_SECOND * speed) });
    } else {
      held += passed;
      if (held > HOLD) store.update({ at: 0 });
    }
    requestAnimationFrame(tick);
  };
  store.listen(({ playing, mode, hearing }) => {
    if (!playing || running || mode !== "waves" || !hearing) return;
    running = true;
    held = 0;
    requestAnimationFrame((time) => {
      last = time;
      tick(time);
    });
  });
}
