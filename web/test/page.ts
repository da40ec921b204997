import { modesAside } from "../src/core/aside";
import * as drum from "../src/core/drum";
import { openNetwork } from "../src/core/network";
import { play, RATE } from "../src/core/sound";

// What test/browser.test.ts calls in a browser.
const core = { openNetwork, modesAside, drum, play, RATE };
declare global {
  var core: { openNetwork: typeof openNetwork; modesAside: typeof modesAside; drum: typeof drum; play: typeof play; RATE: number };
}
globalThis.core = core;
