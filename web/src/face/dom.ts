/** Small helpers around the DOM; no text ever goes in as HTML. */

type Props = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;
type Child = Node | string | null;

const SVG = "http://www.w3.org/2000/svg";

/** The element of index.html with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/**
 * Make an element: attributes by name, listeners as functions named "onclick" and the like.
 *
 * `false`, `null` and `undefined` leave an attribute out, `true` sets it empty.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill<E extends Element>(node: E, props: Props, children: Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value as EventListener);
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** One of the icons of index.html. */
export function icon(name: string): SVGSVGElement {
  return svg("svg", { "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** Show another icon in a button that has one. */
export function setIcon(button: Element, name: string): void {
  button.querySelector("use")?.setAttribute("href", `#i-${name}`);
}

/** Set text only where it changes, so that screen readers and layout rest. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** A group of which one is chosen: arrows move the choice, as radio buttons do. */
export function radios(group: HTMLElement, choose: (value: string) => void): (value: string) => void {
  const buttons = () => [...group.querySelectorAll<HTMLButtonElement>('[role="radio"]:not([hidden])')];
  group.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>('[role="radio"]');
    if (button && !button.disabled) choose(button.value);
  });
  group.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const all = buttons().filter((button) => !button.disabled);
    const index = all.indexOf(document.activeElement as HTMLButtonElement);
    if (!move || index < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = all[(index + move + all.length) % all.length];
    next.focus();
    choose(next.value);
  });
  return (value) => {
    const all = buttons();
    const chosen = all.find((button) => button.value === value);
    for (const button of all) {
      button.setAttribute("aria-checked", String(button === chosen));
      button.tabIndex = button === (chosen ?? all[0]) ? 0 : -1;
    }
  };
}
