// The tree of metrics: a row for each branch and each metric, drawn again only where something changed.

import { sparkline } from "./charts.js";
import { el, exact, perSecond, rounded, setText, shown, unitOf } from "./format.js";

export class Tree {
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    this.rows = [];
    this.closed = new Set();
    this.key = "";
    this.chosen = null;
    this.inSight = new Set();
    this.observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "80px" });
    root.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Shows what the words ask for; makes rows anew only if there are others. */
  update(model, words) {
    const key = JSON.stringify([model.shape, model.shown, words, [...this.closed]]);
    if (key !== this.key) {
      this.key = key;
      this.#build(model, words);
    }
    for (const row of this.rows) {
      if (row.series) {
        fill(row);
      }
    }
    this.draw();
  }

  draw() {
    for (const row of this.inSight) {
      sparkline(row.canvas, row.series.line());
    }
  }

  get metrics() {
    return this.rows.filter((row) => row.series).length;
  }

  select(series) {
    this.chosen = series;
    for (const row of this.rows) {
      if (row.series) {
        row.element.setAttribute("aria-selected", String(row.series === series));
      }
    }
  }

  #build(model, words) {
    const focused = this.rows.findIndex((row) => row.element === document.activeElement);
    const name = focused >= 0 ? this.rows[focused].path : null;
    this.observer.disconnect();
    this.inSight.clear();
    this.rows = [];
    const wanted = model.list().filter((series) => words.every((word) => series.text.includes(word)));
    let open = [];
    for (const series of wanted) {
      const segments = series.name.split(".");
      const branches = segments.slice(0, -1);
      let common = 0;
      while (common < branches.length && open[common] === branches[common]) {
        common += 1;
      }
      open = open.slice(0, common);
      for (const branch of branches.slice(common)) {
        this.#addBranch([...open, branch].join("."), branch, open.length, words.length > 0);
        open.push(branch);
      }
      if (words.length > 0 || !branches.some((_, i) => this.closed.has(branches.slice(0, i + 1).join(".")))) {
        this.#addMetric(series, segments[segments.length - 1], branches.length);
      }
    }
    const isInside = (path) => [...this.closed].some((closed) => path.startsWith(`${closed}.`));
    this.rows = this.rows.filter((row) => row.series || words.length > 0 || !isInside(row.path));
    this.root.replaceChildren(...this.rows.map((row) => row.element));
    for (const row of this.rows) {
      if (row.series) {
        this.observer.observe(row.element);
      }
    }
    const again = this.rows.find((row) => row.path === name) ?? this.rows[0];
    again?.element.setAttribute("tabindex", "0");
    if (name !== null) {
      again?.element.focus();
    }
  }

  #addBranch(path, branch, level, isForced) {
    const isOpen = isForced || !this.closed.has(path);
    const element = el("div", { class: "row branch", role: "row", tabindex: "-1", "aria-level": level + 1, "aria-expanded": isOpen }, el("span", { class: "name", role: "gridcell" }, el("bdi", null, shown(branch))));
    element.style.setProperty("--level", level);
    element.addEventListener("click", () => this.#toggle(path));
    this.rows.push({ element, path, series: null });
  }

  #addMetric(series, leaf, level) {
    const labels = series.labels.map(([name, value]) => `${shown(name)}=${shown(value)}`).join(", ");
    const name = el("span", { class: "name", role: "gridcell" }, el("bdi", null, shown(leaf)));
    if (labels) {
      name.classList.add("labelled");
      name.append(el("bdi", { class: "labels" }, labels));
    }
    name.title = shown(series.help || series.name);
    const value = el("span", { class: "value", role: "gridcell" });
    const rate = el("span", { class: "rate", role: "gridcell" });
    const canvas = el("canvas", { "aria-hidden": "true" });
    const element = el("div", { class: "row", role: "row", tabindex: "-1", "aria-level": level + 1, "aria-selected": series === this.chosen }, name, value, rate, canvas);
    element.style.setProperty("--level", level);
    element.dataset.metric = series.name;
    const row = { element, path: `${series.name} ${labels}`, series, value, rate, canvas };
    element.addEventListener("click", () => this.choose(series));
    this.rows.push(row);
  }

  #toggle(path) {
    if (!this.closed.delete(path)) {
      this.closed.add(path);
    }
    this.choose(null);
  }

  #seen(entries) {
    for (const entry of entries) {
      const row = this.rows.find((other) => other.element === entry.target);
      if (row && entry.isIntersecting) {
        this.inSight.add(row);
        sparkline(row.canvas, row.series.line());
      } else if (row) {
        this.inSight.delete(row);
      }
    }
  }

  #pressed(event) {
    const at = this.rows.findIndex((row) => row.element === event.target.closest(".row"));
    const row = this.rows[at];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      this.focus(Math.min(this.rows.length - 1, Math.max(0, at + steps[event.key])));
    } else if (event.key === "Enter" || event.key === " ") {
      row.element.click();
    } else if (event.key === "ArrowLeft" && !row.series && !this.closed.has(row.path)) {
      this.#toggle(row.path);
    } else if (event.key === "ArrowRight" && !row.series && this.closed.has(row.path)) {
      this.#toggle(row.path);
    } else {
      return;
    }
    event.preventDefault();
  }

  focus(at) {
    for (const row of this.rows) {
      if (row.element.tabIndex === 0) {
        row.element.tabIndex = -1;
      }
    }
    const row = this.rows[at];
    if (row) {
      row.element.tabIndex = 0;
      row.element.focus();
      row.element.scrollIntoView({ block: "nearest" });
    }
  }
}

/** A number exactly if there is room for it; charts and tips have all of it. */
function fitting(number) {
  const text = exact(number);
  return text.length > 12 && text.includes(".") ? exact(Number(Number(number).toPrecision(7))) : text;
}

/** Writes the numbers of a row. */
function fill({ element, series, value, rate }) {
  const { stats, unit } = series;
  if (series.isHistogram) {
    const isEmpty = !(Number(stats.count) > 0);
    setText(value, isEmpty ? "none yet" : `${rounded(series.lately("q50"), unit)} · p99 ${rounded(series.lately("q99"), unit)}`);
    const of = (stats.q50 ?? null) === null ? null : series.window;
    value.title = `p50 and p99 of ${of ? `the ${of}` : "all time"}, count ${stats.count}`;
  } else {
    const short = series.isCounting && unit === "" ? "" : ` ${unitOf(unit)}`;
    setText(value, series.number === null ? "unset" : `${fitting(series.number)}${short}`.trimEnd());
    value.title = String(series.number);
  }
  setText(rate, perSecond(series.rate));
  element.classList.toggle("old", !series.isFresh);
}
