// Shows the OpenAPI document. Everything is put in as text, so nothing in the document can become a program.
"use strict";

const told = document.getElementById("told");
const reference = document.getElementById("reference");

const element = (name, text, ...inside) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...inside);
  return made;
};

const table = (headings, rows) => {
  const row = (cell, texts) => element("tr", "", ...texts.map((text) => element(cell, text)));
  return element("table", "", element("thead", "", row("th", headings)), element("tbody", "", ...rows.map((texts) => row("td", texts))));
};

const nameOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const one = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (one) return one.map(nameOf).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  const type = [schema.type ?? "any"].flat().join(" or ");
  return schema.items ? `${type} of ${nameOf(schema.items)}` : type + (schema.format ? ` (${schema.format})` : "");
};

const bodyOf = (content) => Object.entries(content ?? {}).map(([media, body]) => `${nameOf(body.schema)} as ${media}`).join(", ");

const operation = (method, path, described) => {
  const label = element("span", method.toUpperCase());
  label.className = "method";
  const made = element("details", "", element("summary", "", label, element("code", path), described.summary ?? ""));
  if (described.description) made.append(element("p", described.description));
  if (described.parameters?.length) {
    made.append(element("h4", "Parameters"), table(["name", "in", "type", "meaning"],
      described.parameters.map((p) => [p.name + (p.required ? " *" : ""), p.in, nameOf(p.schema), p.description ?? ""])));
  }
  if (described.requestBody) made.append(element("p", `Body: ${bodyOf(described.requestBody.content)}`));
  made.append(element("h4", "Answers"), table(["status", "body", "meaning"],
    Object.entries(described.responses).map(([status, answer]) => [status, bodyOf(answer.content), answer.description])));
  return made;
};

const schema = (name, described) => {
  const made = element("details", "", element("summary", "", element("code", name), described.description ?? ""));
  const fields = Object.entries(described.properties ?? {});
  const required = described.required ?? [];
  if (fields.length) {
    made.append(table(["field", "type", "meaning"],
      fields.map(([field, of]) => [field + (required.includes(field) ? " *" : ""), nameOf(of), of.description ?? ""])));
  } else {
    made.append(element("p", nameOf(described)));
  }
  return made;
};

const show = (api) => {
  const parts = [];
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      if (!item[method]) continue;
      const group = item[method].tags?.[0] ?? "other";
      groups.set(group, [...(groups.get(group) ?? []), operation(method, path, item[method])]);
    }
  }
  for (const [group, operations] of groups) parts.push(element("h2", group), ...operations);
  parts.push(element("h2", "schemas"), ...Object.entries(api.components?.schemas ?? {}).map(([name, of]) => schema(name, of)));
  reference.replaceChildren(...parts);
  told.textContent = `${api.info.title} ${api.info.version}. A star marks what must be given.`;
};

document.getElementById("open").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value;
  try {
    const answer = await fetch("/openapi.json", { credentials: "omit", headers: { authorization: `Bearer ${token}` } });
    const body = await answer.json();
    if (answer.ok) show(body);
    else told.textContent = `${body.detail}; ${body.remedy}`;
  } catch (problem) {
    told.textContent = `The description cannot be read: ${problem.message}`;
  }
});
