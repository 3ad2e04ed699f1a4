// One MP4 of a video to take along, made on request.

import { requestProxy } from "./client.js";
import { $, element, nameOf, sizeOf } from "./dom.js";

/** Shows the way to the MP4, or what became of it. `onChange` is called when it was asked for. */
export function showProxy(medium, name, onChange) {
  const made = medium.derivatives.find((one) => one.name.startsWith("proxy/"));
  const asked = medium.exports.find((one) => one.name.startsWith("proxy/"));
  const part = $("proxy");
  part.hidden = false;
  const digest = JSON.stringify([made?.size, asked?.state, asked?.error]);
  if (part.dataset.digest === digest) return;
  part.dataset.digest = digest;
  part.replaceChildren(...(made ? [link(made, name)] : asked?.state === "pending" ? [waiting()] : request(medium.hash, asked?.error, onChange)));
}

const link = (made, name) => element("a", {
  href: made.url, download: `${name.replace(/\.[^.]*$/, "")}-${nameOf(made.name)}.mp4`, textContent: `Download as one MP4 (${sizeOf(made.size)})`,
});

const waiting = () => element("span", { className: "state", textContent: "One MP4 is in the making…" });

function request(hash, error, onChange) {
  const why = element("p", { className: "why", role: "alert", textContent: error?.message ?? "" });
  const ask = () => requestProxy(hash).then(onChange, (refused) => { why.textContent = refused.message; });
  return [element("button", { type: "button", textContent: error ? "Try again to make one MP4" : "Make one MP4", onclick: ask }), why];
}
