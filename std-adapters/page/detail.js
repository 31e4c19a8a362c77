// One metric, large: its chart and all of its statistics.

import { heatMap, lineChart } from "./charts.js";
import { el, exact, perSecond, rounded, setText, shown } from "./format.js";

/** What is shown of a metric, in this order. */
const NAMES = {
  value: "value", count: "count",
  q50: "p50", q75: "p75", q95: "p95", q98: "p98", q99: "p99", q999: "p99.9",
  lifetime_q50: "p50", lifetime_q75: "p75", lifetime_q95: "p95", lifetime_q98: "p98", lifetime_q99: "p99", lifetime_q999: "p99.9",
  min: "smallest", max: "largest", mean: "mean", stddev: "standard deviation", sum: "sum",
  m1: "rate, 1 min", m5: "rate, 5 min", m15: "rate, 15 min", mean_rate: "rate, mean",
};
const RATES = ["m1", "m5", "m15", "mean_rate"];

export class Detail {
  constructor(root, close) {
    this.root = root;
    this.close = close;
    this.series = null;
    this.at = null;
    this.under = () => "";
  }

  show(series) {
    this.series = series;
    this.root.hidden = series === null;
    if (series === null) {
      this.root.replaceChildren();
      return;
    }
    const labels = series.labels.map(([name, value]) => `${shown(name)}=${shown(value)}`).join(", ");
    const button = el("button", { class: "close", type: "button", "aria-label": "Close chart" }, "✕");
    button.addEventListener("click", () => this.close());
    this.canvas = el("canvas", { role: "img", "aria-label": series.isHistogram ? "heat map of the distribution over time" : "chart over time" });
    this.hint = el("div", { class: "hint" });
    this.canvas.addEventListener("pointermove", (event) => {
      this.at = [event.offsetX, event.offsetY];
      this.#point();
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.at = null;
      this.#point();
    });
    const legend = el("div", { class: "legend" });
    if (series.isHistogram) {
      legend.append(el("span", { class: "p50" }, "p50"), el("span", { class: "p99" }, "p99"), "the stronger, the more");
    } else {
      legend.append(series.isCounting ? "events per second" : "value");
    }
    this.cells = new Map();
    this.body = el("tbody", null);
    this.root.replaceChildren(
      button,
      el("h2", null, el("bdi", null, shown(series.name)), " ", el("bdi", { class: "labels" }, labels)),
      el("p", { class: "help" }, `${series.kind}${series.unit ? `, ${shown(series.unit)}` : ""}. ${shown(series.help)}`),
      this.canvas, this.hint, legend, el("table", null, this.body),
    );
    this.update();
  }

  update() {
    const { series } = this;
    if (series === null) {
      return;
    }
    this.under = series.isHistogram ? heatMap(this.canvas, series) : lineChart(this.canvas, series);
    this.#point();
    this.#row("now", "rate, 5 s", perSecond(series.rate) || "–");
    for (const [key, name] of Object.entries(NAMES)) {
      const value = series.stats[key];
      // Nobody keeps rates of sums over devices.
      if (value !== undefined && !(value === null && RATES.includes(key))) {
        this.#row(key, name + this.#when(key), this.#text(key, value), value);
      }
    }
  }

  /** Of which time a quantile is, where two kinds are shown. */
  #when(key) {
    const { window } = this.series;
    if (window === null || !/^(lifetime_)?q\d/.test(key)) {
      return "";
    }
    return key.startsWith("lifetime_") ? ", all time" : `, ${window}`;
  }

  #text(key, value) {
    if (RATES.includes(key)) {
      return value === null ? "–" : perSecond(value);
    }
    return key === "count" || key === "value" ? exact(value) : rounded(value, this.series.unit);
  }

  #row(key, name, text, value) {
    let [head, cell] = this.cells.get(key) ?? [];
    if (!cell) {
      [head, cell] = [el("th", { scope: "row" }), el("td", { "data-key": key })];
      this.cells.set(key, [head, cell]);
      this.body.append(el("tr", null, head, cell));
    }
    setText(head, name);
    setText(cell, text);
    if (value !== undefined) {
      cell.title = String(value);
    }
  }

  #point() {
    setText(this.hint, this.at ? this.under(...this.at) : "");
  }
}
