// Small pieces of page. Text from outside goes through textContent alone, so that names stay names.

/** An element. Attributes whose value is a function are listeners (onclick), true is present, null or false absent. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** A select; options are [value, words] or words alone. */
export function select(options, chosen, listener, attributes = {}) {
  const made = options.map((option) => (Array.isArray(option) ? option : [option, option]));
  const element = h("select", { ...attributes, onchange: () => listener(element.value) },
    made.map(([value, words]) => h("option", { value, selected: value === chosen }, words)));
  return element;
}

export function labelled(words, control) {
  return h("label", {}, words, control);
}

export function check(words, on, listener) {
  const box = h("input", { type: "checkbox", checked: on, onchange: () => listener(box.checked) });
  return h("label", { class: "check" }, box, words);
}

export function badge(state) {
  return h("span", { class: `badge ${state.split(":")[0]}` }, state);
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function command(words) {
  return h("code", { class: "command", tabindex: "0" }, words);
}

/** Asks in a dialog; resolves to whether the person agrees. */
export function agrees(question, action) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": question },
      h("p", {}, question),
      h("form", { method: "dialog", class: "row" },
        h("button", { value: "no" }, "Keep it"), h("button", { value: "yes", class: "bad" }, action)));
    dialog.addEventListener("close", () => { resolve(dialog.returnValue === "yes"); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const SVG = "http://www.w3.org/2000/svg";

/** A staircase of [x, y] without axes; its words are for those who do not see it. */
export function sparkline(steps, words) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spark");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  const path = document.createElementNS(SVG, "path");
  const last = Math.max(steps.at(-1)?.[0] ?? 1, 1);
  const points = steps.map(([x, y]) => [(100 * x) / last, 38 - 36 * y]);
  path.setAttribute("d", points.map(([x, y], i) => (i ? `H${x.toFixed(2)}V${y.toFixed(2)}` : `M${x},${y}`)).join(""));
  svg.append(path);
  return svg;
}
