// Subtitles with hls.js, in text tracks made here: those that hls.js makes itself have a `data:` address, which the page's content
// security policy forbids.

/** Lets `video` have a text track for every subtitle track of `hls`, and loads the one that is shown. */
export function showTexts(hls, video) {
  const { Events } = globalThis.Hls;
  const tracks = new Map();

  hls.on(Events.NON_NATIVE_TEXT_TRACKS_FOUND, (_, data) => {
    for (const { kind, label, subtitleTrack } of data.tracks) {
      if (!subtitleTrack || tracks.has(subtitleTrack.id)) continue;
      const track = video.addTextTrack(kind, label, subtitleTrack.lang ?? "");
      track.mode = hls.subtitleTrack === subtitleTrack.id ? "showing" : "disabled";
      tracks.set(subtitleTrack.id, track);
    }
  });
  hls.on(Events.SUBTITLE_TRACK_SWITCH, (_, { id }) => {
    for (const [one, track] of tracks) track.mode = one === id ? "showing" : "disabled";
  });
  hls.on(Events.CUES_PARSED, (_, { cues, subtitleTrack }) => {
    const track = tracks.get(subtitleTrack?.id);
    for (const cue of track ? cues : []) if (!track.cues?.getCueById(cue.id)) track.addCue(cue);
  });
  video.textTracks.addEventListener("change", () => {
    const chosen = [...tracks].find(([, track]) => track.mode === "showing");
    hls.subtitleTrack = chosen ? chosen[0] : -1;
  });
}
