// What a job has done and what is left, and the way to try again what went wrong.

import { retryJob } from "./client.js";
import { $, element, show } from "./dom.js";

const NAMES = {
  hash: "identity", probe: "probe", plan: "plan", image: "thumbnails", poster: "cover", preview: "preview", storyboard: "storyboard",
  waveform: "waveform", subtitles: "subtitles", audio: "sound", video: "pictures",
};

/** Shows the newest job of a medium. `onRetry` is called when it was started again. */
export function showStages(job, onRetry) {
  $("work").hidden = !job;
  if (!job) return;
  const stages = Object.entries(job.stages).filter(([, stage]) => stage.state !== "skipped");
  const failed = stages.filter(([, stage]) => stage.state === "failed");
  const isFailed = job.state === "failed" || failed.length > 0;
  $("work-state").textContent = job.state;
  $("work-state").className = `state ${job.state}`;
  $("work-progress").value = job.progress;
  $("work-progress").hidden = job.state === "failed";
  show($("stages"), stages, {
    key: ([name]) => name,
    digest: ([, stage]) => JSON.stringify(stage),
    draw: ([name, stage]) => element(
      "li", { className: stage.state },
      element("span", { textContent: NAMES[name] ?? name }),
      element("span", { className: `state ${stage.state}`, textContent: stateOf(stage) }),
      stage.error ? element("p", { className: "why", textContent: stage.error.message, title: stage.error.code }) : null,
    ),
  });
  const why = job.error?.message ?? "";
  $("work-why").textContent = failed.some(([, stage]) => stage.error?.message === why) ? "" : why;
  $("work-retry").hidden = job.kind === "other" || !(isFailed || job.state === "canceled");
  $("work-retry").onclick = () => retryJob(job.id).then(onRetry, (error) => { $("work-why").textContent = error.message; });
  if (isFailed && !$("work").dataset.told) $("work").open = true;
  if (isFailed) $("work").dataset.told = "failed"; // who closes it then wants it closed
}

function stateOf(stage) {
  return stage.planned && stage.state !== "ready" ? `${stage.state}, ${stage.done} of ${stage.planned}` : stage.state;
}
