/**
 * The discrete Fourier transform of complex numbers of any count, in place: powers of two by halving, other counts as a
 * convolution with a chirp (Bluestein).
 */
export function fourier(re: Float64Array, im: Float64Array): void {
  const count = re.length;
  if (count < 2) return;
  if (count & (count - 1)) chirp(re, im);
  else halving(re, im);
}

/** Magnitudes of the bins 0 .. floor(n / 2) of a real series, zeros appended up to `padded` entries. */
export function magnitudes(series: ArrayLike<number>, padded = series.length): Float64Array {
  const re = new Float64Array(padded);
  for (let t = 0; t < Math.min(padded, series.length); t++) re[t] = series[t];
  const im = new Float64Array(padded);
  fourier(re, im);
  return Float64Array.from({ length: (padded >> 1) + 1 }, (_, k) => Math.hypot(re[k], im[k]));
}

function halving(re: Float64Array, im: Float64Array): void {
  const count = re.length;
  for (let i = 1, j = 0; i < count; i++) {
    let bit = count >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  const cos = Float64Array.from({ length: count >> 1 }, (_, k) => Math.cos((2 * Math.PI * k) / count));
  const sin = Float64Array.from({ length: count >> 1 }, (_, k) => -Math.sin((2 * Math.PI * k) / count));
  for (let half = 1; half < count; half *= 2) {
    const stride = count / (2 * half);
    for (let start = 0; start < count; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const [near, far, turn] = [start + k, start + k + half, k * stride];
        const r = re[far] * cos[turn] - im[far] * sin[turn];
        const i = re[far] * sin[turn] + im[far] * cos[turn];
        re[far] = re[near] - r;
        im[far] = im[near] - i;
        re[near] += r;
        im[near] += i;
      }
    }
  }
}

function chirp(re: Float64Array, im: Float64Array): void {
  const count = re.length;
  let size = 1;
  while (size < 2 * count - 1) size *= 2;
  const cos = new Float64Array(count);
  const sin = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const angle = (Math.PI * ((k * k) % (2 * count))) / count; // k * k is exact up to 94 million entries
    cos[k] = Math.cos(angle);
    sin[k] = Math.sin(angle);
  }
  const [ar, ai, br, bi] = [0, 0, 0, 0].map(() => new Float64Array(size));
  for (let k = 0; k < count; k++) {
    ar[k] = re[k] * cos[k] + im[k] * sin[k];
    ai[k] = im[k] * cos[k] - re[k] * sin[k];
    br[k] = br[(size - k) % size] = cos[k];
    bi[k] = bi[(size - k) % size] = sin[k];
  }
  halving(ar, ai);
  halving(br, bi);
  for (let k = 0; k < size; k++) {
    const r = ar[k] * br[k] - ai[k] * bi[k];
    ai[k] = -(ar[k] * bi[k] + ai[k] * br[k]); // conjugate, so that the transform forward is the one backward
    ar[k] = r;
  }
  halving(ar, ai);
  for (let k = 0; k < count; k++) {
    const [r, i] = [ar[k] / size, -ai[k] / size];
    re[k] = r * cos[k] + i * sin[k];
    im[k] = i * cos[k] - r * sin[k];
  }
}
