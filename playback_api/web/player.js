// A small player on Media Source Extensions: one rung and its audio, pathways tried in order, steering, heartbeats.
import { chooseVariant, readCaptions, readMaster, readMedia } from "./playlist.js";

const AHEAD_S = 30;
const BEHIND_S = 30;
const HEARTBEAT_VERSION = 1;

/** What the Cache-Status header of a response says: "placed", "cached" or "missed". */
function cacheStateOf(response) {
  const status = response.headers.get("cache-status") ?? "";
  if (!status.includes("hit")) return "missed";
  return status.includes("detail=placed") ? "placed" : "cached";
}

/** Fetches media by pathway: a failing one is left for the next, and what each delivered is counted. */
class Loader {
  constructor(pathways) {
    this.pathways = pathways;
    this.deliveries = new Map();
  }

  get current() { return this.pathways[0]; }

  prefer(priority) {
    const place = (pathway) => (priority.includes(pathway.pathway_id) ? priority.indexOf(pathway.pathway_id) : 99);
    this.pathways = [...this.pathways].sort((a, b) => place(a) - place(b));
  }

  async fetch(url) {
    const path = this.relative(url);
    let failure = null;
    for (const pathway of [...this.pathways]) {
      try {
        const response = await fetch(this.absolute(path, pathway));
        if (!response.ok) throw new Error(`${response.status} for ${path}`);
        const body = await response.arrayBuffer();
        this.count(pathway.pathway_id, cacheStateOf(response), body.byteLength);
        return body;
      } catch (error) {
        failure = error;
        this.pathways = [...this.pathways.filter((other) => other !== pathway), pathway];
      }
    }
    throw failure ?? new Error("no pathway");
  }

  async text(url) { return new TextDecoder().decode(await this.fetch(url)); }

  absolute(path, pathway = this.current) { return new URL(path, `${pathway.base_url.replace(/\/$/, "")}/`).href; }

  relative(url) {
    const base = this.pathways.map((pathway) => `${pathway.base_url.replace(/\/$/, "")}/`).find((one) => url.startsWith(one));
    return base ? url.slice(base.length) : url;
  }

  count(pathway, state, size) {
    const sum = this.deliveries.get(pathway) ?? {
      pathway, requests: 0, requests_placed: 0, requests_cached: 0, size_bytes: 0, size_bytes_placed: 0, size_bytes_cached: 0,
    };
    sum.requests += 1;
    sum.size_bytes += size;
    if (state !== "missed") {
      sum[`requests_${state}`] += 1;
      sum[`size_bytes_${state}`] += size;
    }
    this.deliveries.set(pathway, sum);
  }

  takeDeliveries() {
    const taken = [...this.deliveries.values()];
    this.deliveries.clear();
    return taken;
  }
}

/** One track: its playlist, its source buffer, and where it has got to. */
class Track {
  constructor(loader, buffer, playlist, from) {
    Object.assign(this, { loader, buffer, playlist });
    this.next = Math.max(0, playlist.segments.findIndex((segment) => segment.start + segment.duration > from));
  }

  async start() { await this.append(await this.loader.fetch(this.playlist.init)); }

  get done() { return this.next >= this.playlist.segments.length; }

  get ahead() { return this.done ? Infinity : this.playlist.segments[this.next].start; }

  /** Append the next segment, unless a seek has changed what is next meanwhile. */
  async step() {
    const index = this.next;
    const data = await this.loader.fetch(this.playlist.segments[index].url);
    if (this.next !== index) return;
    await this.append(data);
    if (this.next === index) this.next = index + 1;
  }

  /** Give back what was played long ago: a browser's buffer is small. */
  async trim(position) {
    const { buffered } = this.buffer;
    if (buffered.length && buffered.start(0) < position - 2 * BEHIND_S) {
      await this.finish(() => this.buffer.remove(0, position - BEHIND_S));
    }
  }

  seek(position) {
    this.next = Math.max(0, this.playlist.segments.findIndex((segment) => segment.start + segment.duration > position));
  }

  append(data) { return this.finish(() => this.buffer.appendBuffer(data)); }

  finish(change) {
    return new Promise((resolve, reject) => {
      this.buffer.addEventListener("updateend", resolve, { once: true });
      this.buffer.addEventListener("error", () => reject(new Error("the browser refused a segment")), { once: true });
      change();
    });
  }
}

