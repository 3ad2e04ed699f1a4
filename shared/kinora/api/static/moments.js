// The moments of a medium: named time ranges, exported as MP4 of their own.

import { addMoment, listMoments, removeMoment } from "./client.js";
import { $, announce, element, secondsOf, show, timeOf } from "./dom.js";

/** Lets somebody name ranges of what `player` plays. `onChange` is called after every change. */
export function prepareMoments(hash, player, onChange) {
  const form = $("moment-form");
  $("moments").hidden = false;
  form.reset();
  say("");
  $("moment-from").onclick = () => { form.elements.start.value = timeOf(player.currentTime, 2); };
  $("moment-to").onclick = () => { form.elements.end.value = timeOf(player.currentTime, 2); };
  form.onsubmit = (event) => {
    event.preventDefault();
    const { name, start, end } = form.elements;
    const range = { start: secondsOf(start.value), end: secondsOf(end.value) };
    if (!(range.start < range.end)) return say("A moment ends after it starts: 12.5 or 1:02.5.");
    addMoment(hash, { name: name.value.trim(), ...range }).then(() => { form.reset(); say(""); onChange(); }, (error) => say(error.message));
    return undefined;
  };
}

/** Shows the moments there are; whether one of them is in the making. */
export async function showMoments(hash, player, onChange) {
  const { moments } = await listMoments(hash);
  show($("moment-list"), moments, {
    key: (moment) => moment.id,
    digest: ({ name, version, state, served }) => JSON.stringify([name, version, state, served]),
    draw: (moment) => momentRow(hash, moment, player, onChange),
  });
  return moments.some((moment) => moment.state === "pending");
}

function momentRow(hash, moment, player, onChange) {
  const range = `${timeOf(moment.start, 1)} – ${timeOf(moment.end, 1)}`;
  const go = () => { player.currentTime = moment.start; player.play(); };
  const remove = () => removeMoment(hash, moment.id).then(() => {
    announce(`${moment.name} is removed.`);
    $("moment-form").elements.name.focus();
    onChange();
  }, (error) => say(error.message));
  return element(
    "li", {},
    element("button", { type: "button", className: "quiet", onclick: go, ariaLabel: `Play ${moment.name}` }, "▶"),
    element("span", { className: "name", textContent: moment.name, title: moment.name }),
    element("span", { className: "about", textContent: range }),
    moment.url
      ? element("a", { href: moment.url, download: `${moment.name}.mp4`, textContent: "MP4", ariaLabel: `${moment.name} as MP4` })
      : element("span", { className: `state ${moment.state}`, textContent: moment.state === "pending" ? "in the making…" : moment.state }),
    element("button", { type: "button", className: "quiet", onclick: remove, ariaLabel: `Remove ${moment.name}` }, "✕"),
    moment.error ? element("p", { className: "why", textContent: moment.error.message, title: moment.error.code }) : null,
  );
}

const say = (sentence) => { $("moment-trouble").textContent = sentence; };
