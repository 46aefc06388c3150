// Figures by plotly.js, in the page's own colours.

import { plain, quantity, title } from "./format.js";

const MANY_POINTS = 2000; // above, points are drawn by the graphics processor
const SYMBOLS = { front: "circle", dominated: "circle", over: "x", failed: "x" };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function layout(more) {
  const grid = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"), automargin: true };
  const { xaxis, yaxis, scene, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 50, r: 12, t: 10, b: 42 },
    font: { color: colour("--ink"), family: "system-ui, sans-serif", size: 13 }, showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hovermode: "closest", uirevision: "kept",
    xaxis: { ...grid, ...xaxis }, yaxis: { ...grid, ...yaxis },
    ...(scene ? { scene: Object.fromEntries(Object.entries(scene).map(([axis, value]) => [axis, { ...grid, ...value }])) } : {}), ...rest,
  };
}

const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

function axis(column) {
  const percent = column.endsWith("top1");
  return { title: { text: title(column) }, tickformat: percent ? ".0%" : "~s", exponentformat: "SI" };
}

/** The trials as points. `view`: x, y, z (or ""), size (or ""), kinds to show; `seen`: rows to draw, null for all. */
export function drawFront(place, trials, found, view, limits, more, seen, picked) {
  const names = { front: "front", dominated: "dominated", over: "over a limit", failed: "failed" };
  const colours = { front: colour("--accent"), dominated: colour("--soft"), over: colour("--bad"), failed: colour("--warn") };
  const flat = !view.z;
  const scatter = flat ? (trials.rows.length > MANY_POINTS ? "scattergl" : "scatter") : "scatter3d";
  const traces = ["dominated", "over", "failed", "front"].filter((kind) => kind === "front" || view.kinds.has(kind)).map((kind) => {
    const rows = trials.rows.filter((_, index) => found.kinds[index] === kind && (!seen || seen.has(index)));
    const all = (column) => rows.map((row) => trials.value(row, column));
    return {
      type: scatter, mode: kind === "front" && flat ? "lines+markers" : "markers", name: names[kind],
      x: all(view.x), y: all(view.y), ...(flat ? {} : { z: all(view.z) }),
      line: { shape: staircase(trials, view), color: colours[kind], width: 1.5 },
      marker: { color: colours[kind], symbol: SYMBOLS[kind], opacity: kind === "front" ? 1 : 0.45, size: sizes(trials, rows, view, kind) },
      customdata: rows.map((row) => trials.value(row, "id")),
      text: rows.map((row) => hover(trials, row)), hovertemplate: "%{text}<extra></extra>",
    };
  });
  if (flat) ordered(traces.at(-1));
  for (const index of new Set(Object.values(picked).filter((each) => each !== null))) {
    traces.push(mark(trials, index, view, Object.keys(picked).filter((name) => picked[name] === index).join(", ")));
  }
  const shown = flat ? { xaxis: axis(view.x), yaxis: axis(view.y), shapes: budgetShapes(view, limits, more) }
    : { scene: { xaxis: axis(view.x), yaxis: axis(view.y), zaxis: axis(view.z) } };
  window.Plotly.react(place, traces, layout(shown), CONFIG);
}

function ordered(trace) {
  const order = trace.x.map((_, index) => index).sort((a, b) => trace.x[a] - trace.x[b]);
  for (const key of ["x", "y", "customdata", "text"]) trace[key] = order.map((index) => trace[key][index]);
  if (Array.isArray(trace.marker.size)) trace.marker.size = order.map((index) => trace.marker.size[index]);
}

function staircase(trials, view) {
  const better = (column) => trials.objectives.find((each) => each.column === column)?.better ?? "less";
  return better(view.x) === "less" ? "hv" : "vh";
}

function sizes(trials, rows, view, kind) {
  const usual = kind === "front" ? 9 : 6;
  if (!view.size) return usual;
  const all = trials.rows.map((row) => trials.value(row, view.size)).filter((value) => value !== null);
  const low = all.reduce((a, b) => Math.min(a, b), Infinity), high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  return rows.map((row) => 5 + (high > low ? (20 * (trials.value(row, view.size) - low)) / (high - low) : 4));
}

