// How numbers, units and names read. Everything that comes from a device is made into text here and
// only ever becomes a text node.

/** Makes an element with attributes and children; strings become text nodes. */
export function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets the text of an element if it is another one. */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Controls, and marks that show text in another order than it has.
const ACTING = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Text of a device, with escapes in place of what acts instead of being read. */
export function shown(text) {
  return String(text).replace(ACTING, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

const SHORT = { seconds: "s", celsius: "°C", bytes: "B", ratio: "", volts: "V", amperes: "A", hertz: "Hz", meters: "m", grams: "g", joules: "J", kelvin: "K", watts: "W" };
const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];

/** The short form of a unit; others as the device calls them. */
export function unitOf(unit) {
  return Object.hasOwn(SHORT, unit) ? SHORT[unit] : shown(unit);
}

/** A number as it was counted or measured, with separators between thousands. */
export function exact(value) {
  if (value === null || value === undefined) {
    return "–";
  }
  const text = String(value);
  const [whole, rest] = text.split(".");
  if (!/^-?\d+$/.test(whole)) {
    return text;
  }
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** A number to three digits, with a prefix where its unit takes one. */
export function rounded(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) {
    return "–";
  }
  const number = Number(value);
  const short = unitOf(unit);
  const size = Math.abs(number);
  let [scale, prefix] = [1, ""];
  if (unit === "seconds" && size < 1 && size > 0) {
    [scale, prefix] = PREFIXES.find(([least]) => size >= least * 0.9995) ?? [1e-9, "n"];
  } else if (size >= 1e5 && unit !== "seconds") {
    [scale, prefix] = PREFIXES.find(([least]) => size >= least);
  }
  const scaled = number / scale;
  const digits = scaled === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(scaled)) + 1e-9));
  const text = scaled.toFixed(Math.min(digits, 6));
  const plain = scaled >= 1000 ? exact(text) : text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return `${plain} ${prefix}${short}`.trimEnd();
}

/** A rate of events. */
export function perSecond(rate) {
  return rate === null ? "" : `${rounded(rate, "")}/s`;
}

/** A time that has passed. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) {
    return "–";
  }
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) {
    return "0 s";
  }
  const [name, size] = units[first];
  const whole = Math.floor(seconds / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds - whole * size) / next[1]) : 0;
  return rest > 0 ? `${whole} ${name} ${rest} ${next[0]}` : `${whole} ${name}`;
}
