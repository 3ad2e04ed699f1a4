// Plays a stream: hls.js where MediaSource exists, the browser's own HLS elsewhere (iOS) or when hls.js could not be had.

import { showTexts } from "./texts.js";

const WAIT_MILLISECONDS = 2000; // segments may still be on their way: the browser's own HLS is started again after this
const MOST_WAITS = 60;

/**
 * Lets `video` play the multivariant playlist at `url`. `tell` receives a sentence. Returns the player of hls.js, or null, and a
 * function that stops it.
 */
export function play(video, url, tell) {
  const Hls = globalThis.Hls;
  if (Hls?.isSupported()) return playWithHlsJs(Hls, video, url, tell);
  if (video.canPlayType("application/vnd.apple.mpegurl")) return playNatively(video, url, tell);
  tell("This browser has no HLS of its own and hls.js is not installed. Run make setup and reload.");
  return { hls: null, stop: () => {} };
}

function playWithHlsJs(Hls, video, url, tell) {
  const retry = { maxNumRetry: 30, retryDelayMs: 1000, maxRetryDelayMs: 4000 };
  const hls = new Hls({
    renderTextTracksNatively: false,
    fragLoadPolicy: {
      default: { maxTimeToFirstByteMs: 15000, maxLoadTimeMs: 60000, timeoutRetry: retry, errorRetry: retry },
    },
  });
  let recovered = false;
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
      recovered = true;
      hls.recoverMediaError();
    } else {
      tell(`Playback stopped: ${data.details}.`);
    }
  });
  showTexts(hls, video);
  hls.loadSource(url);
  hls.attachMedia(video);
  return { hls, stop: () => hls.destroy() };
}

function playNatively(video, url, tell) {
  let waits = 0;
  let timer = 0;
  const start = (at) => {
    video.src = url;
    if (at) video.currentTime = at;
  };
  video.onplaying = () => tell("");
  video.onerror = () => {
    waits += 1;
    if (waits > MOST_WAITS) return tell(`The browser cannot play this: ${video.error?.message || "unknown reason"}`);
    tell("Waiting for the next part…");
    timer = setTimeout(start, WAIT_MILLISECONDS, video.currentTime);
    return undefined;
  };
  start(0);
  const stop = () => {
    clearTimeout(timer);
    video.onerror = video.onplaying = null;
    video.removeAttribute("src");
    video.load();
  };
  return { hls: null, stop };
}
