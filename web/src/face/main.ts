import { openNetwork } from "../core/network";

// A placeholder until the face is built: open a network, let it hear an empty image, and say how long that took.
const network = await openNetwork("./models/wires/");
const [height, width] = network.manifest.image.size ?? [64, 64];
const channels = network.manifest.image.channels;
const data = new Float32Array(channels * height * width);
const hearing = await network.hear({ data, channels, height, width });
console.log(network.manifest.name, hearing.milliseconds, "ms", hearing.layers.length, "layers");
document.body.dataset["ready"] = String(Math.round(hearing.milliseconds));
