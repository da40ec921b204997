import { type Cells, findModes, type Modes } from "./modes";

export type ModesQuestion = { id: number; cells: Cells; count: number };
export type ModesReply = { id: number; modes: Modes };

self.onmessage = ({ data: { id, cells, count } }: MessageEvent<ModesQuestion>) => {
  const modes = findModes(cells, count);
  const transfer = [modes.values, ...modes.shapes].map(({ buffer }) => buffer as ArrayBuffer);
  self.postMessage({ id, modes } satisfies ModesReply, { transfer });
};
