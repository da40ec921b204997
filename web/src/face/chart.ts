import { svg } from "./dom";

/** One curve: values at equal distances from left to right, over a part of the width if it says so. */
export interface Curve {
  values: ArrayLike<number>;
  of: "a" | "b";
  from?: number;
  to?: number;
}

/** A small chart with curves that share one scale, a cursor, and words at its ends. */
export class Chart {
  readonly node: SVGSVGElement;
  private readonly curves = svg("g", {});
  private readonly cursor = svg("line", { class: "now", y1: 4, y2: 56, "vector-effect": "non-scaling-stroke" });
  private readonly dot = svg("circle", { class: "dot", r: 3.5 });
  private readonly left = svg("text", { x: 0, y: 71 });
  private readonly right = svg("text", { y: 71, "text-anchor": "end" });
  private readonly zero = svg("line", { class: "axis", x1: 0 });
  private width = 300;
  private drawn: { curves: Curve[]; low: number; high: number; bars: boolean } = {
    curves: [],
    low: 0,
    high: 1,
    bars: false,
  };
  private place: number | null = null;

  /** @param label says what is seen, for those who do not see it. */
  constructor(label: string, testId: string) {
    this.node = svg("svg", { class: "chart", role: "img", "aria-label": label, "data-testid": testId });
    this.node.append(this.zero, this.curves, this.cursor, this.dot, this.left, this.right);
    new ResizeObserver(([entry]) => {
      const width = Math.round(entry.contentRect.width);
      if (!width || width === this.width) return;
      this.width = width;
      this.redraw();
    }).observe(this.node);
  }

  /** Draw curves between low and high; as bars, each value is a line from the axis. */
  draw(curves: Curve[], low: number, high: number, bars = false): void {
    this.drawn = { curves, low, high: high > low ? high : low + 1, bars };
    this.redraw();
  }

  /** Put the cursor at a share of the width, or nowhere. */
  now(place: number | null): void {
    this.place = place;
    const curve = this.drawn.curves.find(({ to = 1 }) => place !== null && place <= to);
    for (const node of [this.cursor, this.dot])
      node.setAttribute("visibility", place === null || !curve ? "hidden" : "visible");
    if (place === null || !curve) return;
    const x = String(place * this.width);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    const { from = 0, to = 1 } = curve;
    const at = ((place - from) / (to - from)) * (curve.values.length - 1);
    const low = Math.floor(at);
    const [one, other] = [curve.values[low], curve.values[Math.min(low + 1, curve.values.length - 1)]];
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", String(this.y(one + (other - one) * (at - low))));
  }

  /** Words under the ends of the axis. */
  ends(left: string, right: string): void {
    this.left.textContent = left;
    this.right.textContent = right;
  }

  private y(value: number): number {
    const { low, high } = this.drawn;
    return 56 - (52 * (value - low)) / (high - low);
  }

  private redraw(): void {
    const { curves, low, bars } = this.drawn;
    this.curves.replaceChildren(
      ...curves.map(({ values, of, from = 0, to = 1 }, index) => {
        const count = values.length;
        const points = Array.from({ length: count }, (_, i) => {
          const x = bars
            ? ((i + 0.5 + (index - (curves.length - 1) / 2) * 0.3) / count) * this.width
            : (from + ((to - from) * i) / Math.max(1, count - 1)) * this.width;
          const y = this.y(values[i]).toFixed(2);
          return bars ? `M${x.toFixed(2)} ${this.y(low)}V${y}` : `${i ? "L" : "M"}${x.toFixed(2)} ${y}`;
        });
        const path = svg("path", { class: bars ? `${of} bars` : of, d: points.join("") });
        if (bars) path.style.strokeWidth = `${Math.max(2, Math.min(7, (this.width / count) * 0.26))}px`;
        return path;
      }),
    );
    const ground = String(this.y(Math.max(low, Math.min(0, this.drawn.high))));
    this.zero.setAttribute("y1", ground);
    this.zero.setAttribute("y2", ground);
    this.zero.setAttribute("x2", String(this.width));
    this.right.setAttribute("x", String(this.width));
    this.now(this.place);
  }
}
