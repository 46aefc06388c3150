// One run while it grows: front, hypervolume, what if the budget were another, parallel coordinates, table, health.

import { follow, get } from "./api.js";
import { drawFront, drawHistory } from "./charts.js";
import { badge, check, command, facts, h, labelled, replace, select } from "./dom.js";
import { duration, quantity, schedule, title } from "./format.js";
import { actions } from "./page_runs.js";
import { Parallel } from "./parallel.js";
import { table } from "./run_table.js";
import { health, labels, resources, whatIf } from "./run_panels.js";
import { Trials } from "./trials.js";

const MILLISECONDS_BETWEEN_DRAWINGS = 300;
const MILLISECONDS_BETWEEN_LOOKS = 2000; // at what no trial tells: a job's progress and end
const MILLISECONDS_BETWEEN_CHECKS = 5000;
const MOST_AXES = 8;

export async function show(place, page) {
  const [name] = page.names;
  const path = `/runs/${encodeURIComponent(name)}`;
  document.title = `${name} - FitNAS`;
  const run = await begun(place, name, path, page);
  if (!run) return;
  const metrics = await get("/metrics-table", page.signal);
  const state = begin(run, metrics);
  const parts = frame(place, run, state, page);
  const redraw = slowly(() => draw(parts, state, page), page.signal);
  state.changed = redraw;
  const refresh = async () => {
    Object.assign(run, await get(path, page.signal));
    parts.head(run, refresh);
  };
  parts.head(run, refresh);
  const timer = setInterval(() => isAtWork(run) && refresh().catch(page.tell), MILLISECONDS_BETWEEN_LOOKS);
  page.signal.addEventListener("abort", () => clearInterval(timer));
  follow(`${path}/events`, {
    trials: (found) => { state.trials.add(found); state.dirty = true; redraw(); },
    state: (summary) => { Object.assign(run, summary); grow(state.history, run); parts.head(run, refresh); redraw(); },
    gone: ({ detail }) => page.tell(detail),
  }, page.signal).catch(page.tell);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal: page.signal });
}

const isAtWork = (run) => run.job || ["created", "training", "searching"].includes(run.state);

/** The history goes on with what each event says, instead of being sent anew with each. */
function grow(history, run) {
  if (!history || !(run.trials > (history.evaluations.at(-1) ?? 0))) return;
  history.evaluations.push(run.trials);
  history.seconds.push(run.evaluation_seconds);
  history.hypervolume.push(run.hypervolume);
}

