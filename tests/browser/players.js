// One adapter a player. Each starts on the lowest rung with adaptation off, so that a switch is a switch that we asked
// for, and returns { switchToHighest, tracks }. Errors go to report.errors; waiting for data, which a busy machine does
// to any player, to report.stalls.

function load(source) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${source} is not there; run \`make players\``));
    document.head.append(script);
  });
}

const STALLS = new Set(["bufferStalledError", "bufferNudgeOnStall"]);

async function hlsjs(video, wanted, report) {
  await load("/node_modules/hls.js/dist/hls.min.js");
  const Hls = window.Hls;
  const hls = new Hls({
    startLevel: 0,
    maxBufferLength: 4,
    maxMaxBufferLength: 4,
    emeEnabled: Boolean(wanted.licence),
    drmSystems: wanted.licence ? { "org.w3.clearkey": { licenseUrl: wanted.licence } } : {},
  });
  hls.on(Hls.Events.ERROR, (_event, data) => {
    const said = `${data.type} ${data.details} ${data.error?.message ?? ""}`;
    (STALLS.has(data.details) && !data.fatal ? report.stalls : report.errors).push(said);
  });
  const ready = new Promise((resolve) => hls.once(Hls.Events.MANIFEST_PARSED, resolve));
  hls.loadSource(wanted.manifest);
  hls.attachMedia(video);
  await ready;
  const lowest = hls.levels.reduce((best, level, index) => (level.height < hls.levels[best].height ? index : best), 0);
  const highest = hls.levels.reduce((best, level, index) => (level.height > hls.levels[best].height ? index : best), 0);
  hls.currentLevel = lowest;
  if (wanted.captions) {
    hls.subtitleDisplay = true;
    hls.subtitleTrack = 0;
  }
  return {
    switchToHighest: () => { hls.nextLevel = highest; },
    tracks: () => ({
      video: hls.levels.map((level) => level.height),
      audio: hls.audioTracks.map((track) => track.lang ?? track.name),
      text: hls.subtitleTracks.map((track) => track.lang),
    }),
  };
}

async function shaka(video, wanted, report) {
  await load("/node_modules/shaka-player/dist/shaka-player.compiled.js");
  const library = window.shaka;
  library.polyfill.installAll();
  const player = new library.Player();
  player.addEventListener("error", ({ detail }) => report.errors.push(`${detail.code} ${JSON.stringify(detail.data)}`));
  player.addEventListener("stalldetected", () => report.stalls.push("stall"));
  await player.attach(video);
  player.configure({
    abr: { enabled: false },
    streaming: { bufferingGoal: 4, rebufferingGoal: 1 },
    drm: wanted.licence ? { servers: { "org.w3.clearkey": wanted.licence } } : {},
  });
  try {
    await player.load(wanted.manifest);
  } catch (error) {
    throw new Error(`shaka ${error.code} ${JSON.stringify(error.data)}`);
  }
  const sorted = () => player.getVariantTracks().sort((one, other) => one.height - other.height);
  player.selectVariantTrack(sorted()[0], true);
  if (wanted.captions) {
    const [text] = player.getTextTracks();
    player.selectTextTrack(text);
    await player.setTextTrackVisibility?.(true);
  }
  return {
    switchToHighest: () => player.selectVariantTrack(sorted().at(-1), true, 2),
    tracks: () => ({
      video: [...new Set(sorted().map((track) => track.height))],
      audio: [...new Set(player.getVariantTracks().map((track) => track.language))],
      text: player.getTextTracks().map((track) => track.language),
    }),
  };
}

async function dashjs(video, wanted, report) {
  await load("/node_modules/dashjs/dist/modern/umd/dash.all.min.js");
  const library = window.dashjs;
  const player = library.MediaPlayer().create();
  const note = (event) => report.errors.push(`${event.error?.code ?? event.type} ${event.error?.message ?? ""}`);
  player.initialize();
  player.updateSettings({
    streaming: {
      abr: { autoSwitchBitrate: { video: false }, initialBitrate: { video: 1 } },
      buffer: { fastSwitchEnabled: true, bufferTimeDefault: 4, bufferTimeAtTopQuality: 4 },
      text: { defaultEnabled: wanted.captions },
    },
  });
  player.on(library.MediaPlayer.events.ERROR, note);
  player.on(library.MediaPlayer.events.PLAYBACK_ERROR, note);
  player.on(library.MediaPlayer.events.BUFFER_EMPTY, () => report.stalls.push("buffer empty"));
  if (wanted.licence) player.setProtectionData({ "org.w3.clearkey": { serverURL: wanted.licence } });
  const ready = new Promise((resolve) => player.on(library.MediaPlayer.events.STREAM_INITIALIZED, resolve));
  player.attachView(video);
  player.attachSource(wanted.manifest);
  await ready;
  if (wanted.captions) {
    player.enableText(true);
    player.setTextTrack(0);
  }
  return {
    switchToHighest: () => {
      const rungs = player.getRepresentationsByType("video");
      const highest = rungs.reduce((best, rung) => (rung.height > best.height ? rung : best));
      player.setRepresentationForTypeById("video", highest.id, true);
    },
    tracks: () => ({
      video: player.getRepresentationsByType("video").map((rung) => rung.height),
      audio: player.getTracksFor("audio").map((track) => track.lang),
      text: player.getTracksFor("text").map((track) => track.lang),
    }),
  };
}

export const players = { hlsjs, shaka, dashjs };
