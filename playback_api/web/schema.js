// Shows /schema/openapi.json: operations by tag, their parameters, bodies and answers.
const page = document.getElementById("page");

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Text with its `code` set as such. */
function prose(name, text, properties = {}) {
  const pieces = text.split("`").map((piece, index) => (index % 2 ? element("code", { textContent: piece }) : piece));
  return element(name, properties, ...pieces);
}

const schema = await (await fetch("/schema/openapi.json")).json();

function resolve(node) {
  return node?.$ref ? schema.components.schemas[node.$ref.split("/").at(-1)] : node;
}

/** A type in a few words: names of fields for objects, two levels deep. */
function describe(node, depth = 0) {
  const found = resolve(node);
  if (!found) return "any";
  if (found.oneOf || found.anyOf) return (found.oneOf ?? found.anyOf).map((one) => describe(one, depth)).join(" | ");
  if (found.type === "array") return `[${describe(found.items, depth)}]`;
  if (found.properties) {
    if (depth > 1) return found.title ?? "object";
    const pad = "  ".repeat(depth + 1);
    const fields = Object.entries(found.properties).map(([name, field]) => {
      const optional = found.required?.includes(name) ? "" : "?";
      const note = resolve(field)?.description ?? field.description;
      return `${pad}${name}${optional}: ${describe(field, depth + 1)}${note ? `   ${note}` : ""}`;
    });
    return `{\n${fields.join("\n")}\n${"  ".repeat(depth)}}`;
  }
  return [found.type, found.format].filter(Boolean).join(" ") || "any";
}

function parameters(operation) {
  if (!operation.parameters?.length) return null;
  const rows = operation.parameters.map((one) => element(
    "tr", {}, element("td", {}, element("code", { textContent: one.name })),
    element("td", { textContent: `${one.in}${one.required ? ", required" : ""}` }),
    element("td", { textContent: describe(one.schema) }), prose("td", one.description ?? "", { className: "dim" }),
  ));
  return element("table", {}, ...rows);
}

function body(title, content) {
  const node = Object.values(content ?? {})[0]?.schema;
  return node ? element("details", {}, prose("summary", title), element("pre", { textContent: describe(node) })) : null;
}

function operation(verb, path, details) {
  const answers = Object.entries(details.responses).map(([status, answer]) => body(`${status} ${answer.description}`, answer.content));
  return element(
    "article", { className: "operation", id: details.operationId },
    element("h3", {}, element("span", { className: "verb", textContent: verb.toUpperCase() }), element("code", { textContent: path }), ` ${details.summary ?? ""}`),
    prose("p", details.description ?? "", { className: "dim" }),
    parameters(details), body("Request body", details.requestBody?.content), ...answers,
  );
}

const everything = Object.entries(schema.paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).filter(([verb]) => ["get", "post", "put", "delete"].includes(verb)).map(([verb, details]) => ({ path, verb, details })));
const sections = schema.tags.map((tag) => element(
  "section", { className: "panel" }, element("h2", { textContent: tag.name }), prose("p", tag.description ?? ""),
  ...everything.filter((one) => one.details.tags?.includes(tag.name)).map((one) => operation(one.verb, one.path, one.details)),
));
page.replaceChildren(
  element("p"), element("h1", { textContent: `${schema.info.title} ${schema.info.version}` }),
  prose("p", schema.info.description, { className: "dim" }), element("div", {}, ...sections.flatMap((one) => [one, element("p")])),
);