/** Plays one title in a <video>; `onFacts` is told what an interested viewer wants to know. */
export class Player {
  constructor(video, { identity, onFacts, impressionId = null }) {
    Object.assign(this, { video, identity, onFacts, impressionId });
    this.seq = 0;
    this.stalls = [];
    this.errors = [];
    this.startup = null;
    this.lastReported = 0;
    this.timers = [];
    this.listening = new AbortController();
  }

  async play(titleId) {
    this.intent = performance.now();
    const answer = await fetch("/v1/playback/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...this.identity, title_id: titleId, device: "desktop", network_class: "fast" }),
    });
    const session = await answer.json();
    if (!answer.ok) throw new Error(session.detail);
    this.session = session;
    this.loader = new Loader(session.pathways);
    try {
      await this.open();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  async open() {
    const { session, loader, video } = this;
    const masterUrl = loader.absolute(session.hls_path);
    const master = await loader.text(masterUrl);
    const variants = readMaster(master, masterUrl).filter(
      (variant) => MediaSource.isTypeSupported(`video/mp4; codecs="${variant.codecs[0]}"`),
    );
    if (!variants.length) throw new Error("no rung of this title plays in this browser");
    this.variant = chooseVariant(variants, session.startup_bitrate_bps);
    const from = session.resume_position_s;
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
    const isAudio = (codec) => /^(mp4a|opus|flac|ac-3|ec-3)/i.test(codec);
    const wanted = [[this.variant.url, `video/mp4; codecs="${this.variant.codecs.filter((codec) => !isAudio(codec)).join(",")}"`]];
    const audio = this.variant.codecs.find(isAudio);
    if (this.variant.audioUrl && audio) wanted.push([this.variant.audioUrl, `audio/mp4; codecs="${audio}"`]);
    this.tracks = [];
    const playlists = await Promise.all(wanted.map(async ([url]) => readMedia(await loader.text(url), url)));
    source.duration = session.duration_s || playlists[0].duration;
    for (const [index, [, type]] of wanted.entries()) {
      this.tracks.push(new Track(loader, source.addSourceBuffer(type), playlists[index], from));
    }
    this.source = source;
    if (from > 0) video.currentTime = from;
    this.lastReported = from;
    this.listen();
    await Promise.all(this.tracks.map((track) => track.start()));
    this.fill();
    video.play().catch(() => {}); // a browser may want a click first; the controls are there
    this.beatEvery(session.beat_interval_s);
    this.steerAfter(60);
    this.addCaptions(readCaptions(master, masterUrl));
  }

  /** Captions are extra: one that cannot be had is left out, and the film plays on. */
  async addCaptions(captions) {
    for (const caption of captions) {
      try {
        const { segments } = readMedia(await this.loader.text(caption.url), caption.url); // one file: a segment as long as the film
        const file = new Blob([await this.loader.text(segments[0].url)], { type: "text/vtt" });
        if (this.closed) return;
        const track = document.createElement("track");
        Object.assign(track, {
          kind: "subtitles", label: caption.name, srclang: caption.language, src: URL.createObjectURL(file),
        });
        this.video.append(track);
        track.track.mode = caption.isForced ? "showing" : "disabled";
      } catch (error) {
        console.warn(`captions ${caption.name} are left out: ${error.message}`);
      }
    }
  }

  /** Keep every track a while ahead of the picture. */
  async fill() {
    try {
      while (!this.closed) {
        const position = this.video.currentTime;
        const behind = this.tracks.filter((track) => track.ahead < position + AHEAD_S);
        if (behind.length) {
          await Promise.all(behind.map((track) => track.step()));
          await Promise.all(this.tracks.map((track) => track.trim(position)));
        } else {
          // a later seek may open it again
          if (this.source.readyState === "open" && this.tracks.every((track) => track.done)) this.source.endOfStream();
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
        if (!this.closed) this.tellFacts();
      }
    } catch (error) {
      if (!this.closed) this.fail(error);
    }
  }

  listen() {
    const on = (name, action) => this.video.addEventListener(name, action, { signal: this.listening.signal });
    on("playing", () => {
      if (this.startup === null) {
        this.startup = (performance.now() - this.intent) / 1000;
        this.beat("start", { startup_s: this.startup });
      }
      if (this.stalledAt !== undefined) {
        this.stalls.push({ position_s: this.video.currentTime, duration_s: (performance.now() - this.stalledAt) / 1000 });
        this.stalledAt = undefined;
      }
      this.tellFacts();
    });
    on("waiting", () => { if (this.startup !== null && !this.video.seeking) this.stalledAt = performance.now(); });
    on("seeking", () => {
      this.takeRuns(this.before ?? this.video.currentTime);
      this.lastReported = this.video.currentTime;
      const inside = [...Array(this.video.buffered.length).keys()].some(
        (range) => this.video.buffered.start(range) <= this.video.currentTime && this.video.currentTime < this.video.buffered.end(range),
      );
      if (!inside) this.tracks.forEach((track) => track.seek(this.video.currentTime));
    });
    on("timeupdate", () => { if (!this.video.seeking) this.before = this.video.currentTime; });
    on("ended", () => this.close("completed"));
    window.addEventListener("pagehide", () => this.close("stopped"), { signal: this.listening.signal });
  }

  get bufferAhead() {
    const { buffered, currentTime } = this.video;
    for (let range = 0; range < buffered.length; range += 1) {
      if (buffered.start(range) <= currentTime && currentTime <= buffered.end(range)) return buffered.end(range) - currentTime;
    }
    return 0;
  }

  tellFacts() {
    const { loader, variant } = this;
    const sums = [...loader.deliveries.values()].reduce((all, one) => all + one.requests_placed, 0);
    this.onFacts(
      `${loader.current.pathway_id} · ${variant.rung} at ${(variant.bitrate / 1e6).toFixed(2)} Mbit/s`
      + ` · ${this.bufferAhead.toFixed(1)} s ahead`
      + (this.startup === null ? "" : ` · started in ${this.startup.toFixed(2)} s`)
      + (sums ? ` · ${sums} placed objects since the last beat` : ""),
    );
  }

  takeRuns(until = this.video.currentTime) {
    const played = until - this.lastReported;
    if (!this.runs) this.runs = [];
    if (played > 0.01 && this.variant) {
      this.runs.push({
        position_s: this.lastReported, played_s: played, rung: this.variant.rung,
        bitrate_bps: Math.round(this.variant.bitrate), pathway: this.loader.current.pathway_id,
      });
      this.lastReported = until;
    }
  }

  beat(kind, more = {}) {
    if (!this.session) return;
    this.takeRuns();
    const beat = {
      session_id: this.session.session_id, boot: 0, seq: this.seq, sent_at: new Date().toISOString(), kind,
      viewer_id: this.identity.viewer_id, title_id: this.session.title_id, region: this.identity.region_id,
      device: "desktop", network_class: "fast", package_id: this.session.package_id,
      duration_s: this.session.duration_s, position_s: this.video.currentTime, buffer_s: this.bufferAhead,
      runs: this.runs, stalls: this.stalls, errors: this.errors, deliveries: this.loader.takeDeliveries(),
      impression_id: this.impressionId, ...more,
    };
    this.seq += 1;
    this.runs = [];
    this.stalls = [];
    this.errors = [];
    fetch(this.session.beats_url, {
      method: "POST", keepalive: true, headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ version: HEARTBEAT_VERSION, beats: [beat] }),
    }).catch((error) => console.warn("a heartbeat was not delivered", error));
  }

