// The console page: drop files, watch jobs, look at media.

import { apiKey, ApiError, getMedia, listJobs, listMedia, removeMedia, retryJob, takeKeyFromAddress, upload } from "./client.js";
import { play } from "./player.js";

const $ = (id) => document.getElementById(id);
const FINAL = new Set(["ready", "failed", "canceled"]);
const SHOWN_AFTERWARDS = 60; // seconds that an ended job stays in the list

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const nameOf = (key) => key.split("/").pop();
const sizeOf = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);

// ---------------------------------------------------------------- the key

function askForKey(wrong) {
  $("console").hidden = true;
  $("forget-key").hidden = true;
  $("key-form").hidden = false;
  $("key-form").classList.toggle("wrong", wrong);
  $("key").focus();
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  apiKey.set($("key").value.trim());
  $("key").value = "";
  open();
});
$("forget-key").addEventListener("click", () => { apiKey.forget(); location.reload(); });

// ---------------------------------------------------------------- uploads

async function uploadOne(file) {
  const bar = element("progress", { value: 0, max: 1 });
  const state = element("span", { className: "state", textContent: "uploading" });
  const row = element("li", {}, element("span", { className: "name", textContent: file.name }), state, bar);
  $("uploads").append(row);
  try {
    await upload(file, (part) => { bar.value = part; });
    row.remove();
    refreshSoon();
  } catch (error) {
    state.textContent = "failed";
    state.classList.add("failed");
    bar.remove();
    row.append(
      element("button", { type: "button", textContent: "Dismiss", onclick: () => row.remove() }),
      element("p", { className: "why", textContent: error.message }),
    );
  }
}

async function uploadAll(files) {
  for (const file of files) await uploadOne(file);
}

$("files").addEventListener("change", (event) => {
  uploadAll([...event.target.files]);
  event.target.value = "";
});
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if ($("console").hidden) return;
    event.preventDefault();
    $("drop").classList.toggle("over", type === "dragover");
    if (type === "drop") uploadAll([...event.dataTransfer.files]);
  });
}

// ---------------------------------------------------------------- jobs

function jobRow(job) {
  const retry = () => retryJob(job.id).then(refreshSoon, (error) => alert(error.message));
  return element(
    "li", {},
    element("span", { className: "name", textContent: nameOf(job.original), title: job.original }),
    element("span", { className: `state ${job.state}`, textContent: job.state }),
    element("progress", { value: job.progress, max: 1 }),
    job.state === "failed" && job.kind !== "other" ? element("button", { type: "button", textContent: "Retry", onclick: retry }) : null,
    job.error ? element("p", { className: "why", textContent: `${job.error.message} (${job.error.code})` }) : null,
  );
}

function showJobs(jobs) {
  const now = Date.now() / 1000;
  const shown = jobs.filter((job) => !FINAL.has(job.state) || job.state === "failed" && now - job.updated_at < 3600 || now - job.updated_at < SHOWN_AFTERWARDS);
  $("jobs").replaceChildren(...shown.map(jobRow));
}

// ---------------------------------------------------------------- media

const shown = { pages: 1, digest: "" };

function card(medium) {
  const name = medium.originals.length ? nameOf(medium.originals[0]) : medium.hash.slice(0, 12);
  const picture = medium.thumbnail_url
    ? element("img", { src: medium.thumbnail_url, alt: "", loading: "lazy" })
    : element("span", { textContent: medium.kind });
  const frame = element("span", { className: "frame" }, picture);
  const about = element("span", { className: "about", textContent: `${medium.media_type} · ${sizeOf(medium.size)}` });
  const title = element("span", { className: "name", textContent: name });
  const button = element("button", { type: "button", onclick: () => view(medium.hash, name) }, frame, title, about);
  button.dataset.hash = medium.hash;
  return element("li", { className: medium.stream_url ? "video" : medium.kind }, button);
}

async function showMedia() {
  const media = [];
  let cursor = null;
  for (let page = 0; page < shown.pages; page += 1) {
    const answer = await listMedia(cursor);
    media.push(...answer.media);
    cursor = answer.cursor;
    if (!cursor) break;
  }
  $("more").hidden = !cursor;
  // Signed addresses change at every call: draw again only what really changed.
  const digest = JSON.stringify(media.map((one) => [one.hash, Boolean(one.thumbnail_url), Boolean(one.stream_url), one.originals]));
  if (digest === shown.digest) return;
  shown.digest = digest;
  $("media").replaceChildren(...media.map(card));
}

$("more").addEventListener("click", () => { shown.pages += 1; refreshSoon(); });

// ---------------------------------------------------------------- viewer

let stop = () => {};

async function view(hash, name) {
  const medium = await getMedia(hash);
  $("viewer-title").textContent = name;
  $("viewer-note").textContent = "";
  const pictures = medium.derivatives.filter((one) => one.name.startsWith("image/")).sort((a, b) => b.width - a.width);
  if (medium.stream_url) {
    const poster = medium.derivatives.find((one) => one.name === "poster");
    const video = element("video", { controls: true, playsInline: true, muted: true, autoplay: true, poster: poster?.url ?? "" });
    $("stage").replaceChildren(video);
    stop = play(video, medium.stream_url, (sentence) => { $("viewer-note").textContent = sentence; });
  } else if (pictures.length) {
    $("stage").replaceChildren(element("img", { src: pictures[0].url, alt: name }));
  } else {
    $("stage").replaceChildren();
    $("viewer-note").textContent = medium.jobs[0]?.error?.message ?? "Nothing has been derived yet.";
  }
  const links = [
    ...medium.originals.map((one) => ["original", one.url]),
    ...(medium.stream_url ? [["stream", medium.stream_url]] : []),
    ...medium.derivatives.filter((one) => one.name !== "stream").map((one) => [one.name, one.url]),
  ];
  $("links").replaceChildren(
    ...links.map(([label, url]) => element("li", {}, element("span", { textContent: label }), element("a", { href: url, textContent: url, target: "_blank" }))),
  );
  $("remove").onclick = () => {
    if (!confirm("Delete thumbnails, streams and jobs of this medium? The originals stay.")) return;
    removeMedia(hash).then(() => { $("viewer").close(); refreshSoon(); }, (error) => { $("viewer-note").textContent = error.message; });
  };
  $("viewer").showModal();
}

$("viewer-close").addEventListener("click", () => $("viewer").close());
$("viewer").addEventListener("close", () => { stop(); stop = () => {}; $("stage").replaceChildren(); });

// ---------------------------------------------------------------- the loop

let timer = 0;

function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

async function refresh() {
  clearTimeout(timer);
  let pause = 2500;
  try {
    const { jobs } = await listJobs();
    showJobs(jobs);
    await showMedia();
    if (jobs.some((job) => !FINAL.has(job.state))) pause = 700;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return askForKey(true);
    pause = 5000; // the server is away: keep what is shown
  }
  timer = setTimeout(refresh, document.hidden ? 10000 : pause);
}

function open() {
  if (!apiKey.get()) return askForKey(false);
  $("key-form").hidden = true;
  $("console").hidden = false;
  $("forget-key").hidden = false;
  return refresh();
}

document.addEventListener("visibilitychange", () => !document.hidden && !$("console").hidden && refreshSoon());
takeKeyFromAddress();
open();
