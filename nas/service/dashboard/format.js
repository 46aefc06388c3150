// Figures as people read them; the same words as in the command line's tables.

const TITLES = {
  top1: "accuracy", int8_top1: "int8 accuracy", balanced_top1: "balanced accuracy", macs: "MACs",
  macs_layerwise: "MACs layer by layer", params: "parameters", peak_sram_bytes: "peak SRAM", flash_bytes: "flash",
  weight_bytes: "weights", latency_ms: "latency ms", energy_mj: "energy mJ", images_per_second: "images/s",
  bitops: "BitOPs", zero_cost: "zero-cost score",
};

export const title = (column) => TITLES[column] ?? column.replace(/^choice\./, "").replaceAll("_", " ");

// made once: a formatter takes longer to make than ten thousand figures to write
const formatter = (least, most) => new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most });
const ONE = formatter(1, 1), TWO = formatter(2, 2), ANY = formatter(0, 6);

export function quantity(column, value) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number") return String(value);
  if (column.endsWith("top1")) return `${(100 * value).toFixed(1)} %`;
  if (column.endsWith("_bytes")) return `${ONE.format(value / 1024)} KiB`;
  if (/^(macs|params|bitops)/.test(column)) {
    const [scale, suffix] = value >= 1e6 ? [1e6, " M"] : [1e3, " k"];
    return TWO.format(value / scale) + suffix;
  }
  return ANY.format(Number(value.toPrecision(4)));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "-";
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export const when = (text) => (text ? text.slice(0, 16).replace("T", " ") : "-");

export const schedule = (patches, split) => (split ? `${patches}x${patches} patches, ${split} blocks` : "layer by layer");

/** plotly reads a little HTML in labels: nothing of a name may be taken for it. */
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
