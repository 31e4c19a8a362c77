// Drawings: small lines, large lines, and heat maps of buckets over time.

import { rounded } from "./format.js";
import { bound, KEPT } from "./model.js";

/** Moments for which a chart has room at least, so that the first ones are not stretched. */
const ROOM = 60;

let colours = {};

/** Reads the colours of the page, which depend on whether it is light or dark. */
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["accent", "line", "dim", "front", "panel", "heat-low", "heat-high", "p50", "p99"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Returns the context of a canvas of the size that it has on the screen, cleared. */
function begin(canvas) {
  const scale = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0 || height === 0) {
    return null;
  }
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Draws a line with gaps where there is no number. */
function stroke(context, points, x, y) {
  context.beginPath();
  let isDown = false;
  points.forEach((point, i) => {
    if (point === null || !Number.isFinite(point)) {
      isDown = false;
    } else if (isDown) {
      context.lineTo(x(i), y(point));
    } else {
      context.moveTo(x(i), y(point));
      // A moment between two gaps is a dot.
      context.lineTo(x(i) + 0.5, y(point));
      isDown = true;
    }
  });
  context.stroke();
}

function range(points) {
  const numbers = points.filter((point) => point !== null && Number.isFinite(point));
  if (numbers.length === 0) {
    return null;
  }
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const margin = high > low ? 0 : Math.max(Math.abs(high) * 0.05, 1e-12);
  return [low - margin, high + margin];
}

/** A small line, of the last minute. */
export function sparkline(canvas, points) {
  const area = begin(canvas);
  const shown = points.slice(-60);
  const limits = range(shown);
  if (!area || !limits) {
    return;
  }
  const { context, width, height } = area;
  const [low, high] = limits;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.3;
  const x = (i) => width - 2 - ((shown.length - 1 - i) * (width - 4)) / 59;
  stroke(context, shown, x, (v) => height - 3 - ((v - low) / (high - low)) * (height - 6));
}

const LEFT = 62;
const BOTTOM = 18;

function axes({ context, width, height }, ticks, seconds) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.dim;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [y, text] of ticks) {
    context.beginPath();
    context.moveTo(LEFT, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillText(text, LEFT - 6, y);
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(`−${Math.round(seconds)} s`, LEFT, height - 4);
  context.textAlign = "right";
  context.fillText("now", width - 2, height - 4);
}

/** Seconds from the first of some moments to the last. */
function span(past) {
  return past.length > 1 ? past[past.length - 1].time - past[0].time : 0;
}

/** Seconds between two moments, on average. */
function interval(past) {
  return past.length > 1 ? span(past) / (past.length - 1) : 1;
}

/** A large line of values or rates. Returns what is under a place, as text. */
export function lineChart(canvas, series) {
  const area = begin(canvas);
  const points = series.line();
  const limits = range(points);
  if (!area || !limits) {
    return () => "";
  }
  const { context, width, height } = area;
  const [low, high] = limits;
  const unit = series.isCounting ? "" : series.unit;
  const y = (v) => height - BOTTOM - 4 - ((v - low) / (high - low)) * (height - BOTTOM - 14);
  const x = (i) => LEFT + 2 + (i * (width - LEFT - 4)) / Math.max(1, points.length - 1);
  const ticks = [low, (low + high) / 2, high].map((v) => [y(v), rounded(v, unit)]);
  axes(area, ticks, span(series.past));
  context.strokeStyle = colours.accent;
  context.lineWidth = 1.6;
  stroke(context, points, x, y);
  return (px) => {
    const i = Math.round(((px - LEFT - 2) * (points.length - 1)) / (width - LEFT - 4));
    if (points[i] === undefined) {
      return "";
    }
    const last = series.past[series.past.length - 1].time;
    const moment = series.past[i + series.past.length - points.length];
    const text = series.isCounting ? `${rounded(points[i], "")} per second` : rounded(points[i], series.unit);
    return `${Math.round(last - moment.time)} s ago: ${text}`;
  };
}

function mix(share) {
  return `color-mix(in oklab, ${colours["heat-high"]} ${Math.round(share * 100)}%, ${colours["heat-low"]})`;
}

/** Which buckets a heat map shows: those that had something, and one more on each side. */
function used(series) {
  let [low, high] = [Infinity, -Infinity];
  for (const { added } of series.past) {
    for (const [index] of added?.buckets ?? []) {
      [low, high] = [Math.min(low, index), Math.max(high, index)];
    }
  }
  const length = series.geometry[2];
  return low > high ? null : [Math.max(0, low - 1), Math.min(length - 1, high + 1)];
}

/** A heat map of buckets over time, with lines of quantiles. Returns what is under a place. */
export function heatMap(canvas, series) {
  const area = begin(canvas);
  const limits = used(series);
  if (!area || !limits) {
    return () => "";
  }
  const { context, width, height } = area;
  const [scale, first] = series.geometry;
  const [low, high] = limits;
  const rows = high - low + 1;
  const room = Math.min(KEPT, Math.max(ROOM, series.past.length));
  const cell = [(width - LEFT) / room, (height - BOTTOM) / rows];
  const left = (i) => width - (series.past.length - i) * cell[0];
  const top = (index) => (high - index) * cell[1];
  let most = 1;
  for (const { added } of series.past) {
    for (const [, count] of added?.buckets ?? []) {
      most = Math.max(most, count);
    }
  }
  series.past.forEach(({ added }, i) => {
    for (const [index, count] of added?.buckets ?? []) {
      context.fillStyle = mix(Math.log1p(count) / Math.log1p(most));
      context.fillRect(left(i), top(index), Math.ceil(cell[0]), Math.ceil(cell[1]));
    }
  });
  const every = Math.max(1, Math.ceil(rows / 7));
  const ticks = [];
  for (let index = low; index <= high; index += every) {
    ticks.push([top(index) + cell[1], rounded(bound(scale, first + index), series.unit)]);
  }
  axes(area, ticks.filter(([y]) => y < height - 4), room * interval(series.past));
  const y = (v) => top(Math.log2(v) * 2 ** scale - first) + cell[1];
  context.lineWidth = 1.8;
  for (const [q, colour] of [[0.5, "p50"], [0.99, "p99"]]) {
    context.strokeStyle = colours[colour];
    stroke(context, series.past.map((moment) => series.quantile(moment, q)), (i) => left(i) + cell[0] / 2, y);
  }
  return (px, py) => {
    const i = Math.floor(series.past.length - (width - px) / cell[0]);
    const index = high - Math.floor(py / cell[1]);
    const moment = series.past[i];
    if (!moment?.added || index < low || index > high) {
      return "";
    }
    const count = moment.added.buckets.find(([at]) => at === index)?.[1] ?? 0;
    const ago = Math.round(series.past[series.past.length - 1].time - moment.time);
    const [a, b] = [bound(scale, first + index), bound(scale, first + index + 1)];
    const quantiles = [0.5, 0.99].map((q) => rounded(series.quantile(moment, q), series.unit));
    return `${ago} s ago, ${rounded(a, series.unit)} to ${rounded(b, series.unit)}: ${count}; p50 ${quantiles[0]}, p99 ${quantiles[1]}`;
  };
}