function mark(trials, index, view, name) {
  const row = trials.rows[index];
  const point = { x: [trials.value(row, view.x)], y: [trials.value(row, view.y)], ...(view.z ? { z: [trials.value(row, view.z)] } : {}) };
  return { type: view.z ? "scatter3d" : "scatter", mode: "markers+text", ...point, text: [name], textposition: "top center", showlegend: false,
    hoverinfo: "skip", marker: { size: 13, color: "rgba(0,0,0,0)", line: { color: colour("--ink"), width: 2 } } };
}

const hovers = new WeakMap(); // by row: a row that changes is another row

function hover(trials, row) {
  if (!hovers.has(row)) hovers.set(row, hoverWords(trials, row));
  return hovers.get(row);
}

function hoverWords(trials, row) {
  const lines = trials.metrics.slice(0, 9).map((column) => `${title(column)}: ${quantity(column, trials.value(row, column))}`);
  return plain(`${trials.value(row, "id")}, trial ${trials.value(row, "number")}`) + lines.map((line) => `<br>${plain(line)}`).join("");
}

/** A line at each limit, and the side beyond it shaded. */
function budgetShapes(view, limits, more) {
  const shapes = [];
  for (const [name, column] of [["x", view.x], ["y", view.y]]) {
    if (limits[column] === undefined) continue;
    const other = name === "x" ? "y" : "x", limit = limits[column];
    const far = more.has(column) ? 0 : limit * 10;
    const across = { [`${other}ref`]: `${other} domain`, [`${other}0`]: 0, [`${other}1`]: 1 };
    shapes.push({ type: "rect", layer: "below", [`${name}0`]: limit, [`${name}1`]: far, ...across, line: { width: 0 }, fillcolor: colour("--shade") });
    shapes.push({ type: "line", [`${name}0`]: limit, [`${name}1`]: limit, ...across, line: { color: colour("--bad"), dash: "dash", width: 1.5 } });
  }
  return shapes;
}

export function drawHistory(place, history, against) {
  const x = against === "seconds" ? history.seconds : history.evaluations;
  window.Plotly.react(place, [{ type: "scatter", mode: "lines", x, y: history.hypervolume, line: { shape: "hv", color: colour("--accent") }, name: "hypervolume" }],
    layout({ showlegend: false, xaxis: { title: { text: against === "seconds" ? "seconds of evaluation" : "evaluations" } },
      yaxis: { title: { text: "hypervolume" }, rangemode: "tozero" } }), CONFIG);
}

/** Several fronts over each other: `fronts` by run, members with metrics. */
export function drawFronts(place, fronts, x, y, better) {
  const traces = Object.entries(fronts).map(([run, members]) => {
    const sorted = [...members].sort((a, b) => a.metrics[x] - b.metrics[x]);
    return { type: "scatter", mode: "lines+markers", name: plain(run), x: sorted.map((each) => each.metrics[x]), y: sorted.map((each) => each.metrics[y]),
      line: { shape: better === "less" ? "hv" : "vh" }, text: sorted.map((each) => plain(`${run}: ${each.id}`)), hovertemplate: "%{text}<br>%{x}, %{y}<extra></extra>" };
  });
  window.Plotly.react(place, traces, layout({ xaxis: axis(x), yaxis: axis(y) }), CONFIG);
}

/** Memory alive at each operator, the peak in another colour. */
export function drawLayers(place, layers, column, limit) {
  const peak = layers.reduce((most, layer) => Math.max(most, layer[column]), 0);
  const trace = { type: "bar", x: layers.map((layer) => plain(layer.name)), y: layers.map((layer) => layer[column]),
    marker: { color: layers.map((layer) => colour(column === "sram_bytes" && layer[column] === peak ? "--bad" : layer.patched ? "--warn" : "--bar")) },
    text: layers.map((layer) => plain(`${layer.name}, ${layer.kind}${layer.patched ? ", in patches" : ""}: ${column === "sram_bytes" ? quantity("_bytes", layer[column]) : quantity("macs", layer[column])}`)),
    textposition: "none", hovertemplate: "%{text}<extra></extra>" };
  const shapes = column === "sram_bytes" && limit ? [{ type: "line", xref: "x domain", x0: 0, x1: 1, y0: limit, y1: limit, line: { color: colour("--bad"), dash: "dash" } }] : [];
  window.Plotly.react(place, [trace], layout({ showlegend: false, shapes, yaxis: { title: { text: column === "sram_bytes" ? "bytes alive" : "MACs" }, tickformat: "~s" }, xaxis: { tickangle: -60 } }), CONFIG);
}
