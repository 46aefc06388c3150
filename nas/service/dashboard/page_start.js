// A form for a search: what fits is shown before anything is trained, and the command line that does the same.

import { get, newKey, send } from "./api.js";
import { check, command, h, labelled, replace, select } from "./dom.js";
import { quantity, title } from "./format.js";

const MILLISECONDS_UNTIL_PREVIEW = 700;
const UNITS = { sram: "256k", flash: "1M", size: "200k", macs: "30M", params: "1M", accuracy: "90%", int8_accuracy: "90%",
  latency: "20ms", throughput: "50/s", energy: "5mJ", bitops: "1G", zero_cost: "100" };
const USUAL = ["sram", "flash", "macs", "params"];

export async function show(place, page) {
  document.title = "New run - FitNAS";
  const [spaces, devices, strategies, metrics, datasets] = await Promise.all(
    ["/spaces", "/devices", "/strategies", "/metrics-table", "/datasets"].map((path) => get(path, page.signal)));
  const told = { space: "mcunetv2", data: "digits", set: {}, budget: {}, objectives: new Set(), more: {} };
  const fits = h("div", { class: "panel w4", "aria-live": "polite" });
  let timer = 0;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => preview(fits, values(told), page), MILLISECONDS_UNTIL_PREVIEW);
  };
  page.signal.addEventListener("abort", () => clearTimeout(timer));
  const settings = h("fieldset", {}, h("legend", {}, "Settings of the space"));
  const objectives = h("div", { class: "row" });
  const pickSpace = async (name) => {
    told.space = name;
    told.set = {};
    const space = await get(`/spaces/${name}`, page.signal);
    told.objectives = new Set(space.objectives.split(","));
    showObjectives(objectives, metrics, told, changed);
    showSettings(settings, space, told, changed);
    changed();
  };
  const text = (name, words, attributes = {}) => labelled(words, h("input", { ...attributes, name,
    oninput: (event) => { told.more[name] = event.target.value.trim(); changed(); } }));
  const start = async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button.main");
    button.disabled = true; // a second click is no second run
    try {
      const { run } = await send("POST", "/runs", values(told), { "Idempotency-Key": newKey() });
      page.visit(`/runs/${run}`);
    } catch (error) { page.tell(error); }
    button.disabled = false;
  };
  replace(place, h("h1", {}, "New run"),
    h("form", { class: "grid", onsubmit: start },
      h("div", { class: "w8 grid" },
        h("fieldset", {}, h("legend", {}, "What"), h("div", { class: "form" },
          labelled("Space", select(spaces.map((each) => [each.space, `${each.space}: ${each.title}`]), told.space, (name) => pickSpace(name).catch(page.tell), { name: "space" })),
          labelled("Data", select([["digits", "digits (built in)"], ...datasets.map((each) => [`dataset:${each.id}`, `${each.name} (${each.pictures.toLocaleString("en")})`])],
            told.data, (data) => { told.data = data; changed(); }, { name: "data" })),
          labelled("Device", select([["", "none"], ...devices.map((each) => each.name)], "", (device) => { told.more.device = device; changed(); }, { name: "device" })),
          labelled("Strategy", select(Object.keys(strategies), "auto", (name) => { told.more.strategy = name; changed(); }, { name: "strategy" })),
          text("run", "Name", { placeholder: "numbered after the space" })),
          h("p", { class: "soft" }, "More data: ", h("a", { href: "/datasets" }, "upload a zip of class folders"))),
        h("fieldset", {}, h("legend", {}, "Limits"), budgetFields(metrics, told, changed)),
        h("fieldset", {}, h("legend", {}, "Better is"), objectives),
        h("fieldset", {}, h("legend", {}, "How long"), h("div", { class: "form" },
          text("trials", "Networks to evaluate", { type: "number", min: "1", placeholder: "200" }),
          text("time", "At most", { placeholder: "for example 30m" }),
          text("supernet_epochs", "Epochs of the supernet", { type: "number", min: "1", placeholder: "by the pictures" }),
          text("quantize", "Search widths too", { placeholder: "for example fp32,int8" }),
          text("seed", "Seed", { type: "number", min: "0", placeholder: "0" }))),
        settings,
        h("p", {}, h("button", { class: "main" }, "Start the search"))),
      fits));
  await pickSpace(told.space);
}

