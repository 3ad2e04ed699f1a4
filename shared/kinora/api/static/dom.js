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

export function sizeOf(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
