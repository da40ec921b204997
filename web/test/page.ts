import { modesAside } from "../src/core/aside";
import * as drum from "../src/core/drum";
import { openNetwork } from "../src/core/network";

// What test/browser.test.ts calls in a browser.
const core = { openNetwork, modesAside, drum };
declare global {
  var core: { openNetwork: typeof openNetwork; modesAside: typeof modesAside; drum: typeof drum };
}
globalThis.core = core;