  beatEvery(seconds) {
    this.timers.push(setInterval(() => { if (!this.video.paused) this.beat("playing"); }, seconds * 1000));
  }

  steerAfter(seconds) {
    this.timers.push(setTimeout(async () => {
      try {
        const url = new URL(this.session.steering_url);
        url.searchParams.set("_HLS_pathway", this.loader.current.pathway_id);
        const answer = await fetch(url);
        if (answer.status === 410 || this.closed) return;
        if (answer.ok) {
          const manifest = await answer.json();
          this.loader.prefer(manifest["PATHWAY-PRIORITY"]);
          this.steerAfter(manifest.TTL);
          return;
        }
      } catch (error) {
        console.warn("steering does not answer", error);
      }
      this.steerAfter(60);
    }, seconds * 1000));
  }

  fail(error) {
    this.errors.push({ code: "playback", message: String(error.message ?? error).slice(0, 500), fatal: true });
    this.onFacts(`Playback failed: ${error.message ?? error}`);
    this.close("failed");
  }

  close(reason = this.startup === null ? "abandoned" : "stopped") {
    if (this.closed) return;
    this.closed = true;
    if (this.session) this.beat("end", { end_reason: reason });
    this.listening.abort();
    this.timers.forEach((timer) => { clearInterval(timer); clearTimeout(timer); });
  }
}
