// The viewer's page: rows from /v1/home, results from /v1/search, a click plays.
import { Player } from "./player.js";

const byId = (id) => document.getElementById(id);
const page = byId("page");
let artworkBase = "";
let impressionId = null;
let player = null;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function hueOf(text) {
  return [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
}

function poster(title, { progress = 0, badge = "" } = {}) {
  const frame = element("span", { className: "poster" });
  frame.style.setProperty("--hue", hueOf(title.title_id));
  const initials = title.name.split(/\s+/).map((word) => word[0]).join("").slice(0, 3).toUpperCase();
  frame.append(element("span", { className: "initials", textContent: initials }));
  if (title.poster_path) {
    const image = element("img", { src: `${artworkBase.replace(/\/$/, "")}/${title.poster_path}`, alt: "", loading: "lazy" });
    image.addEventListener("error", () => image.remove());
    frame.append(image);
  }
  if (badge) frame.append(element("span", { className: "badge", textContent: badge }));
  if (progress > 0) {
    const bar = element("i");
    bar.style.width = `${Math.min(100, progress * 100)}%`;
    frame.append(element("span", { className: "progress" }, bar));
  }
  return frame;
}

function minutes(title) {
  return title.duration_s < 90 ? `${Math.round(title.duration_s)} s` : `${Math.round(title.duration_s / 60)} min`;
}

function card(title, { reason = null, match = null, resume = 0 } = {}) {
  const note = reason ?? [title.genres.slice(0, 2).join(", "), minutes(title)].filter(Boolean).join(" · ");
  const made = element(
    "button", { className: "card", type: "button", title: title.name },
    poster(title, { progress: resume / title.duration_s, badge: match === null ? "" : `${match} % match` }),
    element("b", { textContent: title.name }), element("small", { textContent: note }),
  );
  made.addEventListener("click", () => play(title));
  return made;
}

function row(name, cards) {
  return element("section", { className: "row" }, element("h2", { textContent: name }), element("div", { className: "strip" }, ...cards));
}

function hero(item, source) {
  const { title } = item;
  const facts = [title.genres.join(", "), minutes(title), `${title.maturity_age}+`].filter(Boolean).join(" · ");
  const start = element("button", { className: "primary", type: "button", textContent: "▶ Play" });
  start.addEventListener("click", () => play(title));
  const words = element(
    "div", { className: "words" },
    element("span", { className: "dim", textContent: source === "model" ? item.reason : "Popular near you" }),
    element("h1", { textContent: title.name }), element("p", { className: "dim", textContent: facts }), start,
  );
  return element("section", { className: "hero" }, poster(title), words);
}

function say(text) {
  page.replaceChildren(element("p", { className: "notice", textContent: text }));
}

async function ask(path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

const identity = () => ({ viewer_id: byId("viewer").value.trim(), region_id: byId("region").value });

async function showHome() {
  try {
    const home = await ask("/v1/home", identity());
    artworkBase = home.artwork_base_url;
    impressionId = home.impression_id;
    const main = home.rows.find((one) => one.row_id === "top-picks" || one.row_id === "popular");
    const rows = home.rows.map((one) => row(
      one.name,
      // what the row's heading says already is not said of each title
      one.titles.map((item) => card(item.title, { reason: item.reason === one.name ? null : item.reason, match: item.match_percent, resume: item.resume_position_s })),
    ));
    page.replaceChildren(...(main ? [hero(main.titles[0], home.source)] : []), ...rows);
    if (!home.rows.length) say("Nothing to show yet.");
  } catch (error) {
    say(`No page now: ${error.message}`);
  }
}

async function showResults(query) {
  try {
    const found = await ask("/v1/search", { q: query, region_id: byId("region").value, limit: 40 });
    artworkBase = found.artwork_base_url;
    impressionId = null;
    if (!found.titles.length) return say(`Nothing found for “${query}”.`);
    page.replaceChildren(element("p"), row(`Results for “${query}”`, found.titles.map((title) => card(title))));
  } catch (error) {
    say(`No results now: ${error.message}`);
  }
  return undefined;
}

async function play(title) {
  const dialog = byId("player");
  byId("playing").textContent = title.name;
  byId("facts").textContent = "Starting…";
  dialog.showModal();
  player = new Player(dialog.querySelector("video"), {
    identity: identity(), impressionId, onFacts: (text) => { byId("facts").textContent = text; },
  });
  try {
    await player.play(title.title_id);
  } catch (error) {
    byId("facts").textContent = `Playback failed: ${error.message}`;
  }
}

function closePlayer() {
  player?.close();
  player = null;
  const video = byId("player").querySelector("video");
  video.pause();
  video.removeAttribute("src");
  video.replaceChildren(); // the captions of the last title
  video.load();
}

async function start() {
  byId("viewer").value = localStorage.getItem("viewer") ?? "v-000001";
  try {
    const snapshot = await ask("/system/snapshot", {});
    byId("region").replaceChildren(...snapshot.regions.map((one) => new Option(one.name, one.region_id)));
  } catch (error) {
    say(`Nothing to watch yet: ${error.message}`);
    return;
  }
  const known = localStorage.getItem("region");
  if ([...byId("region").options].some((option) => option.value === known)) byId("region").value = known;
  for (const name of ["viewer", "region"]) {
    byId(name).addEventListener("change", () => {
      localStorage.setItem(name, byId(name).value);
      showHome();
    });
  }
  let typing = 0;
  byId("query").addEventListener("input", () => {
    clearTimeout(typing);
    const query = byId("query").value.trim();
    typing = setTimeout(() => (query ? showResults(query) : showHome()), 200);
  });
  byId("close").addEventListener("click", () => byId("player").close());
  byId("player").addEventListener("close", closePlayer);
  await showHome();
}

start();
