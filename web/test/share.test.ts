import { describe, expect, it } from "vitest";
import { decode, encode, LONGEST, ShareError } from "../src/core/share";
import type { Shared } from "../src/types";

function shared(change: Partial<Shared> = {}): Shared {
  const image = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i % 192 < 60 && i < 6000 ? 200 : 0));
  return {
    version: 1, mode: "waves", model: "tetrominoes", width: 64, height: 64, channels: 3, image, coupling: true, layer: 0,
    sheet: "all", overlay: "waves", frame: null, speed: 1, spots: [{ y: 3, x: 5 }], ...change,
  };
}

async function pack(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return `1.${Buffer.from(await new Response(stream).arrayBuffer()).toString("base64url")}`;
}

function whole(head: unknown, image: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof head === "string" ? head : JSON.stringify(head));
  return Uint8Array.from([text.length & 255, text.length >> 8, ...text, ...image]);
}

describe("a permalink", () => {
  it("keeps everything and is short", async () => {
    for (const change of [{}, { mode: "drum", frame: 12, sheet: 3, overlay: "omega", coupling: false, spots: [] }] as const) {
      const one = shared(change as Partial<Shared>);
      const fragment = await encode(one);
      expect(fragment.length).toBeLessThan(600);
      expect(fragment).toMatch(/^1\.[\w-]+$/);
      expect(await decode(fragment)).toEqual(one);
      expect(await decode(`#${fragment}`)).toEqual(one);
    }
  });

  it("refuses what is too large or wrong to be kept", async () => {
    let state = 1;
    const noise = Uint8Array.from({ length: 256 * 256 * 3 }, () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 24);
    await expect(encode(shared({ width: 256, height: 256, image: noise }))).rejects.toThrow(/too much detail/);
    await expect(encode(shared({ width: 63 }))).rejects.toThrow(ShareError);
  });
});

describe("a hostile fragment", () => {
  it("ends in a sentence wherever it is cut or changed", async () => {
    const good = await encode(shared());
    for (let length = 0; length < good.length; length++) {
      await expect(decode(good.slice(0, length)), `cut at ${length}`).rejects.toThrow(ShareError);
    }
    let survived = 0;
    for (let i = 2; i < good.length; i++) {
      const other = good[i] === "A" ? "B" : "A";
      await decode(good.slice(0, i) + other + good.slice(i + 1)).then(
        () => survived++,
        (error: unknown) => expect(error).toBeInstanceOf(ShareError),
      );
    }
    expect(survived).toBeLessThanOrEqual(1); // the last letter may hold bits that nothing reads
  });

  it.each(["", "1.", "2.abc", "1.é", "1.%%%", "hello", "1.AAAA", `1.${"A".repeat(LONGEST)}`].map((text) => [text.slice(0, 12), text]))("%s is refused", async (_, text) => {
    await expect(decode(text)).rejects.toThrow(ShareError);
  });

  it("cannot blow up: what inflates to 40 MB is given up early", async () => {
    const bomb = await pack(new Uint8Array(40_000_000));
    expect(bomb.length).toBeLessThan(LONGEST);
    const before = process.memoryUsage().rss;
    const began = performance.now();
    await expect(decode(bomb)).rejects.toThrow(/too large/);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(40e6);
  });

  it("with sizes, names and places out of range is refused", async () => {
    const { image, ...head } = shared();
    const wrong: Record<string, unknown>[] = [
      { width: 65 }, { width: 1e9, height: 1e9 }, { width: -1 }, { width: 1.5 }, { width: "64" }, { height: null },
      { channels: 2 }, { version: 2 }, { mode: "x" }, { model: "../../secret" }, { model: "" }, { model: "a".repeat(99) },
      { model: "<b>" }, { layer: -1 }, { sheet: "some" }, { overlay: "__proto__" }, { frame: 1e9 }, { speed: 0 },
      { speed: null }, { spots: [{ y: 64, x: 0 }] }, { spots: [null] }, { spots: new Array(9).fill({ y: 0, x: 0 }) }, { spots: {} },
      { coupling: 1 },
    ];
    for (const change of wrong) {
      await expect(decode(await pack(whole({ ...head, ...change }, image))), JSON.stringify(change)).rejects.toThrow(ShareError);
    }
    for (const text of ["null", "[]", "3", "{", ""]) await expect(decode(await pack(whole(text, image)))).rejects.toThrow(ShareError);
    await expect(decode(await pack(whole(head, image.slice(1))))).rejects.toThrow(/another size/);
    await expect(decode(await pack(Uint8Array.of(255, 255, 1)))).rejects.toThrow(/missing/);
    const extra = await decode(await pack(whole({ ...head, onload: "x", __proto__: { a: 1 } }, image)));
    expect(Object.keys(extra).sort()).toEqual(Object.keys(shared()).sort());
  });
});
