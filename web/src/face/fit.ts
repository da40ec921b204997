import type { Place } from "../core/raster";

/** Where a picture lies on a square: whole, in the middle, in its own shape. */
export interface Fit {
  /** The side of a pixel of the picture. */
  pixel: number;
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Fit a picture of so many pixels into a square of that side. */
export function fit(picture: { width: number; height: number }, side: number): Fit {
  const pixel = side / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * pixel, picture.height * pixel];
  return { pixel, left: (side - width) / 2, top: (side - height) / 2, width, height };
}

/** The place on the picture, in its pixels, of a point on the square; outside of the picture it goes on. */
export function placeOn({ pixel, left, top }: Fit, x: number, y: number): Place {
  return { y: (y - top) / pixel, x: (x - left) / pixel };
}
