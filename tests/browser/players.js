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

// A ClearKey licence (W3C Encrypted Media Extensions, 9.1) for all keys of the package.
async function fetchKeys(wanted) {
  const kids = wanted.keyIds.map((keyId) => {
    const bytes = keyId.match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16)));
    return btoa(bytes.join("")).replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_");
  });
  const reply = await fetch(licenceUrl(wanted), {
    method: "POST",
    headers: { Authorization: `Bearer ${wanted.token}` },
    body: JSON.stringify({ kids, type: "temporary" }),
  });
  if (!reply.ok) throw new Error(`the key server answered ${reply.status}`);
  return (await reply.json()).keys;
}

// A session's token goes to the key server and to nobody else.
function authorise(wanted, url, setHeader) {
  if (url.startsWith(wanted.keyServer)) setHeader("Authorization", `Bearer ${wanted.token}`);
}

function licenceUrl(wanted) {
  return wanted.keyIds.length ? `${wanted.keyServer}/license` : null;
}

function toHexadecimal(base64url) {
  const bytes = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

const STALLS = new Set(["bufferStalledError", "bufferNudgeOnStall"]);

async function hlsjs(video, wanted, report) {
  await load("/node_modules/hls.js/dist/hls.min.js");
  const Hls = window.Hls;
  const hls = new Hls({
    autoStartLoad: false,
    maxBufferLength: 4,
    maxMaxBufferLength: 4,
    emeEnabled: wanted.keyIds.length > 0,
    drmSystems: wanted.keyIds.length ? { "org.w3.clearkey": { licenseUrl: licenceUrl(wanted) } } : {},
    xhrSetup: (request, url) => authorise(wanted, url, (name, value) => request.setRequestHeader(name, value)),
    licenseXhrSetup: (request, url) => authorise(wanted, url, (name, value) => request.setRequestHeader(name, value)),
  });
  hls.on(Hls.Events.ERROR, (_event, data) => {
    const said = `${data.type} ${data.details} ${data.error?.message ?? ""}`;
    (STALLS.has(data.details) && !data.fatal ? report.stalls : report.errors).push(said);
  });
  const ready = new Promise((resolve) => hls.once(Hls.Events.MANIFEST_PARSED, resolve));
  hls.loadSource(wanted.manifest);
  hls.attachMedia(video);
  await ready;
  const levels = hls.levels
    .map((level, index) => ({ index, height: level.height, codec: level.videoCodec }))
    .filter((level) => level.codec.startsWith(wanted.codec))
    .sort((one, other) => one.height - other.height);
  hls.loadLevel = levels[0].index;
  hls.startLoad(0);
  if (wanted.captions) {
    hls.subtitleDisplay = true;
    hls.subtitleTrack = 0;
  }
  return {
    switchToHighest: () => { hls.nextLevel = levels.at(-1).index; },
    tracks: () => ({
      video: levels.map((level) => level.height),
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
    preferredVideo: [{ codec: wanted.codec }],
    streaming: { bufferingGoal: 4, rebufferingGoal: 1 },
    ...(wanted.keyIds.length ? await shakaDrm(wanted) : {}),
  });
  player.getNetworkingEngine().registerRequestFilter((_type, request) => {
    authorise(wanted, request.uris[0], (name, value) => { request.headers[name] = value; });
  });
  try {
    await player.load(wanted.manifest);
  } catch (error) {
    throw new Error(`shaka ${error.code} ${JSON.stringify(error.data)}`);
  }
  const ofCodec = () => player.getVariantTracks().filter((track) => track.videoCodec.startsWith(wanted.codec));
  const sorted = () => ofCodec().sort((one, other) => one.height - other.height);
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

// In DASH shaka-player asks the licence server by itself. In HLS it knows no ClearKey but the key in the playlist, so
// the page asks for the keys and names them.
async function shakaDrm(wanted) {
  if (wanted.manifest.endsWith(".mpd")) return { drm: { servers: { "org.w3.clearkey": licenceUrl(wanted) } } };
  const keys = await fetchKeys(wanted);
  const clearKeys = Object.fromEntries(keys.map(({ kid, k }) => [toHexadecimal(kid), toHexadecimal(k)]));
  return { manifest: { ignoreDrmInfo: true }, drm: { clearKeys } };
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
  if (wanted.keyIds.length) {
    // With a licence server dash.js 5.2 hands Chromium the pssh box as a list of key ids, which fails.
    const clearkeys = Object.fromEntries((await fetchKeys(wanted)).map(({ kid, k }) => [kid, k]));
    player.setProtectionData({ "org.w3.clearkey": { clearkeys } });
  }
  player.setCustomInitialTrackSelectionFunction((tracks) =>
    tracks[0].type === "video" ? tracks.filter((track) => track.codec.includes(wanted.codec)) : tracks,
  );
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
