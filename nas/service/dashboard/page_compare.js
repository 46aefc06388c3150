// Runs side by side: fronts over each other, hypervolume in one box, whose front covers whose.

import { get } from "./api.js";
import { drawFronts } from "./charts.js";
import { h, labelled, replace, select } from "./dom.js";
import { quantity, title } from "./format.js";

export async function show(place, page) {
  document.title = "Compare - FitNAS";
  const names = new URLSearchParams(location.search).getAll("run");
  const found = await get(`/compare?${names.map((name) => `run=${encodeURIComponent(name)}`).join("&")}`, page.signal);
  const first = await get(`/runs/${encodeURIComponent(names[0])}`, page.signal);
  const chart = h("div", { class: "plot" });
  const members = Object.values(found.fronts).flat();
  const columns = [...new Set(members.flatMap((each) => Object.keys(each.metrics)))].filter((column) => members.every((each) => column in each.metrics));
  const [y, x] = first.objectives.map((each) => each.column);
  const view = { y: columns.includes(y) ? y : columns[0], x: columns.includes(x) ? x : columns.find((column) => column !== y) ?? columns[0] };
  const better = (column) => first.objectives.find((each) => each.column === column)?.better ?? "less";
  const draw = () => drawFronts(chart, found.fronts, view.x, view.y, better(view.x));
  const axis = (key) => labelled(key, select(columns.map((column) => [column, title(column)]), view[key], (column) => { view[key] = column; draw(); }));
  replace(place, h("h1", {}, `Compare ${names.join(", ")}`),
    found.not_comparable.length ? h("div", { class: "panel", role: "note" }, h("h2", {}, "Not in one box"), found.not_comparable.map((line) => h("p", {}, line))) : null,
    h("div", { class: "grid" },
      h("section", { class: "panel w8", "aria-label": "Fronts" }, h("h2", {}, "Fronts"), h("div", { class: "row end" }, axis("x"), axis("y")), chart),
      h("section", { class: "panel w4", "aria-label": "Notes" }, h("h2", {}, "To know"), found.notes.map((line) => h("p", {}, line))),
      h("section", { class: "panel", "aria-label": "Figures" }, h("h2", {}, "Figures"), rows(found, first.objectives.map((each) => each.column))),
      found.coverage ? h("section", { class: "panel w6", "aria-label": "Coverage" }, h("h2", {}, "Coverage"), coverage(found, names)) : null,
      h("section", { class: "panel w6", "aria-label": "Differences" }, h("h2", {}, "How they were configured"), differences(found.differences, names))));
  draw();
}

function grid(heads, lines) {
  return h("div", { class: "scroll", tabindex: "0" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, lines.map((line) => h("tr", {}, line.map((cell) => h("td", {}, cell)))))));
}

function rows(found, columns) {
  const common = found.reference ? ["hypervolume, one box"] : [];
  return grid(["run", "state", "trials", "front", "hypervolume, own box", ...common, ...columns.map((column) => `best: ${title(column)}`), ...columns.map((column) => `knee: ${title(column)}`)],
    found.runs.map((row) => [h("a", { href: `/runs/${encodeURIComponent(row.run)}` }, row.run), row.state, `${row.trials} of ${row.trials_planned}`, row.front, row.hypervolume.toFixed(4),
      ...(found.reference ? [row.common_hypervolume.toFixed(4)] : []),
      ...["best", "knee"].flatMap((mark) => columns.map((column) => quantity(column, row[mark]?.metrics[column] ?? null)))]));
}

function coverage(found, names) {
  const share = (value) => (value === null || value === undefined ? "-" : `${(100 * value).toFixed(0)} %`);
  return [h("p", { class: "soft" }, "The share of the column's front that the row's front dominates or equals."),
    grid(["", ...names], names.map((a) => [a, ...names.map((b) => (a === b ? "" : share(found.coverage[a][b])))]))];
}

function differences(found, names) {
  const keys = Object.keys(found);
  if (!keys.length) return h("p", {}, "Alike.");
  const words = (value) => (value === null || value === undefined ? "default" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return grid(["option", ...names], keys.map((key) => [key, ...names.map((name) => words(found[key][name]))]));
}
