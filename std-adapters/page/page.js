// The page: puts the parts together, and remembers in the address what is shown.

import { readColours } from "./charts.js";
import { Detail } from "./detail.js";
import { watch } from "./feed.js";
import { setText } from "./format.js";
import { Model } from "./model.js";
import { Sources } from "./sources.js";
import { Tree } from "./tree.js";

const find = (id) => document.getElementById(id);
const model = new Model();
const search = find("search");
const sources = new Sources(find("sources"), choose);
const tree = new Tree(find("tree"), chart);
const detail = new Detail(find("detail"), () => chart(null, true));
const place = new URLSearchParams(location.hash.slice(1));
/** What the address asks for, until it is there. */
let wanted = place.get("metric");
search.value = place.get("search") ?? "";
model.shown = place.get("device");

function remember() {
  const now = new URLSearchParams();
  for (const [key, value] of [["device", model.shown], ["metric", detail.series?.text], ["search", search.value]]) {
    if (value) {
      now.set(key, value);
    }
  }
  history.replaceState(null, "", `#${now}`);
}

function draw() {
  performance.mark("draw");
  if (!model.sections.has(model.shown) && model.sections.size > 0) {
    model.shown = model.sections.keys().next().value;
  }
  sources.update(model);
  tree.update(model, search.value.toLowerCase().split(/\s+/).filter(Boolean));
  find("empty").hidden = tree.metrics > 0 || tree.rows.length > 0;
  setText(find("empty"), model.series.size === 0 ? "Waiting for numbers …" : "No metric matches.");
  if (wanted !== null) {
    const series = model.list().find((other) => other.text === wanted);
    if (series) {
      wanted = null;
      detail.show(series);
      tree.select(series);
    }
  } else if (detail.series && !model.series.has(detail.series.id)) {
    wanted = detail.series.text;
    detail.show(null);
  }
  detail.update();
  performance.measure("update", "draw");
}

function choose(name) {
  wanted = detail.series?.text ?? wanted;
  model.shown = name;
  detail.show(null);
  draw();
  remember();
}

/** Shows the chart of a series; of none, draws again. */
function chart(series, isClosing = false) {
  if (series || isClosing) {
    wanted = null;
    detail.show(series);
    tree.select(series);
    remember();
  }
  draw();
}

function step(by) {
  const names = [...model.sections.keys()];
  const at = names.indexOf(model.shown) + by;
  if (names[at] !== undefined) {
    choose(names[at]);
  }
}

search.addEventListener("input", () => {
  draw();
  remember();
});
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    tree.focus(0);
    event.preventDefault();
  }
});
find("help-button").addEventListener("click", () => find("help").showModal());
addEventListener("keydown", (event) => {
  const isTyping = event.target === search;
  if (event.key === "Escape" && !find("help").open) {
    if (detail.series) {
      chart(null, true);
    } else {
      search.value = "";
      search.blur();
      draw();
      remember();
    }
  } else if (isTyping || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  } else if (event.key === "/") {
    search.focus();
    search.select();
    event.preventDefault();
  } else if (event.key === "?") {
    find("help").showModal();
  } else if (event.key === "[" || event.key === "]") {
    step(event.key === "[" ? -1 : 1);
  }
});
const restyle = () => {
  readColours();
  draw();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
addEventListener("resize", draw);
readColours();

const STATES = { connecting: "connecting …", live: "live", lost: "no connection, trying again" };
watch(
  (document) => {
    model.take(document);
    draw();
  },
  (state) => {
    setText(find("link"), STATES[state]);
    find("link").className = state;
    find("tree").classList.toggle("stale", state === "lost");
  },
);
