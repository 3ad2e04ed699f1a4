// The grid of media.

import { listMedia } from "./client.js";
import { $, element, nameOf, show, sizeOf } from "./dom.js";
import { isUnderWay } from "./jobs.js";
import { view } from "./viewer.js";

const URL_MILLISECONDS = 600_000; // a picture that fails to load later than this is drawn again with a new address

const STILL = matchMedia("(prefers-reduced-motion: reduce)");

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
    digest: (medium) => JSON.stringify([medium.thumbnail_url ? "picture" : states.get(medium.hash), Boolean(medium.stream_url), Boolean(medium.preview_url), medium.originals]),
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
  if (medium.preview_url) movePreview(button, medium.preview_url);
  return element("li", { className: medium.stream_url ? "video" : medium.kind }, button);
}

/** Shows the animated preview while a card is pointed at or focused, unless somebody wants things to stand still. */
function movePreview(button, url) {
  const drawnAt = Date.now();
  const start = ({ type }) => {
    const isReturn = type === "focus" && !button.matches(":focus-visible"); // of the focus, when the viewer was closed
    if (STILL.matches || isReturn || button.querySelector(".preview")) return;
    const preview = element("img", { className: "preview", src: url, alt: "" });
    preview.addEventListener("error", () => { preview.remove(); drawAgain(button.closest("li"), drawnAt); });
    button.querySelector(".frame").append(preview);
  };
  const stop = () => button.querySelector(".preview")?.remove();
  for (const type of ["pointerenter", "focus"]) button.addEventListener(type, start);
  for (const type of ["pointerleave", "blur", "click"]) button.addEventListener(type, stop);
}

function picture(medium) {
  const image = element("img", { src: medium.thumbnail_url, alt: "", loading: "lazy" });
  const drawnAt = Date.now();
  image.addEventListener("error", () => drawAgain(image.closest("li"), drawnAt));
  return image;
}

/** Lets a card whose picture failed to load be drawn again with a new address, if the old one may be too old. */
function drawAgain(card, drawnAt) {
  if (card && Date.now() - drawnAt > URL_MILLISECONDS) card.dataset.digest = "";
}

function emptyFrame(medium, state) {
  if (state === "failed") return element("span", { className: "state failed", textContent: "failed" });
  if (state === "under way") return element("span", { className: "state", textContent: "in the making…" });
  return element("span", { className: "state", textContent: medium.kind === "audio" ? "♪" : "no picture" });
}
