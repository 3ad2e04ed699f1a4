// Plays a stream: hls.js where MediaSource exists, the browser's own HLS elsewhere (iOS) or when hls.js could not be had.

/** Lets `video` play the multivariant playlist at `url`. `onTrouble` receives a sentence. Returns a function that stops it. */
export function play(video, url, onTrouble) {
  const Hls = globalThis.Hls;
  if (Hls?.isSupported()) return playWithHlsJs(Hls, video, url, onTrouble);
  if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = url;
    video.onerror = () => onTrouble(`The browser cannot play this: ${video.error?.message || "unknown reason"}`);
    return () => { video.onerror = null; video.removeAttribute("src"); video.load(); };
  }
  onTrouble("This browser has no HLS of its own and hls.js is not installed. Run make setup and reload.");
  return () => {};
}

function playWithHlsJs(Hls, video, url, onTrouble) {
  const retry = { maxNumRetry: 30, retryDelayMs: 1000, maxRetryDelayMs: 4000 }; // segments may still be on their way
  const hls = new Hls({
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
      onTrouble(`Playback stopped: ${data.details}.`);
    }
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return () => hls.destroy();
}
