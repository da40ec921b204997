import type { Manifest, Shared } from "../types";

const SYMBOLS = ".#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/**
 * A complete Python script that does with drumhead what the page shows: the drawing, the network, what it answers and
 * what the chosen places hear; or the drum, its modes, and the area that they tell.
 */
export function pythonOf(shared: Shared, manifest: Manifest): string {
  return shared.mode === "drum" ? drumScript(shared) : wavesScript(shared, manifest);
}

function wavesScript(shared: Shared, manifest: Manifest): string {
  const spots = shared.spots.map(({ y, x }) => `(${y}, ${x})`).join(", ");
  const stacked = manifest.layers.length > 1;
  const layer = Math.min(shared.layer, Math.max(0, manifest.layers.length - 1));
  const { stride, dt } = manifest.layers[layer] ?? { stride: 1, dt: 1 };
  const lines = [
    `"""A drawing from drumhead's playground, and what the network "${quoted(manifest.name)}" makes of it."""`,
    "",
    ...imports(shared),
    "",
    "import drumhead as dh",
    "",
    ...imageLines(shared),
    "",
    `model = dh.load(${JSON.stringify(manifest.name)})`,
  ];
  if (!shared.coupling) lines.push("model = model.cut()  # no pixel feels its neighbours");
  lines.push(
    "x = dh.to_images(image[None])  # float (1, k, y, x) in [0, 1]",
    "labels = model.segment(x)[0].numpy()  # (y, x): a class for each pixel",
    `classes = [${manifest.classes.map(({ name }) => JSON.stringify(name)).join(", ")}]`,
    "for label, name in enumerate(classes):",
    "    print(f\"{name}: {(labels == label).mean():.1%} of all pixels\")",
  );
  if (manifest.layers.length) {
    lines.push(
      "",
      `waves = model.waves(x${stacked ? `, layer=${layer}` : ""})[0].detach().numpy()  # (t, c, y, x)`,
      "print(\"waves:\", waves.shape)",
    );
  }
  if (spots && manifest.layers.length) {
    lines.push(
      `for row, column in [${spots}]:`,
      `    series = waves[:, :, row // ${stride}, column // ${stride}]  # (t, c)`,
      "    loud = np.sqrt((np.abs(np.fft.rfft(series, axis=0)) ** 2).mean(1))",
      `    omega = 2 * np.pi * np.arange(len(loud)) / (len(series) * ${python(dt)})`,
      "    loudest = 1 + loud[1:].argmax()",
      "    print(f\"pixel ({row}, {column}) hears omega = {omega[loudest]:.3f} loudest\")",
    );
  }
  return `${lines.join("\n")}\n`;
}

function drumScript(shared: Shared): string {
  const lines = [
    `"""A drum drawn in drumhead's playground: its modes, and the area that they tell."""`,
    "",
    ...imports(shared),
    "from scipy import ndimage",
    "",
    "import drumhead as dh",
    "",
    ...imageLines(shared),
    "",
    "parts, _ = ndimage.label(image.max(-1) > 0.25 * 255)",
    "mask = parts == 1 + np.bincount(parts[parts > 0])[1:].argmax()  # the largest part of the drawing",
    "drum = dh.drum.from_mask(mask)",
    "modes = dh.drum.modes(drum, min(40, int(mask.sum())))",
    "heard = dh.drum.weyl(drum, values=modes.values)",
    "print(f\"area {drum.area:.0f}, heard {heard.smoothed[0]:.0f}\")",
    "print(f\"perimeter {drum.perimeter:.0f}, heard {heard.smoothed[1]:.0f}\")",
    "print(\"lowest modes:\", np.sqrt(modes.values[:8] / modes.values[0]).round(3), \"times the fundamental\")",
  ];
  const [struck] = shared.spots;
  if (struck) {
    const ear = shared.spots[1] ?? struck;
    lines.push(
      `series = dh.drum.strike(drum, (${struck.y}, ${struck.x}), steps=4000, listen=[(${ear.y}, ${ear.x})])[:, 0]`,
      `omega = float(dh.drum.fundamental(series, 0.5))`,
      `print(f"the place (${ear.y}, ${ear.x}) hears omega = {omega:.4f} as its fundamental")`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function imports(shared: Shared): string[] {
  return [...(palette(shared) ? [] : ["import base64", ""]), "import numpy as np"];
}

/** The drawing: as rows of letters where it has few colours, else as base64. */
function imageLines(shared: Shared): string[] {
  const { width, height, channels, image } = shared;
  const colours = palette(shared);
  if (!colours) {
    const text = btoa(Array.from(image, (byte) => String.fromCharCode(byte)).join(""));
    const rows = text.match(/.{1,110}/g) ?? [];
    return [
      'pixels = base64.b64decode("""',
      ...rows,
      '""")',
      `image = np.frombuffer(pixels, np.uint8).reshape(${height}, ${width}, ${channels}).copy()`,
    ];
  }
  const at = new Map(colours.map((colour, i) => [colour, SYMBOLS[i]]));
  const rows = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => at.get(colourOf(shared, y * width + x))).join(""),
  );
  return [
    `colours = {${colours.map((colour) => `"${at.get(colour)}": [${colour}]`).join(", ")}}`,
    'rows = """',
    ...rows,
    '""".split()',
    "image = np.array([[colours[one] for one in row] for row in rows], np.uint8)  # (y, x, k)",
  ];
}

function palette(shared: Shared): string[] | null {
  const found = new Set<string>(shared.channels === 1 ? ["0"] : ["0, 0, 0"]);
  for (let i = 0; i < shared.width * shared.height; i++) {
    found.add(colourOf(shared, i));
    if (found.size > 40) return null;
  }
  return [...found];
}

function colourOf({ image, channels }: Shared, pixel: number): string {
  return Array.from(image.subarray(pixel * channels, (pixel + 1) * channels)).join(", ");
}

function quoted(name: string): string {
  return name.replace(/[^\w. /-]/g, "?");
}

function python(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
