// Plays ?manifest with ?player: from the lowest rung on, then up to the highest, with captions when ?captions=1, until
// ?until seconds of film have been shown. Posts one report to /result?id=..., whatever happens.
import { players } from "/page/players.js";

const query = new URLSearchParams(location.search);
const wanted = {
  manifest: query.get("manifest"),
  until: Number(query.get("until")),
  captions: query.get("captions") === "1",
  codec: query.get("codec"), // the beginning of the video codec's string, for packages that hold several
  keyServer: query.get("keyServer"), // the address below which keys and ClearKey licences are asked for
  keyIds: query.get("keys").split(",").filter(Boolean), // of what ClearKey opens in the package, 32 hexadecimal digits each
  token: query.get("token"), // of the session that plays, for the key server
};
const video = document.getElementById("video");
const report = { played_s: 0, heights: [], errors: [], stalls: [], cues: [], tracks: {}, ended: false, fault: null };

function noteHeight() {
  if (video.videoHeight && report.heights.at(-1) !== video.videoHeight) report.heights.push(video.videoHeight);
}

function noteCues(track) {
  for (const cue of track.activeCues ?? []) {
    if (!report.cues.includes(cue.text)) report.cues.push(cue.text);
  }
}

function until(condition, seconds, what) {
  return new Promise((resolve, reject) => {
    const deadline = performance.now() + seconds * 1000;
    const timer = setInterval(() => {
      const met = condition();
      if (met || performance.now() > deadline) {
        clearInterval(timer);
        if (met) resolve();
        else reject(new Error(`waited ${seconds} s for ${what}`));
      }
    }, 50);
  });
}

async function play() {
  video.addEventListener("resize", noteHeight);
  video.addEventListener("timeupdate", noteHeight);
  video.addEventListener("error", () => report.errors.push(`video: ${video.error?.message}`));
  video.textTracks.addEventListener("addtrack", ({ track }) => {
    track.addEventListener("cuechange", () => noteCues(track));
  });
  const player = await within(30, players[query.get("player")](video, wanted, report), "the manifest");
  video.play().catch((error) => report.errors.push(`play: ${error.message}`));
  await until(() => video.currentTime > 0.5 || report.errors.length, 60, "the first pictures");
  report.tracks = await player.tracks();
  player.switchToHighest();
  video.playbackRate = 2; // twice as fast to the end; what is fetched and decoded stays the same
  await until(() => video.currentTime >= wanted.until || video.ended || report.errors.length, 90, "the film to go on");
  report.ended = video.ended;
}

function within(seconds, promise, what) {
  const late = new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
  });
  return Promise.race([promise, late]);
}

within(150, play(), "the player")
  .catch((error) => { report.fault = String(error?.stack ?? error); })
  .finally(() => {
    noteHeight();
    report.played_s = video.currentTime;
    const quality = video.getVideoPlaybackQuality();
    report.frames = quality.totalVideoFrames;
    return fetch(`/result?id=${query.get("id")}`, { method: "POST", body: JSON.stringify(report) });
  });
