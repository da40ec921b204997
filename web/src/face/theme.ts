import { byId, setIcon, setText } from "./dom";
import type { Store } from "./state";

const KEY = "drumhead-theme";

/** Whether the page starts dark: what was chosen here before, or what the system prefers. */
export function startsDark(): boolean {
  const chosen = stored();
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Show light or dark, switch between them, and follow the system as long as nobody has chosen. */
export function createTheme(store: Store): void {
  const button = byId("theme-button");
  button.addEventListener("click", () => {
    const dark = !store.state.dark;
    try {
      localStorage.setItem(KEY, dark ? "dark" : "light");
    } catch {
      // private windows may refuse: then the choice lasts as long as the page
    }
    store.update({ dark });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ({ matches }) => {
    if (!stored()) store.update({ dark: matches });
  });
  store.listen(({ dark }, changed) => {
    if (!changed("dark")) return;
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
    document.querySelector('meta[name="theme-color"]')?.setAttribute("content", dark ? "#0d1220" : "#f6f1e6");
    setIcon(button, dark ? "sun" : "moon");
    setText(button.lastElementChild as Element, dark ? "Light colours" : "Dark colours");
    button.title = dark ? "Light colours (T)" : "Dark colours (T)";
  });
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
