// The list of jobs: what is under way, what has just ended, what went wrong.

import { retryJob } from "./client.js";
import { $, announce, element, nameOf, show } from "./dom.js";

const FINAL = new Set(["ready", "failed", "canceled"]);
const TOLD = new Set(["playable", ...FINAL]);
const SHOWN_SECONDS = { ready: 60, canceled: 60, failed: 3600 };

const told = new Map();

export const isUnderWay = (job) => !FINAL.has(job.state);

/** `onRetry` is called when a job was started again. */
export function showJobs(jobs, onRetry) {
  const now = Date.now() / 1000;
  const shown = jobs.filter((job) => isUnderWay(job) || now - job.updated_at < SHOWN_SECONDS[job.state]);
  show($("jobs"), shown, {
    key: (job) => job.id,
    digest: (job) => JSON.stringify([job.state, job.progress, job.error]),
    draw: (job) => jobRow(job, onRetry),
  });
  for (const job of shown) {
    if (TOLD.has(job.state) && told.has(job.id) && told.get(job.id) !== job.state) announce(`${nameOf(job.original)}: ${job.state}`);
    told.set(job.id, job.state);
  }
}

function jobRow(job, onRetry) {
  const name = nameOf(job.original);
  const row = element("li", {}, element("span", { className: "name", textContent: name, title: job.original }), stateOf(job));
  if (job.error) {
    if (job.kind !== "other") row.append(retryButton(job, row, onRetry));
    row.append(element("p", { className: "why", textContent: job.error.message, title: job.error.code }));
  } else {
    row.append(element("progress", { value: job.progress, max: 1, ariaLabel: `Progress of ${name}` }));
  }
  return row;
}

function stateOf(job) {
  const percent = isUnderWay(job) && job.progress > 0 ? ` ${Math.floor(job.progress * 100)} %` : "";
  return element("span", { className: `state ${job.state}`, textContent: job.state + percent });
}

function retryButton(job, row, onRetry) {
  const refused = (error) => { row.querySelector(".why").textContent = error.message; };
  return element("button", { type: "button", textContent: "Retry", onclick: () => retryJob(job.id).then(onRetry, refused) });
}
