// The console page: asks for the key, then keeps jobs and media in view.

import { apiKey, ApiError, listJobs, takeKeyFromAddress } from "./client.js";
import { $ } from "./dom.js";
import { showMedia, showOnePageMore } from "./gallery.js";
import { isUnderWay, showJobs } from "./jobs.js";
import { takeUploads } from "./uploads.js";
import { prepareViewer } from "./viewer.js";

const PAUSES = { busy: 700, idle: 2500, away: 5000, hidden: 10000 }; // milliseconds between two looks at the server

let timer = 0;

function showOnly(id) {
  $("key-form").hidden = id !== "key-form";
  $("console").hidden = id !== "console";
  $("forget-key").hidden = id !== "console";
}

function askForKey(isWrong) {
  showOnly("key-form");
  $("key-trouble").textContent = isWrong ? "Kinora does not know this key." : "";
  $("key").focus();
}

function open() {
  if (!apiKey.get()) return askForKey(false);
  return refresh();
}

function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

async function refresh() {
  clearTimeout(timer);
  let pause = PAUSES.idle;
  try {
    const { jobs } = await listJobs();
    showOnly("console");
    $("away").hidden = true;
    showJobs(jobs, refreshSoon);
    await showMedia(jobs);
    if (jobs.some(isUnderWay)) pause = PAUSES.busy;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return askForKey(true);
    $("away").hidden = false; // what is shown stays
    pause = PAUSES.away;
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, document.hidden ? PAUSES.hidden : pause);
  return undefined;
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  apiKey.set($("key").value.trim());
  $("key").value = "";
  open();
});
$("forget-key").addEventListener("click", () => { apiKey.forget(); location.reload(); });
$("more").addEventListener("click", () => { showOnePageMore(); refreshSoon(); });
document.addEventListener("visibilitychange", () => !document.hidden && !$("console").hidden && refreshSoon());

takeUploads(refreshSoon);
prepareViewer(refreshSoon);
takeKeyFromAddress();
addEventListener("hashchange", () => { takeKeyFromAddress(); open(); });
open();
