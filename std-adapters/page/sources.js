// The list of devices: what they are called, and how they are.

import { duration, el, exact, setText, shown } from "./format.js";

/** Seconds for which a device is called rebooted. */
const REBOOTED_FOR = 60;

export class Sources {
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    this.cards = new Map();
  }

  update(model) {
    for (const [name, card] of this.cards) {
      if (!model.sections.has(name)) {
        card.button.remove();
        this.cards.delete(name);
      }
    }
    let place = 0;
    for (const section of model.sections.values()) {
      const card = this.cards.get(section.name) ?? this.#add(section);
      if (this.root.children[place] !== card.button) {
        this.root.insertBefore(card.button, this.root.children[place] ?? null);
      }
      place += 1;
      const [state, text] = stateOf(section, model);
      const kind = `state ${state}`;
      if (card.state.className !== kind) {
        card.state.className = kind;
      }
      setText(card.state, text);
      setText(card.about, aboutOf(section));
      const pressed = String(model.shown === section.name);
      if (card.button.getAttribute("aria-pressed") !== pressed) {
        card.button.setAttribute("aria-pressed", pressed);
      }
    }
  }

  #add(section) {
    const state = el("span", { class: "state" });
    const about = el("span", { class: "about" });
    const title = { merged: "All devices", process: "This process" }[section.kind] ?? shown(section.name);
    const button = el("button", { class: "source", type: "button" }, el("span", { class: "name" }, el("bdi", null, title)), state, about);
    button.addEventListener("click", () => this.choose(section.name));
    const card = { button, state, about };
    this.cards.set(section.name, card);
    return card;
  }
}

function stateOf(section, model) {
  if (section.kind === "process") {
    return ["up", "live"];
  }
  if (section.kind === "merged") {
    const devices = [...model.sections.values()].filter((other) => other.kind === "device");
    const up = devices.filter((device) => device.up).length;
    return [up === devices.length ? "up" : "silent", `${up} of ${devices.length} live`];
  }
  if (!section.up) {
    return ["silent", section.silence === null ? "not heard yet" : `silent for ${duration(section.silence)}`];
  }
  return section.rebootedFor < REBOOTED_FOR ? ["rebooted", `rebooted ${duration(section.rebootedFor)} ago`] : ["up", "live"];
}

function aboutOf(section) {
  if (section.kind !== "device") {
    return section.kind === "merged" ? "added up" : "";
  }
  const parts = [];
  if (section.uptime !== null) {
    parts.push(`up ${duration(section.uptime)}`);
  }
  parts.push(`${section.boots} ${section.boots === 1 ? "boot" : "boots"}`);
  parts.push(`${exact(section.lost)} of ${exact(section.frames + section.lost)} frames lost`);
  for (const [count, what] of [[section.quarantined, "in quarantine"], [section.withheld, "withheld"], [section.dropped, "dropped by it"], [section.suspect, "suspect"]]) {
    if (count > 0) {
      parts.push(`${exact(count)} ${what}`);
    }
  }
  return parts.join(", ");
}
