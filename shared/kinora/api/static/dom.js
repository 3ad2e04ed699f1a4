// The few things that every part of the page does with elements.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * Lets `list` show `items` in their order. An item whose `digest` is what it was keeps its element, so that focus stays and
 * pictures are not loaded again.
 */
export function show(list, items, { key, digest, draw }) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const state = { key: key(item), digest: digest(item) };
    const kept = before.get(state.key);
    if (kept?.dataset.digest === state.digest) return kept;
    const drawn = draw(item);
    Object.assign(drawn.dataset, state);
    return drawn;
  });
  for (const child of before.values()) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, place) => {
    if (list.children[place] !== child) list.insertBefore(child, list.children[place] ?? null);
  });
}

/** Says something to those who do not see the page. */
export const announce = (sentence) => { $("announcement").textContent = sentence; };

export const nameOf = (key) => key.split("/").pop();

/** Seconds as `1:02.5`, with hours where there are any. */
export function timeOf(seconds, digits = 0) {
  const rounded = Number(seconds.toFixed(digits));
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  const rest = (rounded % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** The seconds of `62.5`, `1:02.5` or `0:01:02.5`; NaN for anything else. */
export function secondsOf(text) {
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(text.trim())) return NaN;
  return text.trim().split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function sizeOf(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
