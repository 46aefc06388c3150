"use strict";
(() => {
  const root = document.documentElement;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // ---- figures: drawn one after the other, in the page's own colours

  const figures = read("figures-data");
  const places = [...document.querySelectorAll(".plot[data-figure]")];
  const config = { displaylogo: false, responsive: true, scrollZoom: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

  function colours(figure) {
    const found = { "font.color": css("--ink") };
    for (const key of Object.keys(figure.layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
      found[`${key}.gridcolor`] = css("--grid");
      found[`${key}.linecolor`] = css("--line");
    }
    return found;
  }

  function set(target, path, value) {
    const keys = path.split(".");
    const last = keys.pop();
    const inner = keys.reduce((at, key) => (at[key] = at[key] || {}), target);
    inner[last] = value;
  }

  // what of a trace follows the page: the lines of parallel coordinates, the numbers in a confusion
  function ofTrace(trace) {
    if (trace.type === "parcoords") return { "line.colorscale": [[0, css("--faint")], [1, css("--accent")]] };
    return trace.type === "heatmap" ? { "textfont.color": css("--ink") } : {};
  }

  function draw(place) {
    const figure = figures[place.dataset.figure];
    for (const [path, value] of Object.entries(colours(figure))) set(figure.layout, path, value);
    for (const [path, value] of Object.entries(ofTrace(figure.data[0]))) set(figure.data[0], path, value);
    return Plotly.newPlot(place, figure.data, figure.layout, config);
  }

  function repaint(width) {
    for (const place of places.filter((one) => one.classList.contains("js-plotly-plot"))) {
      const figure = figures[place.dataset.figure];
      const size = width ? { width, autosize: false } : { width: undefined, autosize: true };
      const changes = Object.entries(ofTrace(figure.data[0])).map(([path, value]) => [path, [value]]);
      if (changes.length) Plotly.update(place, Object.fromEntries(changes), { ...colours(figure), ...size }, [0]);
      else Plotly.relayout(place, { ...colours(figure), ...size });
    }
  }

  async function drawAll() {
    for (const [index, place] of places.entries()) {
      await draw(place);
      if (index === 0) performance.mark("first-plot");
      root.dataset.drawn = index + 1;
      await new Promise((next) => setTimeout(next)); // the page answers between two figures
    }
    performance.mark("all-plots");
    root.dataset.drawn = "all";
  }

  const paper = 680; // CSS pixels that fit between the margins of A4 and Letter
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => repaint());
  matchMedia("print").addEventListener("change", (event) => repaint(event.matches ? paper : undefined));

  // ---- the table of trials: sorted and cut into pages here, so that ten thousand rows cost nothing until asked for

  const perPage = 25;
  const table = document.getElementById("trials-table");
  const trials = table && read("trials-data");
  const state = { page: 0, by: 0, down: false, find: "", front: false, choices: false };

  const round = (value, digits) => value.toLocaleString("en", { maximumFractionDigits: digits });
  const shown = {
    text: (value) => value,
    number: (value) => round(value, 3),
    fraction: (value) => `${(100 * value).toFixed(1)} %`,
    bytes: (value) => `${(value / 1024).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} KiB`,
    count: (value) => round(value, 0),
  };

  function value(column, row) {
    const raw = column.values[row];
    if (!column.words) return raw;
    return raw < 0 ? null : column.words[raw];
  }

  function order() {
    const column = trials.columns[state.by];
    const find = state.find.trim().toLowerCase();
    const kinds = trials.columns[trials.kind];
    const ids = trials.columns[trials.id];
    const rows = [...ids.values.keys()].filter(
      (row) => (!state.front || value(kinds, row) === "front") && (!find || ids.values[row].includes(find)),
    );
    const sign = state.down ? -1 : 1;
    return rows.sort((a, b) => {
      const [x, y] = [value(column, a), value(column, b)];
      if (x === null || y === null) return (x === null) - (y === null) || a - b; // what is missing comes last
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
    });
  }

  function cell(name, text, kind) {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind === "text") made.className = "t";
    return made;
  }

  function head(columns) {
    const row = document.createElement("tr");
    for (const [index, column] of columns) {
      const th = cell("th", "", column.kind);
      th.scope = "col";
      th.setAttribute("aria-sort", index !== state.by ? "none" : state.down ? "descending" : "ascending");
      const button = cell("button", column.name);
      button.type = "button";
      button.addEventListener("click", () => {
        state.down = index === state.by ? !state.down : column.kind !== "text" && column.better === "more";
        state.by = index;
        state.page = 0;
        show();
        table.querySelectorAll("th button")[columns.findIndex(([place]) => place === index)].focus();
      });
      th.append(button);
      row.append(th);
    }
    table.tHead.replaceChildren(row);
  }

  function show() {
    const columns = [...trials.columns.entries()].filter(([, column]) => state.choices || !column.choice);
    const rows = order();
    const pages = Math.max(1, Math.ceil(rows.length / perPage));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    head(columns);
    const body = rows.slice(state.page * perPage, (state.page + 1) * perPage).map((row) => {
      const made = document.createElement("tr");
      if (value(trials.columns[trials.kind], row) === "front") made.className = "front";
      for (const [, column] of columns) {
        const raw = value(column, row);
        const td = cell("td", raw === null ? "\u2013" : shown[column.kind](raw), column.kind);
        if (column.name === "error") { td.classList.add("e"); td.title = raw; }
        made.append(td);
      }
      return made;
    });
    table.tBodies[0].replaceChildren(...body);
    document.getElementById("trials-where").textContent =
      `page ${state.page + 1} of ${pages.toLocaleString("en")}, ${rows.length.toLocaleString("en")} trials`;
    document.getElementById("trials-previous").disabled = state.page === 0;
    document.getElementById("trials-next").disabled = state.page >= pages - 1;
  }

  function listen(id, event, change) {
    document.getElementById(id).addEventListener(event, (happened) => {
      change(happened.target);
      show();
    });
  }

  if (trials) {
    listen("trials-previous", "click", () => { state.page -= 1; });
    listen("trials-next", "click", () => { state.page += 1; });
    listen("trials-find", "input", (field) => { state.find = field.value; state.page = 0; });
    listen("trials-front", "change", (box) => { state.front = box.checked; state.page = 0; });
    listen("trials-choices", "change", (box) => { state.choices = box.checked; });
    show();
  }

  drawAll();
})();
