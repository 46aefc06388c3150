// Parallel coordinates on a plain canvas: ten thousand lines need no graphics processor, and keys can set every range.

import { h, replace } from "./dom.js";
import { quantity, title } from "./format.js";

const HEIGHT = 270, TOP = 22, BOTTOM = 22, STEPS = 200;
const ROWS_A_STROKE = 100; // a path of all lines takes far longer than many short ones
const CLICK_PIXELS = 4;
const COLOURS = { outside: "--line", over: "--bad", dominated: "--soft", front: "--accent" };

export class Parallel {
  /** `brushed` is called with the rows inside all ranges, or null where there are no ranges. */
  constructor(place, brushed) {
    this.place = place;
    this.brushed = brushed;
    this.ranges = new Map(); // by column: [least, most], either may be null
    this.columns = [];
    this.axes = h("div", { class: "axes" });
    this.canvas = h("canvas", { role: "img", "aria-label": "A line for each trial over an axis for each figure", onpointerdown: (event) => this.grasp(event) });
    replace(place, this.canvas, this.axes);
    new ResizeObserver(() => this.paint()).observe(this.canvas);
  }

  draw(trials, found, columns) {
    const all = trials.rows.map((_, index) => index).filter((index) => found.kinds[index] !== "failed");
    Object.assign(this, { found, rows: all, values: columns.map((column) => scaled(trials, all, column)) });
    if (this.columns.join() !== columns.join()) {
      this.columns = columns;
      this.showAxes();
    } else this.columns.forEach((column, at) => this.tell(column, at));
    this.paint();
  }

  clear() {
    this.ranges.clear();
    this.columns.forEach((column, at) => this.tell(column, at));
    this.changed();
  }

  changed() {
    this.paint();
    const inside = this.inside();
    this.brushed(this.ranges.size ? new Set(this.rows.filter((_, at) => inside[at])) : null);
  }

  inside() {
    const limits = this.columns.map((column) => this.ranges.get(column) ?? [null, null]);
    return this.rows.map((_, row) => limits.every(([least, most], at) => {
      const value = this.values[at].of[row];
      return (least === null && most === null) || (value !== null && (least === null || value >= least) && (most === null || value <= most));
    }));
  }

  set(column, end, value) {
    const range = [...(this.ranges.get(column) ?? [null, null])];
    range[end] = value;
    if (range[0] === null && range[1] === null) this.ranges.delete(column);
    else this.ranges.set(column, range);
  }

  showAxes() {
    const slider = (column, at, end) => {
      const input = h("input", { type: "range", min: 0, max: STEPS, step: 1, value: end ? STEPS : 0, "aria-label": `${title(column)} ${end ? "to" : "from"}`, oninput: () => {
        const { low, high } = this.values[at], step = Number(input.value);
        this.set(column, end, step === (end ? STEPS : 0) ? null : low + ((high - low) * step) / STEPS);
        this.tell(column, at);
        this.changed();
      } });
      return input;
    };
    replace(this.axes, this.columns.map((column, at) => h("div", { "data-axis": column }, h("strong", {}, title(column)), slider(column, at, 0), slider(column, at, 1))));
    this.columns.forEach((column, at) => this.tell(column, at));
  }

  /** Sets an axis' sliders to its range. */
  tell(column, at) {
    const { low, high, words } = this.values[at], range = this.ranges.get(column) ?? [null, null];
    this.axes.children[at].querySelectorAll("input").forEach((input, end) => {
      const value = range[end] ?? (end ? high : low);
      input.value = range[end] === null ? (end ? STEPS : 0) : (STEPS * (value - low)) / (high - low || 1);
      input.setAttribute("aria-valuetext", words?.[Math.round(value)] ?? quantity(column, value));
    });
  }

  x(at) { return ((at + 0.5) * this.canvas.clientWidth) / this.columns.length; }

