// Jobs: what runs, what waits, how it ended.

import { get, send } from "./api.js";
import { badge, h, replace } from "./dom.js";
import { duration, when } from "./format.js";

const SECONDS_BETWEEN_LOOKS = 2;

export async function show(place, page) {
  document.title = "Jobs - FitNAS";
  const list = h("div", {});
  replace(place, h("h1", {}, "Jobs"), list);
  const refresh = async () => {
    const jobs = await get("/jobs", page.signal);
    if (!list.contains(document.activeElement)) replace(list, table(jobs, refresh, page));
  };
  await refresh();
  const timer = setInterval(() => refresh().catch(page.tell), 1000 * SECONDS_BETWEEN_LOOKS);
  page.signal.addEventListener("abort", () => clearInterval(timer));
}

function table(jobs, refresh, page) {
  if (!jobs.length) return h("p", { class: "soft" }, "None yet.");
  const cancel = (job) => () => { document.activeElement.blur(); send("POST", `/jobs/${job.id}/cancel`).then(refresh).catch(page.tell); };
  const how = (job) => (job.progress ? `${job.progress.task}: ${job.progress.done}${job.progress.total ? ` of ${job.progress.total}` : ""}${job.progress.eta_seconds ? `, about ${duration(job.progress.eta_seconds)} left` : ""}`
    : job.position ? `number ${job.position} in the queue` : job.message ?? "");
  return h("div", { class: "scroll", tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, ["run", "what", "state", "how far", "by", "created", ""].map((word) => h("th", { scope: "col", class: "t" }, word)))),
    h("tbody", {}, jobs.map((job) => h("tr", {}, h("td", {}, h("a", { href: `/runs/${encodeURIComponent(job.run)}` }, job.run)), h("td", { class: "t" }, job.kind), h("td", { class: "t" }, badge(job.state)), h("td", { class: "t" }, how(job)),
      h("td", { class: "t" }, job.by), h("td", { class: "t" }, when(job.created)), h("td", {}, ["queued", "running"].includes(job.state) ? h("button", { type: "button", onclick: cancel(job) }, "Cancel") : ""))))));
}
