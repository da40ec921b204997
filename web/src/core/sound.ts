import { magnitudes } from "./fourier";
import type { Field } from "../types";

/** Samples a second. */
export const RATE = 22_050;
const HZ_PER_OMEGA = 200;
const SECONDS = 1.5;
const DECAY = 0.35; // seconds

/** What a pixel of the image hears: a series for each sheet, (c)(t), from the frames of a layer. */
export function seriesAt(frames: Field[], stride: number, y: number, x: number): Float32Array[] {
  const [{ channels, height, width }] = frames;
  const row = Math.min(height - 1, Math.floor(y / stride));
  const column = Math.min(width - 1, Math.floor(x / stride));
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from(frames, (frame) => frame.data[(c * height + row) * width + column]),
  );
}

/** Magnitude spectrum of a series (c)(t), root mean square over sheets: floor(padded / 2) + 1 bins. */
export function spectrum(series: ArrayLike<number>[], padded = series[0]?.length ?? 0): Float64Array {
  const power = new Float64Array((padded >> 1) + 1);
  for (const one of series) magnitudes(one, padded).forEach((value, k) => (power[k] += (value * value) / series.length));
  return power.map(Math.sqrt);
}

/**
 * A struck tone with the spectrum of a series, as `drumhead.show.sound.tone` plays it.
 *
 * The waves of a network die within a few periods, too short to hear, so each bin of the spectrum is a sine, 200 Hz for
 * an omega of 1, and all fade together as a struck drum does.
 *
 * @param series (c)(t): what a pixel heard in each sheet.
 * @param dt time between two entries.
 * @returns 1.5 seconds in [-1, 1] at `RATE`.
 */
export function tone(series: ArrayLike<number>[], dt: number): Float32Array {
  const magnitude = spectrum(series).subarray(1);
  const step = (2 * Math.PI) / ((series[0]?.length ?? 0) * dt);
  const partials = Array.from(magnitude, (size, k) => ({ size, hz: HZ_PER_OMEGA * step * (k + 1), fade: DECAY }));
  return struck(partials, SECONDS);
}

/** A partial of a struck sound: `fade` is the time in seconds in which it falls to 1 / e. */
export interface Partial {
  size: number;
  hz: number;
  fade: number;
}

/** Sum partials that begin together and fade; the loudest sample is 1. */
export function struck(partials: Partial[], seconds: number): Float32Array {
  const count = Math.round(seconds * RATE);
  const sound = new Float64Array(count);
  for (const { size, hz, fade } of partials) {
    if (!size || hz >= RATE / 2) continue;
    const angle = (2 * Math.PI * hz) / RATE;
    const shrink = Math.exp(-1 / (fade * RATE));
    let envelope = size;
    for (let i = 0; i < count; i++) {
      sound[i] += envelope * Math.sin(angle * i);
      envelope *= shrink;
    }
  }
  let loudest = 1e-12;
  for (let i = 0; i < count; i++) {
    sound[i] *= Math.min(1, i / RATE / 0.005); // no click at the start
    loudest = Math.max(loudest, Math.abs(sound[i]));
  }
  return Float32Array.from(sound, (value) => value / loudest);
}

/** A sound that is playing. */
export interface Playing {
  stop(): void;
  ended: Promise<void>;
}

let speaker: AudioContext | null = null;

/**
 * Play samples.
 *
 * @param samples in [-1, 1].
 * @param rate samples a second.
 * @param context where to: by default the loudspeaker, which browsers open only after a click or a key; an
 *   OfflineAudioContext records instead.
 */
export function play(samples: Float32Array, rate: number, context?: BaseAudioContext): Playing {
  let target = context;
  if (!target) {
    speaker ??= new AudioContext();
    void speaker.resume();
    target = speaker;
  }
  const buffer = target.createBuffer(1, Math.max(1, samples.length), rate);
  buffer.getChannelData(0).set(samples);
  const source = target.createBufferSource();
  source.buffer = buffer;
  source.connect(target.destination);
  const ended = new Promise<void>((resolve) => source.addEventListener("ended", () => resolve(), { once: true }));
  source.start();
  return { stop: () => source.stop(), ended };
}
