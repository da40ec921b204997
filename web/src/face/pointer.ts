import type { Place } from "../core/raster";
import type { Field } from "../types";
import { fit, placeOn } from "./fit";
import { colourOf, filled, polygon, settle, STAMPS, stamped, stroke } from "./pencil";
import { stampOf } from "./samples";
import type { Stage } from "./stage";
import type { Spot, Store } from "./state";

export interface Hand {
  /** A drawing is finished and is to be heard. */
  draw(image: Field): void;
  /** A pixel was touched to be listened to, or struck. */
  touch(spot: Spot): void;
}

/** Drawing, stamping, listening and striking on the stage, by pointer and by keyboard. */
export function createPointer(stage: Stage, store: Store, hand: Hand): void {
  const { canvas } = stage;
  let from: Place | null = null;
  let sketch: Field | null = null;
  let corners: Place[] = [];
  let hover: Place | null = null;
  let keyed = false;
  let drawnIn = "";

  /** What a stroke belongs to: it does not go on in another mode or on another network's drawing. */
  const sheet = () => `${store.state.mode} ${store.state.model}`;
  const drop = () => {
    from = sketch = null;
    stage.drawing(false);
  };
  const placeOf = (event: PointerEvent): Place => {
    const box = canvas.getBoundingClientRect();
    return placeOn(fit(store.state.image, box.width), event.clientX - box.left, event.clientY - box.top);
  };
  const spotOf = ({ y, x }: Place): Spot => {
    const { width, height } = store.state.image;
    return { y: Math.max(0, Math.min(height - 1, Math.floor(y))), x: Math.max(0, Math.min(width - 1, Math.floor(x))) };
  };

  function begin(place: Place): void {
    const { state } = store;
    if (state.tool === "listen" || state.tool === "strike") hand.touch(spotOf(place));
    else if (state.tool === "fill") hand.draw(filled(state, place));
    else if (STAMPS.includes(state.tool)) hand.draw(stamped(state, place));
    else if (state.tool === "polygon") addCorner(place);
    else {
      from = place;
      drawnIn = sheet();
      sketch = stroke(state, state.image, place, place);
      stage.drawing(true);
      store.update({ image: sketch });
    }
  }

  function move(place: Place): void {
    hover = place;
    if (from && drawnIn !== sheet()) drop();
    if (from && sketch) {
      sketch = stroke(store.state, sketch, from, place);
      from = place;
      store.update({ image: sketch });
    }
    show();
  }

  function end(): void {
    const done = drawnIn === sheet() ? sketch : null;
    drop();
    if (done) hand.draw(done);
  }

  function addCorner(place: Place): void {
    const [first] = corners;
    const near = (store.state.image.width / 64) * 2.5;
    if (first && corners.length > 2 && Math.hypot(first.y - place.y, first.x - place.x) < near) closePolygon();
    else corners.push(place);
    show();
  }

  function closePolygon(): void {
    if (corners.length > 2) hand.draw(polygon(store.state, corners));
    corners = [];
    show();
  }

  /** What would happen here: the pen's width, a pale stamp, the polygon so far. */
  function show(): void {
    const { tool, brush, image, dark } = store.state;
    const place = hover;
    if ((!place && !corners.length) || from) return stage.ghost(null);
    const line = dark ? "#e3b365" : "#8a4f04";
    stage.ghost((context, pixel) => {
      context.strokeStyle = line;
      context.lineWidth = 1.5 / pixel;
      context.beginPath();
      if (tool === "polygon") {
        for (const { y, x } of place ? [...corners, place] : corners) context.lineTo(x, y);
        context.stroke();
        for (const { y, x } of corners) {
          context.beginPath();
          context.arc(x, y, 4 / pixel, 0, 2 * Math.PI);
          context.fillStyle = line;
          context.fill();
        }
      } else if (place && (tool === "pen" || tool === "eraser")) {
        context.arc(place.x, place.y, Math.max(0.5, tool === "eraser" ? brush * 0.8 : brush / 2), 0, 2 * Math.PI);
        context.stroke();
      } else if (place && STAMPS.includes(tool)) {
        const stamp = stampOf(store.state);
        const { height, width, data } = stamp.field;
        const middle = settle(stamp, image, place);
        const [top, left] = [Math.round(middle.y - height / 2), Math.round(middle.x - width / 2)];
        const [r, g, b] = colourOf(store.state).map((value) => Math.round(255 * value));
        context.fillStyle =
          image.channels === 3 ? `rgb(${r} ${g} ${b} / 60%)` : dark ? "rgb(236 230 216 / 50%)" : "rgb(33 29 23 / 40%)";
        stamp.cover.forEach((cover, i) => {
          if (cover && data[i] > 0.25 / stamp.field.channels)
            context.fillRect(left + (i % width), top + Math.floor(i / width), 1.02, 1.02);
        });
      }
      if (place && (keyed || tool === "listen" || tool === "strike" || tool === "fill")) cross(context, place, pixel);
    });
  }

  function cross(context: CanvasRenderingContext2D, { y, x }: Place, pixel: number): void {
    const arm = 9 / pixel;
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    keyed = false;
    canvas.setPointerCapture(event.pointerId);
    hover = placeOf(event);
    begin(hover);
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.isPrimary) return;
    keyed = false;
    for (const one of from ? (event.getCoalescedEvents?.() ?? [event]) : [event]) move(placeOf(one));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);
  canvas.addEventListener("pointerleave", () => {
    if (keyed) return;
    hover = null;
    show();
  });
  canvas.addEventListener("blur", () => {
    if (!keyed) return;
    keyed = false;
    hover = null;
    show();
  });
  canvas.addEventListener("keydown", (event) => {
    const { width, height } = store.state.image;
    const arrow = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) {
      const pace = event.shiftKey ? 8 : 1;
      const old = hover ?? { y: height / 2, x: width / 2 };
      keyed = true;
      hover = {
        y: Math.max(0.5, Math.min(height - 0.5, Math.floor(old.y) + 0.5 + arrow[0] * pace)),
        x: Math.max(0.5, Math.min(width - 0.5, Math.floor(old.x) + 0.5 + arrow[1] * pace)),
      };
      show();
    } else if (event.key === " ") {
      hover ??= { y: height / 2, x: width / 2 };
      keyed = true;
      begin(hover);
      end();
      show();
    } else if (event.key === "Enter" && corners.length) closePolygon();
    else if (event.key === "Escape" && corners.length) {
      corners = [];
      show();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  store.listen((_, changed) => {
    if (changed("tool", "mode", "model", "turns", "piece", "digit", "dot", "sides")) {
      if (changed("tool", "mode", "model")) corners = [];
      show();
    }
  });
}
