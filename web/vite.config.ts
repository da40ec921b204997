import { defineConfig } from "vitest/config";

// Exported networks are put beside what is built here (make page), so nothing but the page's own assets is emptied.
export default defineConfig({
  base: "./", // any static host, any sub-folder
  build: {
    outDir: "../src/drumhead/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the page's content security policy allows no data: scripts
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  test: { include: ["test/**/*.test.ts"], environment: "node", testTimeout: 30_000 },
});
