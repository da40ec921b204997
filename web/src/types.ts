/** Numbers on a grid: data[(c * height + y) * width + x]. */
export interface Field {
  data: Float32Array;
  channels: number;
  height: number;
  width: number;
}

export interface ClassInfo {
  name: string;
  colour: string;
}

export interface Layer {
  kind: "stepped" | "cell" | "closed";
  channels: number;
  steps: number;
  dt: number;
  stride: number;
  omega?: Field;
  alpha?: Field;
  /** y_0 .. y_T */
  frames: Field[];
}

/** What the network would answer after a step of the last layer. */
export interface Answer {
  step: number;
  labels: Uint8Array;
  /** The largest probability at each pixel. */
  confidence: Float32Array;
  /** Pixels of each class over all pixels. */
  shares: Float32Array;
}

export interface Hearing {
  width: number;
  height: number;
  layers: Layer[];
  answers: Answer[];
  milliseconds: number;
  coupled: boolean;
}

export interface Network {
  manifest: Manifest;
  hear(image: Field, options?: { coupling?: boolean; signal?: AbortSignal }): Promise<Hearing>;
  close(): void;
}

/** Everything that a permalink keeps. */
export interface Shared {
  version: 1;
  mode: "waves" | "drum";
  model: string;
  width: number;
  height: number;
  channels: 1 | 3;
  /** data[(y * width + x) * channels + k] */
  image: Uint8Array;
  coupling: boolean;
  layer: number;
  sheet: number | "all";
  overlay: "waves" | "omega" | "alpha" | "mask" | "none";
  frame: number | null;
  speed: number;
  spots: { y: number; x: number }[];
}

/** One graph of an exported network: the names that it reads and gives in the environment. */
export interface Graph {
  file: string;
  inputs: string[];
  outputs: string[];
}

interface AnyLayer {
  channels: number;
  steps: number;
  dt: number;
  stride: number;
  medium: Graph;
  hear: Graph | null;
  tell: Graph | null;
}

export interface SteppedLayer extends AnyLayer {
  kind: "stepped" | "cell";
  step: Graph;
}

export interface ClosedLayer extends AnyLayer {
  kind: "closed";
  at: Graph;
}

export type LayerGraphs = SteppedLayer | ClosedLayer;

/** What `drumhead export` writes into manifest.json. */
export interface Manifest {
  format: "drumhead-export";
  version: 1;
  drumhead: string;
  name: string;
  task: string;
  family: string;
  preset: string;
  image: { channels: 1 | 3; size: [number, number] | null };
  classes: ClassInfo[];
  whole: Graph;
  begin: Graph | null;
  layers: LayerGraphs[];
  end: Graph | null;
  files: Record<string, { bytes: number; sha256: string }>;
}
