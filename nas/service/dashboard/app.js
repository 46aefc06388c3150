// Which page an address shows. Links stay in this page; the browser's buttons work.

import { get, hasToken, setToken, takeToken } from "./api.js";
import { h, replace } from "./dom.js";

const PAGES = [
  [/^\/$/, () => import("./page_runs.js")],
  [/^\/start$/, () => import("./page_start.js")],
  [/^\/datasets$/, () => import("./page_datasets.js")],
  [/^\/jobs$/, () => import("./page_jobs.js")],
  [/^\/compare$/, () => import("./page_compare.js")],
  [/^\/runs\/([^/]+)$/, () => import("./page_run.js")],
  [/^\/runs\/([^/]+)\/networks\/([^/]+)$/, () => import("./page_network.js")],
];

const main = document.getElementById("main");
const notice = document.getElementById("notice");
let leaving = new AbortController();

export function tell(error) {
  if (error?.name === "AbortError") return;
  notice.textContent = error ? String(error.message ?? error) : "";
  notice.hidden = !error;
}

export function visit(address) {
  history.pushState(null, "", address);
  show();
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  tell(null);
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const found = PAGES.map(([pattern, load]) => [pattern.exec(location.pathname), load]).find(([match]) => match);
  if (!found) {
    replace(main, h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "/" }, "All runs")));
    return;
  }
  replace(main, h("p", { class: "soft" }, "Loading ..."));
  const { signal } = leaving;
  try {
    const page = await found[1]();
    if (signal.aborted) return;
    await page.show(main, { names: found[0].slice(1).map(decodeURIComponent), signal, visit, tell });
    if (!signal.aborted) main.focus({ preventScroll: true });
  } catch (error) {
    if (signal.aborted) return;
    replace(main, h("h1", {}, "This cannot be shown"), h("p", {}, h("a", { href: "/" }, "All runs")));
    tell(error);
  }
}

async function showWho() {
  const button = document.getElementById("who");
  try {
    const me = await get("/me");
    button.textContent = me.local ? "reading without a token" : `${me.name} (${me.role})`;
  } catch {
    button.textContent = "token needed";
  }
  button.title = "Change the token";
}

function askForToken() {
  const field = h("input", { type: "password", autocomplete: "off", size: "44", "aria-label": "Token" });
  const dialog = h("dialog", { "aria-label": "Token" },
    h("form", { method: "dialog" },
      h("p", {}, "The token that nas serve printed, or one of nas token create. It stays in this tab."),
      field,
      h("p", { class: "row" }, h("button", { value: "no" }, "Leave it"), h("button", { value: "clear" }, "Forget it"),
        h("button", { value: "yes", class: "main" }, "Use it"))));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes" && field.value.trim()) setToken(field.value.trim());
    if (dialog.returnValue === "clear") setToken(null);
    dialog.remove();
    showWho();
    show();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a");
  if (!link || link.origin !== location.origin || link.hash || link.download || link.target) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  visit(link.pathname + link.search);
});
addEventListener("popstate", show);
document.getElementById("who").addEventListener("click", askForToken);
takeToken();
if (!hasToken()) document.getElementById("who").textContent = "no token";
showWho();
show();
