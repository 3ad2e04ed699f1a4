// The API's own description (openapi.json) as a page to read; needs nothing from elsewhere.

import { $, element } from "./dom.js";

const text = (tag, textContent, className = "") => element(tag, { textContent, className });

function typeOf(schema = {}) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).filter((one) => one !== "null").join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties) return `map of ${typeOf(schema.additionalProperties)}`;
  return schema.enum?.join(", ") ?? schema.format ?? schema.type ?? "anything";
}

function facts(rows) {
  const list = element("dl");
  for (const [term, type, about] of rows) {
    list.append(element("dt", {}, text("code", term), text("small", ` ${type}`)), text("dd", about ?? ""));
  }
  return list;
}

const contentOf = (described) => Object.entries(described?.content ?? {}).map(([type, { schema }]) => [type, typeOf(schema), ""]);

function operation(path, method, described) {
  const given = (described.parameters ?? []).map((one) => [one.name, `${one.in}, ${typeOf(one.schema)}`, one.description]);
  const answers = Object.entries(described.responses).flatMap(([status, one]) => {
    const types = contentOf(one).map(([, type]) => type).filter((type) => type !== "anything");
    return [[status, types.join(" or "), one.description]];
  });
  const title = element("summary", {}, text("code", method.toUpperCase(), "method"), text("code", path), text("span", described.summary ?? "", "about"));
  const details = element("details", {}, title);
  for (const [heading, rows] of [["Given", [...given, ...contentOf(described.requestBody)]], ["Answers", answers]]) {
    if (rows.length) details.append(text("h3", heading), facts(rows));
  }
  return details;
}

function record(name, schema) {
  const needed = new Set(schema.required);
  const rows = Object.entries(schema.properties ?? {}).map(([field, one]) => [field, typeOf(one) + (needed.has(field) ? "" : ", optional"), one.description]);
  return element("details", {}, element("summary", {}, text("code", name)), facts(rows));
}

const api = await (await fetch("/openapi.json")).json();
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, described] of Object.entries(methods)) {
    const tag = described.tags?.[0] ?? "other";
    groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, described)]);
  }
}
for (const [tag, operations] of groups) $("docs").append(element("section", {}, text("h2", tag), ...operations));
const records = Object.entries(api.components?.schemas ?? {}).map(([name, schema]) => record(name, schema));
$("docs").append(element("section", {}, text("h2", "records"), ...records));
