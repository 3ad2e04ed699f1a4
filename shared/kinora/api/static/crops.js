// Cutting boxes out of a picture: drawn with the pointer, or given as percentages.

import { requestCrop } from "./client.js";
import { $, element, show } from "./dom.js";

const SIDES = ["left", "top", "width", "height"];

/** Lets somebody cut out of `image`, which fills `frame`. `onChange` is called when a crop was asked for. */
export function prepareCrops(hash, frame, onChange) {
  const form = $("crop-form");
  const box = element("div", { className: "box", hidden: true });
  let start = null;
  frame.append(box);
  $("crops").hidden = false;
  form.reset();
  say("");

  const place = (event) => {
    const area = frame.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height].map((one) => Math.max(0, Math.min(1, one)));
  };
  const showBox = () => {
    box.hidden = !$("crops").open;
    for (const side of SIDES) box.style[side] = `${Number(form.elements[side].value) || 0}%`;
  };
  frame.onpointerdown = (event) => {
    if (!$("crops").open) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    start = place(event);
  };
  frame.onpointermove = (event) => {
    if (!start) return;
    const end = place(event);
    const corner = start.map((one, axis) => Math.min(one, end[axis]));
    const size = start.map((one, axis) => Math.abs(one - end[axis]));
    [...corner, ...size].forEach((part, side) => { form.elements[SIDES[side]].value = (part * 100).toFixed(1); });
    showBox();
  };
  frame.onpointerup = frame.onpointercancel = () => { start = null; };
  form.oninput = showBox;
  $("crops").ontoggle = showBox;
  form.onsubmit = (event) => {
    event.preventDefault();
    const [left, top, width, height] = SIDES.map((side) => Number(form.elements[side].value) / 100);
    requestCrop(hash, { left, top, width, height, unit: "fractions" }).then(() => { say(""); onChange(); }, (error) => say(error.message));
  };
}

/** Shows the crops there are, and what became of those that are not. */
export function showCrops(medium) {
  const made = medium.derivatives.filter((one) => one.name.startsWith("crop/"));
  const others = medium.exports.filter((one) => one.name.startsWith("crop/"));
  show($("crop-list"), [...made, ...others], {
    key: (one) => one.name,
    digest: (one) => JSON.stringify([one.state, one.error]), // signed addresses differ at every call and say nothing
    draw: (one) => element("li", {}, one.url ? crop(one) : element("span", { className: `state ${one.state}`, textContent: stateOf(one) })),
  });
}

const crop = (one) => element(
  "a", { href: one.url, target: "_blank" },
  element("img", { src: one.url, alt: `Crop of ${one.width} × ${one.height} pixels`, loading: "lazy" }),
);

const stateOf = (one) => one.error?.message ?? "in the making…";

const say = (sentence) => { $("crop-trouble").textContent = sentence; };
