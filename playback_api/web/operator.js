// The operator's page: what is served, how the edges are, what was counted. Refreshes itself.
const REFRESH_MS = 3000;
const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const state = (text, good) => element("span", { className: `state ${good === null ? "" : good ? "good" : "bad"}`, textContent: text });
const number = (value) => Number(value).toLocaleString("en");
const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "–");

function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(value) / 3)) : 0;
  return `${(value / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

function ago(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${(seconds / 3600).toFixed(1)} h ago`;
}

function facts(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function table(columns, rows) {
  const head = element("tr", {}, ...columns.map(([name, numeric]) => element("th", { textContent: name, className: numeric ? "number" : "" })));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell, index) => element("td", { className: columns[index][1] ? "number" : "" }, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function meter(...shares) {
  const made = element("div", { className: "meter" });
  for (const share of shares) {
    const part = element("i");
    part.style.width = `${100 * Math.max(0, Math.min(1, share || 0))}%`;
    made.append(part);
  }
  return made;
}

async function ask(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

function showSnapshot(snapshot, ready) {
  facts(byId("snapshot"), [
    ["State", ready.problems.length ? state(ready.problems.join("; "), false) : state("serving", true)],
    ["Id", element("code", { textContent: snapshot.snapshot_id })],
    ["Created", ago((Date.now() - Date.parse(snapshot.created_at)) / 1000)],
    ["Expires", new Date(snapshot.expires_at).toLocaleString("en-GB")],
    ["Size", bytes(snapshot.size_bytes)],
    ["Take-overs · refusals", `${snapshot.loads} · ${snapshot.refusals}`],
  ]);
  facts(byId("counts"), Object.entries(snapshot.counts).map(([name, count]) => [name.replaceAll("_", " "), number(count)]));
  const problem = snapshot.recommender_problem || (snapshot.recommender_loaded ? "" : "No recommender in this snapshot: popularity chooses.");
  byId("models").replaceChildren(
    table([["Name"], ["Version"], ["Metric"], ["Value", true]], snapshot.models.map((model) => [
      model.name, model.version, model.metric_name, model.metric_value === null ? "–" : model.metric_value.toFixed(3),
    ])),
    element("p", { className: "dim", textContent: problem }),
  );
}

function edgeRow(edge) {
  const { stats } = edge;
  const requests = stats.requests ?? 0;
  const used = edge.capacity_bytes ? [edge.placed_bytes / edge.capacity_bytes, edge.cached_bytes / edge.capacity_bytes] : [0];
  const health = state(edge.healthy ? "healthy" : `${edge.breaker === "closed" ? "unknown" : edge.breaker}`, edge.healthy);
  return [
    element("div", {}, element("b", { textContent: edge.pathway_id }), element("div", { className: "dim", textContent: edge.region_id })),
    element("div", {}, health, element("div", { className: "dim", textContent: edge.problem.slice(0, 90) })),
    edge.generation === null ? "–" : String(edge.generation),
    element("code", { textContent: edge.plan_id ?? "–" }),
    element("div", {}, `${edge.complete_groups} of ${edge.planned_groups} groups`, meter(edge.complete_groups / edge.planned_groups)),
    element("div", {}, `${bytes(edge.placed_bytes + edge.cached_bytes)} of ${bytes(edge.capacity_bytes)}`, meter(...used)),
    number(requests),
    percent((stats.hits_placed ?? 0) / requests),
    percent((stats.hits_cached ?? 0) / requests),
    bytes(stats.upstream_bytes ?? 0),
  ];
}

function showEdges(fleet) {
  byId("edges").replaceChildren(table(
    [["Edge"], ["Health"], ["Generation", true], ["Plan"], ["Plan held"], ["Disk (placed, pulled)"], ["Requests", true], ["Placed", true], ["Pulled", true], ["From upstream", true]],
    fleet.edges.map(edgeRow),
  ));
}

/** A cell of the matrix: the deeper its colour, the nearer to 1; what nobody knows stays empty. */
function shade(value) {
  if (value === null) return element("div", { className: "shade dim", textContent: "–" });
  const made = element("div", { className: "shade", textContent: value.toFixed(2) });
  made.style.setProperty("--depth", `${Math.round(70 * Math.max(0, Math.min(1, value)))}%`);
  return made;
}

const orDash = (value, format) => (value === null ? "–" : format(value));

function showNetwork(network) {
  byId("network-day").textContent = ` · ${network.day}`;
  for (const id of ["by-region", "by-title"]) byId(id).hidden = false;
  byId("network").replaceChildren(table(
    [["Edge"], ["Filled", true], ["Hits promised", true], ["Hits served", true], ["Of them placed", true], ["Day, no plan", true],
      ["Day, its plan", true], ["Day, oracle", true], ["Sessions / forecast", true], ["Forecast · sessions", true], ["Promised · earned", true], ["Regret", true],
      ["Forecast too low", true], ["Too high", true]],
    network.edges.map((edge) => [
      element("div", {}, element("b", { textContent: edge.edge_id }), element("div", { className: "dim", textContent: edge.region_id })),
      ...[edge.filled, edge.replayed_hit_ratio, edge.hit_ratio, edge.placed_ratio, edge.lru_hit_ratio, edge.day_hit_ratio,
        edge.oracle_hit_ratio, edge.actual_over_forecast].map(shade),
      [edge.expected_sessions, edge.sessions].map((value) => orDash(value, (count) => number(Math.round(count)))).join(" · "),
      `${orDash(edge.promised_bytes, bytes)} · ${orDash(edge.earned_bytes, bytes)}`,
      ...[edge.regret_bytes, edge.too_low_bytes, edge.too_high_bytes].map((value) => orDash(value, bytes)),
    ]),
  ));
  byId("network-regions").replaceChildren(table(
    [["Region"], ["Sessions", true], ["Forecast", true], ["Ratio", true], ["Error by title", true], ["Titles in their band", true]],
    network.regions.map((region) => [
      region.region_id, number(region.sessions), orDash(region.forecast, (value) => number(Math.round(value))),
      shade(region.actual_over_forecast), orDash(region.wape, percent), orDash(region.within_q10_q90, percent),
    ]),
  ));
  byId("network-titles").replaceChildren(table(
    [["Region"], ["Title"], ["Week before", true], ["Last week", true], ["Forecast, next", true]],
    network.titles.map((title) => [
      title.region_id, title.name ?? title.title_id, number(title.before), number(title.lately),
      orDash(title.forecast, (value) => value.toFixed(1)),
    ]),
  ));
}

/** Once a day there is a new overview: it is asked for with the page, not with every refresh. */
async function lookAtNetwork() {
  try {
    showNetwork(await ask("/system/network"));
  } catch (error) {
    byId("network").replaceChildren(element("p", { className: "dim", textContent: error.message }));
  }
}

/** Counters by name; the labels of one name stand below it. Gauges that the panels above show are left out. */
function showCounters(text) {
  const byName = new Map();
  let kind = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# TYPE")) kind = line.split(" ").at(-1);
    const [, name, labels, value] = line.match(/^matinee_control_([a-z_]+?)(?:_total)?(?:\{(.*)\})? (\S+)$/) ?? [];
    if (!name || kind === "gauge") continue;
    byName.set(name, [...(byName.get(name) ?? []), [labels?.replaceAll(/\w+="([^"]*)"/g, "$1").replaceAll(",", " · "), value]]);
  }
  byId("counters").replaceChildren(...[...byName].map(([name, samples]) => {
    const list = element("dl");
    const title = element("b", { textContent: name.replaceAll("_", " ") });
    if (samples.length === 1 && !samples[0][0]) facts(list, [[title, number(samples[0][1])]]);
    else facts(list, [[title, ""], ...samples.map(([labels, value]) => [labels, number(value)])]);
    return list;
  }));
}

async function refresh() {
  try {
    const ready = await (await fetch("/system/ready")).json();
    showCounters(await (await fetch("/metrics")).text());
    showSnapshot(await ask("/system/snapshot"), ready);
    showEdges(await ask("/system/edges"));
    byId("age").textContent = `as of ${new Date().toLocaleTimeString("en-GB")}`;
  } catch (error) {
    byId("age").textContent = error.message;
  }
}

byId("reload").addEventListener("click", async () => {
  await fetch("/system/reload", { method: "POST" });
  await Promise.all([refresh(), lookAtNetwork()]);
});

await Promise.all([refresh(), lookAtNetwork()]);
setInterval(refresh, REFRESH_MS);
