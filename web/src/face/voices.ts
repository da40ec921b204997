import { drumTone, heardSpectrum, seriesOf, strike } from "../core/drum";
import { RATE, seriesAt, spectrum, tone } from "../core/sound";
import { onDrum } from "./drumkit";
import { sheet } from "./sheets";
import type { Spot, State } from "./state";
import { locate, startOf, total } from "./timeline";

/** What one place hears: a curve over time, how much of each frequency, and the sound of it. */
export interface Voice {
  /** One for each layer. */
  course: { values: Float32Array; from: number; to: number }[];
  spectrum: Float64Array;
  /** The largest angular frequency of the spectrum. */
  top: number;
  sound(): Float32Array;
}

const DRUM_STEPS = 1024;
const SEEN = 200; // of the drum's steps, as the course; what follows repeats

/** What a spot hears in the present mode; null where there is nothing yet. */
export function voiceOf(state: Readonly<State>, spot: Spot | null): Voice | null {
  if (!spot) return null;
  return state.mode === "drum" ? drumVoice(state, spot) : waveVoice(state, spot);
}

function waveVoice({ hearing, at, sheet: which }: Readonly<State>, { y, x }: Spot): Voice | null {
  if (!hearing?.layers.length) return null;
  const layer = hearing.layers[locate(hearing, at).layer];
  const series = seriesAt(layer.frames.slice(1), layer.stride, y, x);
  const end = total(hearing);
  const course = hearing.layers.map((one, index) => {
    const { frames, scale } = sheet(one, which);
    const { width, height } = one.frames[0];
    const place =
      Math.min(height - 1, Math.floor(y / one.stride)) * width + Math.min(width - 1, Math.floor(x / one.stride));
    const from = startOf(hearing, index) / end;
    return { values: Float32Array.from(frames, (frame) => frame[place] / scale), from, to: from + one.steps / end };
  });
  return {
    course,
    spectrum: spectrum(series).slice(1),
    top: Math.PI / layer.dt,
    sound: () => tone(series, layer.dt),
  };
}

function drumVoice({ drum }: Readonly<State>, spot: Spot): Voice | null {
  if (!drum?.modes || !onDrum(drum, spot)) return null;
  const { modes } = drum;
  const sizes = strike(modes, spot.y, spot.x);
  const series = seriesOf(modes, sizes, spot.y, spot.x, DRUM_STEPS, 0.5);
  const loud = heardSpectrum(series);
  const highest = Math.sqrt(modes.values[modes.values.length - 1]) * 1.05;
  const bins = Math.min(loud.length, Math.ceil((highest * DRUM_STEPS * 0.5) / (2 * Math.PI)));
  return {
    course: [{ values: Float32Array.from(series.subarray(0, SEEN)), from: 0, to: 1 }],
    spectrum: loud.slice(1, bins),
    top: highest,
    sound: () => drumTone(modes, sizes, spot.y, spot.x),
  };
}

export { RATE };
