// One medium, large: its picture or its stream, what is made of it, its addresses, its removal.

import { ApiError, getMedia, removeMedia } from "./client.js";
import { prepareCrops, showCrops } from "./crops.js";
import { $, element } from "./dom.js";
import { isUnderWay } from "./jobs.js";
import { prepareMoments, showMoments } from "./moments.js";
import { play } from "./player.js";
import { showProxy } from "./proxy.js";
import { showStages } from "./stages.js";
import { followPlayer } from "./timeline.js";
import { offerTracks } from "./tracks.js";

const PAUSE = 1000; // milliseconds between two looks at a medium of which something is in the making
const PARTS = ["work", "moments", "crops", "addresses"];

let shown = null; // what is open: hash, name, player, and the functions that end it
let timer = 0;
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
  shown = { hash, name, player: null, picture: null, timeline: null, ends: [] };
  $("viewer-title").textContent = name;
  $("remove").onclick = () => remove(hash);
  if (!$("viewer").open) $("viewer").showModal();
  await refresh();
}

function clear() {
  clearTimeout(timer);
  for (const end of shown?.ends ?? []) end();
  shown = null;
  for (const id of ["stage", "stages", "moment-list", "crop-list", "links", "proxy"]) $(id).replaceChildren();
  delete $("proxy").dataset.digest;
  delete $("work").dataset.told;
  for (const id of ["proxy", ...PARTS]) $(id).hidden = id !== "addresses";
  for (const id of PARTS) $(id).open = false;
  note("");
}

const note = (sentence) => { $("viewer-note").textContent = sentence; };

/** Looks at the medium, and again soon while something of it is in the making. */
async function refresh() {
  clearTimeout(timer);
  const open = shown;
  let isBusy = true;
  try {
    const medium = await getMedia(open.hash);
    if (shown !== open) return;
    showContent(open, medium);
    showAddresses(medium);
    showStages(medium.jobs[0], refresh);
    isBusy = medium.jobs.slice(0, 1).some(isUnderWay) || medium.exports.some((one) => one.state === "pending");
    if (open.player) isBusy = (await showMoments(open.hash, open.player, refresh)) || isBusy;
  } catch (error) {
    if (shown === open) note(error.message);
    isBusy = !(error instanceof ApiError && error.status < 500); // what is gone does not come back
  }
  if (shown !== open) return;
  clearTimeout(timer);
  if (isBusy) timer = setTimeout(refresh, PAUSE);
}

function showContent(open, medium) {
  const pictures = medium.derivatives.filter((one) => one.name.startsWith("image/")).sort((a, b) => b.width - a.width);
  if (medium.stream_url) {
    if (!open.player) startPlayer(open, medium);
    open.timeline.update(medium);
    showPoster(open.player, medium);
    if (medium.kind === "video") showProxy(medium, open.name, refresh);
  } else if (pictures.length) {
    if (!open.picture) showPicture(open, pictures[0]);
    showCrops(medium);
  } else {
    const job = medium.jobs[0];
    note(job && isUnderWay(job) ? "This is still being worked on." : "There is nothing to show of this.");
  }
}

function startPlayer(open, medium) {
  note("");
  open.player = element(medium.kind === "audio" ? "audio" : "video", { controls: true, playsInline: true, autoplay: true });
  showPoster(open.player, medium);
  $("stage").append(open.player);
  const { hls, stop } = play(open.player, medium.stream_url, note);
  open.timeline = followPlayer(open.player);
  open.ends.push(open.timeline.stop, offerTracks(open.player, hls), stop);
  prepareMoments(open.hash, open.player, refresh);
}

function showPoster(player, medium) {
  const poster = medium.derivatives.find((one) => one.name === "poster");
  if (poster && medium.kind === "video" && !player.poster) player.poster = poster.url;
}

function showPicture(open, { url }) {
  note("");
  open.picture = element("div", { className: "picture" }, element("img", { src: url, alt: open.name, draggable: false }));
  $("stage").append(open.picture);
  prepareCrops(open.hash, open.picture, refresh);
}

function showAddresses(medium) {
  if ($("links").children.length && $("addresses").contains(document.activeElement)) return; // somebody is about to use one
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
