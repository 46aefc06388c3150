// Panels of a run's page: sliders over the budget, use of the limits, health, note and tags.

import { send } from "./api.js";
import { facts, h, labelled, replace } from "./dom.js";
import { duration, quantity, title } from "./format.js";

const MOST_BARS = 8;
const STEPS = 200;

/** A slider for each figure that is known of every network; it re-picks from what was found, without a search. */
export function whatIf(place, state) {
  const { trials, run } = state;
  const objectives = run.objectives.map((each) => each.column);
  const columns = [...new Set([...Object.keys(run.limits), ...objectives.filter((column) => !column.endsWith("top1")), "peak_sram_bytes", "flash_bytes"])].filter((column) => trials.metrics.includes(column));
  if (place.contains(document.activeElement) && place.dataset.columns === columns.join()) return;
  place.dataset.columns = columns.join();
  replace(place, columns.map((column) => slider(state, column)),
    h("p", {}, h("button", { type: "button", onclick: () => { state.limits = { ...run.limits }; place.dataset.columns = ""; document.activeElement.blur(); state.changed(); } }, "As it was searched")));
}

function slider(state, column) {
  const { trials } = state;
  const values = trials.rows.map((row) => trials.value(row, column)).filter((value) => value !== null);
  const searched = state.run.limits[column];
  const low = values.reduce((a, b) => Math.min(a, b), Infinity), high = Math.max(values.reduce((a, b) => Math.max(a, b), -Infinity), searched ?? -Infinity);
  const now = state.limits[column] ?? high;
  const told = h("output", {}, quantity(column, now));
  const input = h("input", { type: "range", min: low, max: high, step: (high - low) / STEPS || 1, value: now, "aria-label": `Limit on ${title(column)}`, "data-limit": column,
    "aria-valuetext": quantity(column, now),
    oninput: () => {
      const value = Number(input.value);
      if (value >= high && searched === undefined) delete state.limits[column];
      else state.limits[column] = value;
      told.textContent = quantity(column, value);
      input.setAttribute("aria-valuetext", told.textContent);
      state.changed();
    } });
  return h("div", { class: "slider" }, h("span", {}, title(column)), input, told);
}

/** Of the front's networks: how much of each limit they take. */
export function resources(place, state) {
  const { trials, found, run } = state;
  const limits = Object.entries(run.limits).filter(([column]) => !state.more.has(column));
  if (!limits.length) {
    replace(place, h("p", { class: "soft" }, "The search had no limits. Move a slider to see what one would cost."));
    return;
  }
  const rows = found.front.filter((index) => !state.seen || state.seen.has(index)).slice(0, MOST_BARS);
  replace(place, rows.map((index) => {
    const row = trials.rows[index];
    return h("div", {}, h("h3", {}, trials.value(row, "id"), " ", h("span", { class: "soft" }, quantity(run.objectives[0].column, trials.value(row, run.objectives[0].column)))),
      h("div", { class: "bars" }, limits.map(([column, limit]) => bar(column, trials.value(row, column), limit))));
  }), found.front.length > rows.length ? h("p", { class: "soft" }, `and ${found.front.length - rows.length} more on the front`) : null);
}

export function bar(column, value, limit) {
  const share = value / limit;
  const fill = h("div", { class: share > 1 ? "fill over" : "fill" });
  fill.style.width = `${Math.min(100, 100 * share)}%`;
  return h("div", { class: "bar" }, h("span", {}, title(column)), h("div", { class: "track" }, fill),
    h("span", {}, `${quantity(column, value)} of ${quantity(column, limit)}`));
}

export function health(place, found) {
  const share = found.share_feasible;
  const pairs = found.promised_and_measured;
  replace(place,
    facts([
      ["evaluated", found.evaluated.toLocaleString("en")],
      ["rejected before evaluation", found.rejected.toLocaleString("en")],
      ["of all proposed were evaluated", share === null || share === undefined ? "-" : `${(100 * share).toFixed(1)} %`],
      ["an evaluation takes", duration(found.seconds_an_evaluation)],
      ["failed", found.failures.reduce((sum, each) => sum + each.count, 0).toLocaleString("en")],
    ]),
    found.failures.length ? h("ul", {}, found.failures.map((each) => h("li", {}, `${each.count} x ${each.error}`))) : null,
    found.predictors.map((each) => h("p", {}, `${title(each.column)}: ${each.whose}; ${each.extrapolated} trials unlike all that it learnt from`)),
    pairs.length ? h("p", {}, `latency promised and measured: off by ${(100 * pairs.reduce((sum, each) => sum + Math.abs(each.promised_ms / each.measured_ms - 1), 0) / pairs.length).toFixed(1)} % on average over ${pairs.length} networks`) : null,
    h("p", { class: "soft" }, found.strategy));
}

export function labels(run, page) {
  const note = h("textarea", { rows: "2", value: run.note });
  const tags = h("input", { value: run.tags.join(" ") });
  const keep = () => send("PATCH", `/runs/${encodeURIComponent(run.name)}`, { note: note.value, tags: tags.value.split(/\s+/).filter(Boolean) })
    .then(() => page.tell(null)).catch(page.tell);
  return h("div", { class: "row end" }, labelled("Note", note), labelled("Tags", tags), h("button", { type: "button", onclick: keep }, "Keep"));
}
