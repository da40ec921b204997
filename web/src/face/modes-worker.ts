/** Finds the modes of a drum beside the page, which goes on moving. */

import { membraneOf, modesOf } from "../core/drum";
import type { Modes } from "../core/modes";

export interface Asked {
  id: number;
  mask: Uint8Array;
  height: number;
  width: number;
}

export interface Found {
  id: number;
  modes: Modes;
}

self.onmessage = ({ data: { id, mask, height, width } }: MessageEvent<Asked>) => {
  const modes = modesOf(membraneOf(mask, height, width));
  self.postMessage({ id, modes } satisfies Found);
};