/** The run, once it has written its configuration; until then the job that waits or gets ready is shown. */
async function begun(place, name, path, page) {
  while (!page.signal.aborted) {
    const { runs } = await get(`/runs?q=${encodeURIComponent(name)}&limit=1000`, page.signal);
    const row = runs.find((each) => each.name === name);
    const [job] = row?.objectives?.length ? [] : await get(`/jobs?run=${encodeURIComponent(name)}`, page.signal);
    if (!job) return get(path, page.signal); // there it is, or the service says why not
    const live = ["queued", "running"].includes(job.state);
    replace(place, h("h1", {}, name, " ", badge(job.state)),
      h("p", { "aria-live": "polite" }, job.position ? `Number ${job.position} in the queue.` : live ? "Getting ready: data is looked at and the space is priced ..." : job.message ?? ""),
      live ? null : h("p", {}, h("a", { href: "/jobs" }, "All jobs")));
    if (!live) return null;
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  return null;
}

function begin(run, metrics) {
  const [first, second] = run.objectives.map((each) => each.column);
  return {
    run, trials: new Trials(run.objectives, run.limits), limits: { ...run.limits }, seen: null, dirty: false, checked: 0, level: null, against: "evaluations",
    more: new Set(metrics.filter((each) => each.better === "more").map((each) => each.column)),
    view: { x: second ?? "macs", y: first, z: "", size: "", kinds: new Set(["dominated"]) }, sort: { column: "number", down: true }, page: 0,
    changed: () => {},
  };
}

function frame(place, run, state, page) {
  const boxes = Object.fromEntries(["head", "front", "history", "whatIf", "picks", "parallel", "resources", "table", "health"].map((key) => [key, h("div", {})]));
  boxes.front.className = "plot";
  boxes.history.className = "plot low";
  boxes.parallel.className = "wide";
  const parallel = new Parallel(boxes.parallel, (seen) => { state.seen = seen; state.changed(); });
  const axes = h("div", { class: "row end" });
  const panel = (heading, width, ...content) => h("section", { class: `panel ${width}`, "aria-label": heading }, h("h2", {}, heading), content);
  replace(place, boxes.head,
    h("div", { class: "grid" },
      panel("Front", "w8", axes, boxes.front),
      panel("What if the budget were", "w4", boxes.whatIf, boxes.picks),
      panel("Hypervolume", "w6", labelled("against", select(["evaluations", "seconds"], "evaluations", (against) => { state.against = against; state.changed(); })), boxes.history),
      panel("Use of the limits", "w6", boxes.resources),
      panel("Parallel coordinates", "", h("p", { class: "soft" }, "Drag along an axis to keep a range: front, picks, limits and table are of the trials inside alone. Click the axis to let go; the sliders below do the same. ", h("button", { type: "button", onclick: () => parallel.clear() }, "All trials")), h("div", { class: "scroll", tabindex: "0" }, boxes.parallel)),
      panel("Trials", "", boxes.table),
      panel("Health of the search", "w6", boxes.health),
      panel("On the command line", "w6", command(run.command), h("p", {}, h("button", { type: "button", onclick: () => report(page) }, "Open the report")),
        h("h3", {}, "Note and tags"), labels(run, page))));
  return { ...boxes, axes, parallel, head: (now, refresh) => head(boxes.head, now, refresh, page) };
}

async function report(page) {
  const { blobAddress } = await import("./api.js");
  try { open(await blobAddress(`/runs/${encodeURIComponent(page.names[0])}/report`), "_blank", "noopener"); } catch (error) { page.tell(error); }
}

function head(place, run, refresh, page) {
  const active = place.contains(document.activeElement) ? document.activeElement.textContent : null;
  const step = run.job?.progress;
  replace(place,
    h("div", { class: "row spread" }, h("h1", {}, run.name, " ", badge(run.job?.state === "queued" ? "queued" : run.state)), actions(run, refresh ?? (() => {}), page)),
    h("progress", { max: run.trials_planned, value: run.trials, "aria-label": "Trials done" }),
    h("p", { "aria-live": "polite" }, `${run.trials.toLocaleString("en")} of ${run.trials_planned.toLocaleString("en")} trials`,
      run.eta_seconds !== null ? `, about ${duration(run.eta_seconds)} left` : "", step ? ` (${step.task})` : "",
      `; hypervolume ${run.hypervolume.toFixed(4)}, ${run.front} on the front`),
    h("p", { class: "soft" }, [run.space, run.device, ...run.budget, run.numbers].filter(Boolean).join("; ")),
    run.warning || run.unexecutable ? h("p", { role: "note" }, run.warning || `not executable: ${run.unexecutable}`) : null);
  if (active) [...place.querySelectorAll("button")].find((button) => button.textContent === active)?.focus();
}

/** Calls at once, and then at most every so often: a burst of events is one drawing. */
function slowly(work, signal) {
  let waiting = false, last = 0;
  const now = () => { waiting = false; last = performance.now(); if (!signal.aborted) work(); };
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(now, Math.max(0, MILLISECONDS_BETWEEN_DRAWINGS - (performance.now() - last)));
  };
}

