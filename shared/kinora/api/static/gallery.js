// The grid of media.

import { listMedia } from "./client.js";
import { $, element, nameOf, show, sizeOf } from "./dom.js";
import { isUnderWay } from "./jobs.js";
import { view } from "./viewer.js";

const URL_MILLISECONDS = 600_000; // a picture that fails to load later than this is drawn again with a new address

let pages = 1;

/** Shows all media of the pages asked for so far; `jobs` tell what is to become of those without a picture. */
export async function showMedia(jobs) {
  const media = [];
  let cursor = null;
  for (let page = 0; page < pages; page += 1) {
    const answer = await listMedia(cursor);
    media.push(...answer.media);
    cursor = answer.cursor;
    if (!cursor) break;
  }
  $("more").hidden = !cursor;
  // Newest first: the first job of a hash is its latest.
  const states = new Map(jobs.map((job) => [job.hash, isUnderWay(job) ? "under way" : job.state]).reverse());
  show($("media"), media, {
    key: (medium) => medium.hash,
    // Signed addresses differ at every call and say nothing; the state shows only where there is no picture.
    digest: (medium) => JSON.stringify([medium.thumbnail_url ? "picture" : states.get(medium.hash), Boolean(medium.stream_url), medium.originals]),
    draw: (medium) => card(medium, states.get(medium.hash)),
  });
}

export const showOnePageMore = () => { pages += 1; };

function card(medium, state) {
  const name = medium.originals.length ? nameOf(medium.originals[0]) : medium.hash.slice(0, 12);
  const button = element(
    "button", { type: "button", onclick: () => view(medium, name) },
    element("span", { className: "frame" }, medium.thumbnail_url ? picture(medium) : emptyFrame(medium, state)),
    element("span", { className: "name", textContent: name, title: name }),
    element("span", { className: "about", textContent: `${medium.media_type} · ${sizeOf(medium.size)}` }),
  );
  return element("li", { className: medium.stream_url ? "video" : medium.kind }, button);
}

function picture(medium) {
  const made = Date.now();
  const image = element("img", { src: medium.thumbnail_url, alt: "", loading: "lazy" });
  image.addEventListener("error", () => {
    const drawn = image.closest("li");
    if (drawn && Date.now() - made > URL_MILLISECONDS) drawn.dataset.digest = "";
  });
  return image;
}

function emptyFrame(medium, state) {
  if (state === "failed") return element("span", { className: "state failed", textContent: "failed" });
  if (state === "under way") return element("span", { className: "state", textContent: "in the making…" });
  return element("span", { className: "state", textContent: medium.kind === "audio" ? "♪" : "no picture" });
}