  y(at, value) {
    const { low, high } = this.values[at];
    return HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low || 1);
  }

  paint() {
    const width = this.canvas.clientWidth, pixels = devicePixelRatio || 1;
    if (!width || !this.columns.length) return;
    Object.assign(this.canvas, { width: width * pixels, height: HEIGHT * pixels });
    const pen = this.canvas.getContext("2d", { willReadFrequently: true }), style = getComputedStyle(document.documentElement);
    pen.scale(pixels, pixels);
    const inside = this.inside(), groups = { outside: [], over: [], dominated: [], front: [] };
    this.rows.forEach((index, row) => groups[inside[row] ? this.found.kinds[index] : "outside"].push(row));
    for (const [kind, rows] of Object.entries(groups)) {
      pen.strokeStyle = style.getPropertyValue(COLOURS[kind]);
      pen.globalAlpha = kind === "front" ? 0.9 : rows.length > 1000 ? 0.2 : 0.5;
      for (let first = 0; first < rows.length; first += ROWS_A_STROKE) this.lines(pen, rows.slice(first, first + ROWS_A_STROKE));
    }
    pen.globalAlpha = 1;
    this.paintAxes(pen, style);
  }

  lines(pen, rows) {
    pen.beginPath();
    for (const row of rows) {
      let isDown = false;
      for (let at = 0; at < this.columns.length; at++) {
        const value = this.values[at].of[row];
        if (value === null) isDown = false;
        else if (isDown) pen.lineTo(this.x(at), this.y(at, value));
        else { pen.moveTo(this.x(at), this.y(at, value)); isDown = true; }
      }
    }
    pen.stroke();
  }

  paintAxes(pen, style) {
    Object.assign(pen, { font: "12px system-ui, sans-serif", textAlign: "center" });
    this.columns.forEach((column, at) => {
      const { low, high, words } = this.values[at], [least, most] = this.ranges.get(column) ?? [null, null], x = this.x(at);
      pen.fillStyle = style.getPropertyValue("--soft");
      pen.fillRect(x - 0.5, TOP, 1, HEIGHT - TOP - BOTTOM);
      if (least !== null || most !== null) {
        const top = this.y(at, most ?? high), bottom = this.y(at, least ?? low);
        pen.fillStyle = style.getPropertyValue("--accent");
        pen.fillRect(x - 3, top, 6, Math.max(bottom - top, 2));
      }
      pen.fillStyle = style.getPropertyValue("--ink");
      for (const [value, y] of [[high, TOP - 8], [low, HEIGHT - BOTTOM + 15]]) pen.fillText(words?.[value] ?? quantity(column, value), x, y);
    });
  }

  /** Dragging along an axis sets its range, a click lets it go. */
  grasp(event) {
    const at = Math.min(this.columns.length - 1, Math.floor((event.offsetX * this.columns.length) / this.canvas.clientWidth));
    const column = this.columns[at], began = event.offsetY, { low, high } = this.values[at];
    const value = (y) => low + ((high - low) * Math.min(1, Math.max(0, (HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM))));
    const move = ({ offsetY }) => {
      const [least, most] = [value(began), value(offsetY)].sort((a, b) => a - b), is = Math.abs(offsetY - began) >= CLICK_PIXELS;
      this.set(column, 0, is && least > low ? least : null);
      this.set(column, 1, is && most < high ? most : null);
      this.tell(column, at);
      this.paint();
    };
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.onpointermove = move;
    this.canvas.onpointerup = this.canvas.onpointercancel = (last) => {
      this.canvas.onpointermove = this.canvas.onpointerup = this.canvas.onpointercancel = null;
      move(last);
      this.changed();
    };
  }
}

/** A column's values with its ends; words become their places in the alphabet. */
function scaled(trials, rows, column) {
  const raw = rows.map((index) => trials.value(trials.rows[index], column));
  const isWords = raw.some((value) => value !== null && typeof value !== "number");
  const words = isWords ? [...new Set(raw.filter((value) => value !== null).map(String))].sort() : null;
  const of = words ? raw.map((value) => (value === null ? null : words.indexOf(String(value)))) : raw;
  let low = Infinity, high = -Infinity;
  for (const value of of) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
  return { of, low, high, words };
}
