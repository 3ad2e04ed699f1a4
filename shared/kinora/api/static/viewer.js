// One medium, large: its picture or its stream, its addresses, its removal.

import { getMedia, removeMedia } from "./client.js";
import { $, element } from "./dom.js";
import { isUnderWay } from "./jobs.js";
import { play } from "./player.js";

let stop = () => {};
let shown = null;
let onChange = () => {};

/** `changed` is called when a medium was removed. */
export function prepareViewer(changed) {
  onChange = changed;
  $("viewer-close").addEventListener("click", () => $("viewer").close());
  $("viewer").addEventListener("click", (event) => event.target === $("viewer") && $("viewer").close()); // beside it
  // The event comes later than the closing: another medium may be open by then.
  $("viewer").addEventListener("close", () => { if (!$("viewer").open) clear(); });
}

export async function view({ hash }, name) {
  clear();
  shown = hash;
  $("viewer-title").textContent = name;
  $("remove").onclick = () => remove(hash);
  if (!$("viewer").open) $("viewer").showModal();
  try {
    const medium = await getMedia(hash);
    if (shown !== hash) return;
    showContent(medium, name);
    showAddresses(medium);
  } catch (error) {
    note(error.message);
  }
}

function clear() {
  shown = null;
  stop();
  stop = () => {};
  $("stage").replaceChildren();
  $("addresses").open = false;
  $("links").replaceChildren();
  note("");
}

const note = (sentence) => { $("viewer-note").textContent = sentence; };

function showContent(medium, name) {
  const pictures = medium.derivatives.filter((one) => one.name.startsWith("image/")).sort((a, b) => b.width - a.width);
  if (medium.stream_url) {
    const player = element(medium.kind === "audio" ? "audio" : "video", { controls: true, playsInline: true, autoplay: true });
    const poster = medium.derivatives.find((one) => one.name === "poster");
    if (poster) player.poster = poster.url;
    $("stage").append(player);
    stop = play(player, medium.stream_url, note);
  } else if (pictures.length) {
    $("stage").append(element("img", { src: pictures[0].url, alt: name }));
  } else {
    const job = medium.jobs[0];
    note(job && isUnderWay(job) ? "This is still being worked on." : job?.error?.message ?? "There is nothing to show of this.");
  }
}

function showAddresses(medium) {
  const addresses = [
    ...medium.originals.map((one) => ["original", one.url]),
    ...(medium.stream_url ? [["stream", medium.stream_url]] : []),
    ...medium.derivatives.filter((one) => one.name !== "stream").map((one) => [one.name, one.url]),
  ];
  $("links").replaceChildren(...addresses.map(([label, url]) => {
    const href = new URL(url, location.href).href;
    return element("li", {}, element("span", { textContent: label }), element("a", { href, textContent: href, target: "_blank" }));
  }));
}

function remove(hash) {
  if (!confirm("Delete the thumbnails, streams and jobs of this medium? Its originals stay.")) return;
  removeMedia(hash).then(() => { $("viewer").close(); onChange(); }, (error) => note(error.message));
}
