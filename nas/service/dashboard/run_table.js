// The trials as a table, a page at a time, sorted by any column.

import { h, replace } from "./dom.js";
import { quantity, schedule, title } from "./format.js";

const ROWS = 50;
const WORDS = new Set(["id", "kind"]);

export function table(place, state, page) {
  if (place.contains(document.activeElement) && document.activeElement.tagName === "A") return;
  const { trials, found, sort, run } = state;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const shown = trials.rows.map((_, index) => index).filter((index) => !state.seen || state.seen.has(index));
  const value = (index) => (sort.column === "kind" ? found.kinds[index] : trials.value(trials.rows[index], sort.column));
  const order = (a, b) => (value(a) === value(b) ? 0 : value(a) === null ? 1 : value(b) === null ? -1 : value(a) < value(b) ? -1 : 1);
  shown.sort((a, b) => (sort.down ? -1 : 1) * order(a, b));
  const pages = Math.max(1, Math.ceil(shown.length / ROWS));
  state.page = Math.min(state.page, pages - 1);
  const columns = ["number", "id", "kind", ...trials.metrics];
  const by = (column) => h("button", { type: "button", "data-key": column, onclick: () => {
    state.sort = { column, down: sort.column === column ? !sort.down : true };
    state.page = 0;
    state.changed();
  } }, title(column), sort.column === column ? (sort.down ? " v" : " ^") : "");
  const turn = (words, by_) => h("button", { type: "button", "data-key": words, disabled: state.page + by_ < 0 || state.page + by_ >= pages, onclick: () => { state.page += by_; state.changed(); } }, words);
  replace(place,
    h("div", { class: "row" }, turn("Previous", -1), h("span", {}, `${state.page + 1} of ${pages}, ${shown.length.toLocaleString("en")} trials`), turn("Next", 1)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Trials" }, h("table", {},
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: WORDS.has(column) ? "t" : null, "aria-sort": sort.column === column ? (sort.down ? "descending" : "ascending") : null }, by(column))),
        h("th", { scope: "col" }, "schedule"), h("th", { scope: "col", class: "t" }, "error"))),
      h("tbody", {}, shown.slice(state.page * ROWS, (state.page + 1) * ROWS).map((index) => {
        const row = trials.rows[index], id = trials.value(row, "id");
        return h("tr", { class: found.kinds[index] === "front" ? "chosen" : null },
          h("td", {}, trials.value(row, "number")), h("td", { class: "t" }, h("a", { href: `/runs/${encodeURIComponent(run.name)}/networks/${id}` }, id)), h("td", { class: "t" }, found.kinds[index]),
          trials.metrics.map((column) => h("td", {}, quantity(column, trials.value(row, column)))),
          h("td", {}, schedule(trials.value(row, "patches"), trials.value(row, "split"))), h("td", { class: "t" }, trials.value(row, "error")));
      })))));
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}
