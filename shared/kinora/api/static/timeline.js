// The strip below the player: the waveform, the place that is played, and what a video shows where the pointer is.

import { $, timeOf } from "./dom.js";
import { loadStoryboard, showTile } from "./storyboard.js";
import { draw, loadWaveform } from "./waveform.js";

/** Follows `player`. Returns `{ update, stop }`: `update` takes the medium whenever more of it may be there. */
export function followPlayer(player) {
  const [canvas, seek, bubble] = [$("waveform"), $("seek"), $("bubble")];
  const loading = new Set();
  let waveform = null;
  let tileAt = () => null;
  let pointed = null; // seconds, while somebody points there

  const length = () => (Number.isFinite(player.duration) ? player.duration : 0);
  const redraw = () => draw(canvas, waveform, length(), player.currentTime);

  function follow() {
    seek.max = length();
    seek.value = player.currentTime;
    seek.setAttribute("aria-valuetext", `${timeOf(player.currentTime)} of ${timeOf(length())}`);
    redraw();
  }

  function showBubble(time) {
    pointed = time;
    bubble.hidden = time === null || !length();
    if (bubble.hidden) return;
    showTile($("tile"), tileAt(time));
    $("tile-time").textContent = timeOf(time);
    const [width, half] = [canvas.clientWidth, bubble.offsetWidth / 2];
    const place = Math.max(half, Math.min(width - half, (time / length()) * width));
    bubble.style.left = `${place}px`;
  }

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * length();
  };
  const listeners = [
    [player, "timeupdate", follow], [player, "durationchange", follow], [player, "seeking", follow],
    [seek, "input", () => { player.currentTime = Number(seek.value); showBubble(Number(seek.value)); }],
    [seek, "pointermove", (event) => showBubble(placeOf(event))],
    [seek, "pointerleave", () => showBubble(null)],
    [seek, "blur", () => showBubble(null)],
    [matchMedia("(prefers-color-scheme: dark)"), "change", redraw],
  ];
  for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
  const resized = new ResizeObserver(redraw);
  resized.observe(canvas);

  /** Loads what `name` is once it is there; what cannot be had leaves the strip as it is. */
  function loadOnce(medium, name, load) {
    const made = medium.derivatives.find((one) => one.name === name);
    if (!made || loading.has(name)) return;
    loading.add(name);
    load(made.url).catch(() => loading.delete(name));
  }

  $("timeline").hidden = false;
  follow();
  return {
    update(medium) {
      loadOnce(medium, "waveform", async (url) => { waveform = await loadWaveform(url); redraw(); });
      loadOnce(medium, "storyboard", async (url) => { tileAt = await loadStoryboard(url); if (pointed !== null) showBubble(pointed); });
    },
    stop() {
      for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
      resized.disconnect();
      showBubble(null);
      $("timeline").hidden = true;
    },
  };
}