function draw(parts, state, page) {
  const { trials, view, run } = state;
  if (!trials.rows.length) {
    replace(parts.picks, h("p", { class: "soft" }, "No trial is done yet."));
    return;
  }
  state.found = trials.sorted(state.limits, state.more, state.seen);
  const { found } = state;
  const picked = { best: found.best, knee: found.knee };
  drawAxes(parts.axes, state);
  drawFront(parts.front, trials, found, view, state.limits, state.more, state.seen, picked);
  parts.front.removeAllListeners?.("plotly_click");
  parts.front.on("plotly_click", ({ points }) => points[0].customdata && page.visit(`/runs/${encodeURIComponent(run.name)}/networks/${points[0].customdata}`));
  whatIf(parts.whatIf, state);
  picks(parts.picks, state, picked);
  resources(parts.resources, state);
  table(parts.table, state, page);
  const wanted = [...run.objectives.map((each) => each.column), ...Object.keys(run.limits), "peak_sram_bytes", "flash_bytes", ...trials.metrics];
  const axesShown = [...new Set(wanted)].filter((column) => trials.metrics.includes(column) && trials.differ(column));
  parts.parallel.draw(trials, found, axesShown.slice(0, MOST_AXES));
  slow(parts, state, page);
}

/** What the service computes is asked for once the trials have changed: the history once, the health now and then. */
async function slow(parts, state, page) {
  const path = `/runs/${encodeURIComponent(state.run.name)}`;
  try {
    const now = performance.now();
    if (!state.checked || (state.dirty && now - state.checked > MILLISECONDS_BETWEEN_CHECKS)) {
      [state.dirty, state.checked] = [false, now];
      state.health = await get(`${path}/health`, page.signal);
      state.history ??= await get(`${path}/history`, page.signal);
      clearTimeout(state.later);
    } else if (state.dirty) {
      clearTimeout(state.later);
      state.later = setTimeout(state.changed, MILLISECONDS_BETWEEN_CHECKS);
    }
    if (page.signal.aborted || !state.history) return;
    drawHistory(parts.history, state.history, state.against);
    health(parts.health, state.health);
  } catch (error) { page.tell(error); }
}

function drawAxes(place, state) {
  const known = state.trials.metrics.join();
  if (place.dataset.known === known) return;
  place.dataset.known = known;
  const options = state.trials.metrics.map((column) => [column, title(column)]);
  const axis = (words, key, none) => labelled(words, select(none ? [["", none], ...options] : options, state.view[key], (column) => { state.view[key] = column; state.changed(); }));
  const shown = (words, kinds) => check(words, kinds.every((kind) => state.view.kinds.has(kind)), (on) => {
    kinds.forEach((kind) => (on ? state.view.kinds.add(kind) : state.view.kinds.delete(kind)));
    state.changed();
  });
  replace(place, axis("x", "x"), axis("y", "y"), axis("z", "z", "none: flat"), axis("size", "size", "all alike"),
    shown("dominated", ["dominated"]), shown("over a limit, failed", ["over", "failed"]));
}

function picks(place, state, picked) {
  const { trials, found, run } = state;
  const first = run.objectives[0].column;
  const cheapest = state.level === null ? null : trials.cheapest(found.front, state.level);
  const card = (words, index) => {
    if (index === null) return h("p", { class: "soft" }, `${words}: none`);
    const row = trials.rows[index], id = trials.value(row, "id");
    return h("div", { "data-pick": words.split(" ")[0] }, h("h3", {}, words, ": ", h("a", { href: `/runs/${encodeURIComponent(run.name)}/networks/${id}` }, id)),
      facts(trials.metrics.filter((column) => run.objectives.some((each) => each.column === column) || column in run.limits)
        .map((column) => [title(column), quantity(column, trials.value(row, column))]).concat([["schedule", schedule(trials.value(row, "patches"), trials.value(row, "split"))]])));
  };
  const focused = place.contains(document.activeElement);
  if (focused) return;
  const percent = first.endsWith("top1");
  const field = h("input", { type: "number", step: "any", "aria-label": `Least ${title(first)}`, value: state.level === null ? "" : percent ? 100 * state.level : state.level,
    onchange: () => { state.level = field.value === "" ? null : Number(field.value) / (percent ? 100 : 1); field.blur(); state.changed(); } });
  replace(place, card("best", picked.best), card("knee", picked.knee),
    run.objectives.length > 1 ? [labelled(`cheapest with ${title(first)} of at least${percent ? " (%)" : ""}`, field), state.level === null ? null : card("cheapest", cheapest)] : null);
}

