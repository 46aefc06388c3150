// One network: its blocks and layers, figures beside limits, training and export with the command that does the same.

import { blobAddress, download, follow, get, send } from "./api.js";
import { drawLayers } from "./charts.js";
import { badge, command, facts, h, labelled, replace, select } from "./dom.js";
import { quantity, schedule, title } from "./format.js";
import { bar } from "./run_panels.js";

export async function show(place, page) {
  const [name, pick] = page.names;
  const path = `/runs/${encodeURIComponent(name)}`;
  document.title = `${pick} of ${name} - FitNAS`;
  const network = await get(`${path}/architectures/${encodeURIComponent(pick)}`, page.signal);
  const chart = h("div", { class: "plot" }), picture = h("div", { class: "drawing", tabindex: "0" });
  const exports_ = h("div", {});
  const draw = (column) => drawLayers(chart, network.layers, column, network.limits.peak_sram_bytes);
  replace(place,
    h("p", {}, h("a", { href: path }, `Run ${name}`)),
    h("h1", {}, `Network ${network.id} `, badge(network.kind)),
    h("div", { class: "grid" },
      h("section", { class: "panel w4", "aria-label": "Figures" }, h("h2", {}, "Figures"), figures(network)),
      h("section", { class: "panel w8", "aria-label": "Layers" }, h("h2", {}, "Layer by layer"),
        labelled("show", select([["sram_bytes", "bytes alive"], ["macs", "MACs"]], "sram_bytes", draw)),
        h("p", { class: "soft" }, network.split ? "The peak is red; what runs in patches is amber." : "The peak is red."), chart),
      h("section", { class: "panel w8", "aria-label": "Blocks" }, h("h2", {}, "Blocks"), picture),
      h("section", { class: "panel w4", "aria-label": "Choices" }, h("h2", {}, "Choices"), facts(Object.entries(network.options).map(([choice, option]) => [choice, String(option)]))),
      h("section", { class: "panel w6", "aria-label": "Train" }, h("h2", {}, "Train"), training(network, path, page)),
      h("section", { class: "panel w6", "aria-label": "Export" }, h("h2", {}, "Take it away"), exporting(network, path, page, exports_), exports_)));
  draw("sram_bytes");
  const address = await blobAddress(`${path}/architectures/${network.id}/drawing.svg`);
  page.signal.addEventListener("abort", () => URL.revokeObjectURL(address));
  replace(picture, h("img", { src: address, alt: `Blocks of ${network.id} with the bytes alive at each operator` }));
  await list(exports_, network, name, path, page);
}

function figures(network) {
  const measured = Object.entries(network.measured).map(([column, value]) => [`${title(column)}, measured`, quantity(column, value)]);
  return [
    facts([...Object.entries(network.metrics).map(([column, value]) => [title(column), quantity(column, value)]), ...measured,
      ["schedule", schedule(network.patches, network.split)], ["runtime", network.runtime], ["trial", network.number]]),
    h("div", { class: "bars" }, Object.entries(network.limits).filter(([column]) => column in network.metrics).map(([column, limit]) => bar(column, network.metrics[column], limit))),
    network.error ? h("p", {}, network.error) : null,
  ];
}

function training(network, path, page) {
  const epochs = h("input", { type: "number", min: "1", value: "25", name: "epochs" });
  const place = h("div", { "aria-live": "polite" });
  const trained = network.trained;
  const start = () => work(place, () => send("POST", `${path}/train`, { pick: network.id, epochs: Number(epochs.value) }), page, () => page.visit(location.pathname));
  return [
    trained ? h("p", {}, `Trained for ${trained.epochs} epochs: validation ${quantity("top1", trained.validation_top1)}, test ${quantity("top1", trained.test_top1)}.`) : h("p", { class: "soft" }, "Not trained for good yet."),
    h("div", { class: "row end" }, labelled("Epochs", epochs), h("button", { type: "button", onclick: start }, "Train")), command(network.commands.train), place,
  ];
}

function exporting(network, path, page, exports_) {
  const place = h("div", { "aria-live": "polite" }), words = h("div", {});
  let format = "pytorch";
  const told = () => replace(words, command(network.commands.export[format]));
  const start = () => work(place, () => send("POST", `${path}/export`, { pick: network.id, to: format }), page, () => list(exports_, network, page.names[0], path, page));
  const formats = select(Object.keys(network.commands.export), format, (chosen) => { format = chosen; told(); }, { name: "format" });
  told();
  return [h("div", { class: "row end" }, labelled("Format", formats), h("button", { type: "button", onclick: start }, "Export")), words, place];
}

async function list(place, network, name, path, page) {
  const found = (await get(`${path}/exports`, page.signal)).filter((each) => each.folder.startsWith(network.id));
  const bytes = (files) => Object.values(files).reduce((sum, size) => sum + size, 0);
  replace(place, found.length ? h("h3", {}, "Exported") : null, found.map((each) => h("p", { class: "row" }, each.folder, ` (${quantity("_bytes", bytes(each.files))}) `,
    h("button", { type: "button", onclick: () => download(`${path}/exports/${each.folder}.zip`, `${name}-${each.folder}.zip`).catch(page.tell) }, "Download as zip"))));
}

/** Starts a job and shows how it goes; `after` once it is complete. */
export async function work(place, start, page, after) {
  let job;
  try { job = await start(); } catch (error) { page.tell(error); return; }
  const state = h("p", {}), log = h("pre", { class: "log", tabindex: "0", "aria-label": "Log" });
  const stop = h("button", { type: "button", onclick: () => send("POST", `/jobs/${job.id}/cancel`).catch(page.tell) }, "Cancel");
  replace(place, state, log, stop);
  await follow(`/jobs/${job.id}/events`, {
    job: (now) => {
      job = now;
      const step = now.progress;
      state.textContent = `${now.kind} ${now.state}${step ? `: ${step.task} ${step.done}${step.total ? ` of ${step.total}` : ""}` : ""}${now.message ? `: ${now.message}` : ""}`;
    },
    log: ({ text }) => { log.textContent += text; log.scrollTop = log.scrollHeight; },
    end: () => !["queued", "running"].includes(job.state),
  }, page.signal).catch(page.tell);
  stop.remove();
  if (job.state === "complete" && !page.signal.aborted) await after();
}
