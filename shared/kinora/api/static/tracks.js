// Choosing subtitles and sound, where there is a choice: with hls.js or with the browser's own tracks.

import { $, element } from "./dom.js";

const TEXTS = new Set(["subtitles", "captions"]);

/** Offers the tracks of `player` as they become known; `hls` is what plays it, or null. Returns a function that stops it. */
export function offerTracks(player, hls) {
  const offer = () => {
    const texts = [...player.textTracks].filter((track) => TEXTS.has(track.kind));
    fill($("text-track"), ["none", ...texts.map(nameOf)], texts.findIndex((track) => track.mode === "showing") + 1, (chosen) => {
      texts.forEach((track, n) => { track.mode = n + 1 === chosen ? "showing" : "disabled"; });
    });
    const sounds = hls ? hls.audioTracks : [...(player.audioTracks ?? [])];
    const current = hls ? hls.audioTrack : sounds.findIndex((track) => track.enabled);
    fill($("sound-track"), sounds.map(nameOf), current, (chosen) => {
      if (hls) hls.audioTrack = chosen;
      else sounds.forEach((track, n) => { track.enabled = n === chosen; });
    });
    $("tracks").hidden = $("text-choice").hidden && $("sound-choice").hidden;
  };
  const types = ["addtrack", "removetrack", "change"];
  const lists = [player.textTracks, player.audioTracks].filter(Boolean);
  for (const list of lists) for (const type of types) list.addEventListener(type, offer);
  const events = globalThis.Hls?.Events;
  if (hls) for (const name of ["AUDIO_TRACKS_UPDATED", "AUDIO_TRACK_SWITCHED", "SUBTITLE_TRACKS_UPDATED"]) hls.on(events[name], offer);
  offer();
  return () => {
    for (const list of lists) for (const type of types) list.removeEventListener(type, offer);
    $("tracks").hidden = true;
  };
}

const nameOf = (track) => track.label || track.name || track.language || track.lang || "unnamed";

function fill(select, names, chosen, choose) {
  select.parentElement.hidden = names.length < 2;
  const digest = JSON.stringify(names);
  if (select.dataset.digest !== digest) select.replaceChildren(...names.map((name, n) => element("option", { value: n, textContent: name })));
  select.dataset.digest = digest;
  select.value = Math.max(chosen, 0);
  select.onchange = () => choose(Number(select.value));
}
