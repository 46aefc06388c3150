// All runs: how far they are, what they found.

import { get, send } from "./api.js";
import { agrees, badge, facts, h, labelled, replace, select, sparkline } from "./dom.js";
import { duration, quantity, title, when } from "./format.js";

const STATES = [["", "any state"], "created", "training", "searching", "complete", "interrupted", "stopped", "failed"];
const SECONDS_BETWEEN_LOOKS = 2;

export async function show(place, page) {
  document.title = "Runs - FitNAS";
  const wanted = { q: "", state: "" };
  const chosen = new Set();
  const cards = h("div", { class: "cards" });
  const compare = h("button", { type: "button", disabled: true, onclick: () => page.visit(address(chosen)) }, "Compare");
  const look = () => refresh(cards, wanted, chosen, compare, page).catch(page.tell);
  const search = h("input", { type: "search", oninput: () => { wanted.q = search.value; look(); } });
  replace(place,
    h("div", { class: "row spread" }, h("h1", {}, "Runs"),
      h("div", { class: "row end" },
        labelled("Name or note", search),
        labelled("State", select(STATES, "", (state) => { wanted.state = state; look(); })),
        compare,
        h("a", { href: "/start" }, "New run"))),
    cards);
  await refresh(cards, wanted, chosen, compare, page);
  const timer = setInterval(look, 1000 * SECONDS_BETWEEN_LOOKS);
  page.signal.addEventListener("abort", () => clearInterval(timer));
}

const address = (chosen) => `/compare?${[...chosen].map((name) => `run=${encodeURIComponent(name)}`).join("&")}`;

let shown = "";

async function refresh(cards, wanted, chosen, compare, page) {
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  const { runs, next } = await get(`/runs?${query}`, page.signal);
  const said = JSON.stringify(runs);
  if (said === shown && cards.childElementCount) return;
  if (cards.contains(document.activeElement) && document.activeElement.tagName !== "A") return; // somebody is at it
  shown = said;
  const again = () => { shown = ""; return refresh(cards, wanted, chosen, compare, page); };
  const mark = () => { compare.disabled = chosen.size < 2; };
  replace(cards,
    runs.map((run) => card(run, chosen, mark, again, page)),
    runs.length ? null : h("p", {}, "No runs here. ", h("a", { href: "/start" }, "Start one"), ", or type: nas search --space mcunetv2"),
    next ? h("p", { class: "soft" }, "Older ones are found by name or note.") : null);
}

function card(run, chosen, mark, again, page) {
  const readable = run.objectives !== undefined;
  const box = h("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, checked: chosen.has(run.name), disabled: !readable,
    onchange: () => { if (box.checked) chosen.add(run.name); else chosen.delete(run.name); mark(); } });
  return h("article", { class: "panel card", "data-run": run.name },
    h("div", { class: "row spread" },
      h("h2", {}, readable ? h("a", { href: `/runs/${encodeURIComponent(run.name)}` }, run.name) : run.name), box),
    h("p", {}, badge(run.job?.state === "queued" ? "queued" : run.state.split(":")[0]), " ",
      run.tags.map((tag) => h("span", { class: "tag" }, tag)), h("span", { class: "soft" }, run.note)),
    readable ? found(run) : h("p", { class: "soft" }, run.state.includes(":") ? run.state : "waits for its turn"),
    actions(run, again, page));
}

function found(run) {
  const first = run.objectives[0].column, second = run.objectives[1]?.column;
  const busy = run.job ?? (["training", "searching"].includes(run.state) ? {} : null);
  const step = run.job?.progress;
  return [
    h("progress", { max: run.trials_planned, value: run.trials, "aria-label": "Trials done" }),
    facts([
      ["trials", `${run.trials.toLocaleString("en")} of ${run.trials_planned.toLocaleString("en")}`],
      busy ? ["left", run.eta_seconds === null ? step?.task ?? "-" : `${step ? `${step.task}, ` : ""}about ${duration(run.eta_seconds)}`] : null,
      run.best ? ["best", `${quantity(first, run.best.metrics[first])}${second ? `, ${quantity(second, run.best.metrics[second])}` : ""}`] : null,
      run.knee && second ? ["knee", `${quantity(first, run.knee.metrics[first])}, ${quantity(second, run.knee.metrics[second])}`] : null,
      ["space", run.space],
      ["limits", Object.entries(run.limits).map(([column, value]) => `${title(column)} ${quantity(column, value)}`).join(", ") || "none"],
      ["begun", when(run.created)],
    ].filter(Boolean)),
    sparkline(run.sparkline, `hypervolume ${run.hypervolume.toFixed(3)} after ${run.trials} trials`),
    h("p", { class: "soft" }, `hypervolume ${run.hypervolume.toFixed(4)}, ${run.front} on the front`),
  ];
}

export function actions(run, again, page) {
  const path = `/runs/${encodeURIComponent(run.name)}`;
  const act = (method, where, after = again) => () => send(method, where).then(after).catch(page.tell);
  const remove = async () => {
    if (await agrees(`Delete the run ${run.name} for good, with its networks?`, "Delete")) await act("DELETE", path)();
  };
  return h("div", { class: "row" },
    run.job ? h("button", { type: "button", onclick: act("POST", `${path}/stop`) }, run.job.state === "queued" ? "Take out" : "Stop") : null,
    !run.job && ["interrupted", "stopped", "failed"].includes(run.state) ? h("button", { type: "button", onclick: act("POST", `${path}/resume`) }, "Resume") : null,
    run.job ? null : h("button", { type: "button", class: "bad quiet", onclick: remove }, "Delete"));
}