function budgetFields(metrics, told, changed) {
  const field = ({ key, column }) => labelled(`${title(column)} ${metrics.find((each) => each.key === key).better === "less" ? "at most" : "at least"}`,
    h("input", { name: `budget-${key}`, placeholder: UNITS[key] ?? "", oninput: (event) => {
      const value = event.target.value.trim();
      if (value) told.budget[key] = value; else delete told.budget[key];
      changed();
    } }));
  const usual = metrics.filter((each) => USUAL.includes(each.key)), rest = metrics.filter((each) => !USUAL.includes(each.key));
  return [h("div", { class: "form" }, usual.map(field)),
    h("details", {}, h("summary", {}, "More limits"), h("div", { class: "form" }, rest.map(field)))];
}

function showObjectives(place, metrics, told, changed) {
  replace(place, metrics.map(({ key, column, better }) => check(`${better} ${title(column)}`, told.objectives.has(key), (on) => {
    if (on) told.objectives.add(key); else told.objectives.delete(key);
    told.chose = true;
    changed();
  })));
}

function showSettings(place, space, told, changed) {
  const words = (value) => (Array.isArray(value) ? value.join(",") : typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? ""));
  replace(place, h("legend", {}, "Settings of the space"), h("p", { class: "soft" }, space.source),
    h("div", { class: "form" }, Object.entries(space.settings).map(([name, value]) => labelled(name, h("input", { placeholder: words(value), oninput: (event) => {
      const given = event.target.value.trim();
      if (given) told.set[name] = given; else delete told.set[name];
      changed();
    } })))));
}

/** The configuration that the form means; what is left empty is left to the service. */
export function values(told) {
  const numbers = ["trials", "supernet_epochs", "seed"];
  const more = Object.entries(told.more).filter(([, value]) => value !== "" && value !== null)
    .map(([name, value]) => [name, numbers.includes(name) ? Number(value) : value]);
  const budget = Object.entries(told.budget).map(([key, value]) => `${key}=${value}`).join(",");
  return { space: told.space, data: told.data, ...(Object.keys(told.set).length ? { set: told.set } : {}), ...(budget ? { budget } : {}),
    ...(told.chose ? { objectives: [...told.objectives].join(",") } : {}), ...Object.fromEntries(more) };
}

let asking = 0;

async function preview(place, config, page) {
  const mine = ++asking;
  replace(place, h("h2", {}, "What fits"), h("p", { class: "soft" }, "Pricing a sample of the space ..."));
  let content;
  try {
    content = fitting(await send("POST", "/runs/preview", config));
  } catch (error) {
    content = h("p", { role: "alert", class: "command" }, error.message);
  }
  if (mine === asking && !page.signal.aborted) replace(place, h("h2", {}, "What fits"), content);
}

function fitting(found) {
  const share = found.feasible_share;
  return [
    h("p", {}, h("strong", { "data-share": share }, `${(100 * share).toPrecision(3)} %`), ` of ${found.sampled.toLocaleString("en")} sampled networks fit`,
      found.patched_share ? `, ${(100 * found.patched_share).toFixed(0)} % of these by patches` : "", "."),
    h("progress", { max: 1, value: share, "aria-label": "Share that fits" }),
    found.budget.map((line) => h("p", { class: "soft" }, line)),
    h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["of these", "least", "median", "most"].map((word) => h("th", {}, word)))),
      h("tbody", {}, Object.entries(found.feasible_min_median_max).map(([column, ends]) =>
        h("tr", {}, h("td", {}, title(column)), ends.map((value) => h("td", {}, quantity(column, value)))))))),
    h("h3", {}, "The same on the command line"), command(found.command),
  ];
}
