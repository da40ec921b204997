/** Connected pixels of one label, and the pixel of it that is nearest to its middle. */
export interface Thing {
  label: number;
  y: number;
  x: number;
  size: number;
}

/** Find the objects of a mask that have at least so many pixels; 0 is the background. */
export function things(labels: ArrayLike<number>, width: number, height: number, least = 12): Thing[] {
  const seen = new Uint8Array(width * height);
  const found: Thing[] = [];
  for (let start = 0; start < seen.length; start++) {
    const label = labels[start];
    if (!label || seen[start]) continue;
    const part = [start];
    seen[start] = 1;
    for (let i = 0; i < part.length; i++) {
      const [y, x] = [Math.floor(part[i] / width), part[i] % width];
      for (const [row, column] of [
        [y - 1, x],
        [y + 1, x],
        [y, x - 1],
        [y, x + 1],
      ]) {
        const at = row * width + column;
        if (row < 0 || column < 0 || row >= height || column >= width || seen[at] || labels[at] !== label) continue;
        seen[at] = 1;
        part.push(at);
      }
    }
    if (part.length < least) continue;
    const my = part.reduce((sum, at) => sum + Math.floor(at / width), 0) / part.length;
    const mx = part.reduce((sum, at) => sum + (at % width), 0) / part.length;
    const far = (at: number) => (Math.floor(at / width) - my) ** 2 + ((at % width) - mx) ** 2;
    const nearest = part.reduce((best, at) => (far(at) < far(best) ? at : best));
    found.push({ label, y: Math.floor(nearest / width), x: nearest % width, size: part.length });
  }
  return found;
}
