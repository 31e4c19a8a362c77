// Pictures for the documentation: the page in light, in dark and on a phone, and `tapes top`.
//
// usage: node screenshots.mjs URL TAPES FOLDER

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { start } from "./browser.mjs";

const [url, tapes, folder] = process.argv.slice(2);

/** Seconds that charts are given to fill. */
const FILLING = 45;

const METRIC = '[data-metric="motor.loop_time"]';
const VIEWS = [
  ["page-light", { width: 1280, height: 720 }],
  ["page-dark", { width: 1280, height: 720, scheme: "dark" }],
  ["page-phone", { width: 390, height: 760, metric: false }],
];

// A terminal without a window; its screen is drawn by the browser.
const SOCKET = `tapes-screenshots-${process.pid}`;
const tmux = (...words) => execFileSync("tmux", ["-L", SOCKET, ...words], { encoding: "utf8", env: { ...process.env, TERM: "xterm-256color" } });
tmux("new-session", "-d", "-x", "116", "-y", "30", `'${tapes}' top '${url.replace(/\/$/, "")}'`);

const { open, trouble, close } = await start();
const pages = [];
for (const [name, options] of VIEWS) {
  pages.push([name, options, await open(url, options)]);
}
await pages[0][2].waitForTimeout(FILLING * 1000);
for (const [name, options, page] of pages) {
  if (options.metric !== false) {
    await page.locator(METRIC).click();
    await page.mouse.move(0, 0);
  }
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

tmux("send-keys", "Down", "Enter");
await pages[0][2].waitForTimeout(1500);
const screen = tmux("capture-pane", "-p", "-e");
tmux("kill-server");

/** The sixteen colours of a terminal that the view uses, and its attributes, as spans. */
function spans(text) {
  const colours = { 31: "#ff7b72", 32: "#4cc46a", 36: "#6cb0ff" };
  let style = {};
  return text.split(/(\x1b\[[0-9;]*m)/).map((part) => {
    const codes = part.match(/^\x1b\[([0-9;]*)m$/);
    if (!codes) {
      return [part, { ...style }];
    }
    // The first sixteen of 256 colours are those of the short codes.
    const short = codes[1].replace(/38;5;([0-7])(?=;|$)/g, (_, n) => String(30 + Number(n))).replace(/48;5;\d+/g, "49");
    for (const code of short.split(";").map(Number)) {
      if (code === 0) style = {};
      else if (code === 1) style.bold = true;
      else if (code === 2) style.dim = true;
      else if (code === 7) style.reversed = true;
      else if (code === 22) style.bold = style.dim = false;
      else if (code === 27) style.reversed = false;
      else if (code in colours) style.colour = colours[code];
      else if (code === 39) style.colour = undefined;
    }
    return ["", {}];
  }).filter(([part]) => part !== "");
}

const page = await open("about:blank", { width: 1000, height: 600, scheme: "dark" });
await page.evaluate((parts) => {
  document.body.style.cssText = "margin:0;background:#0f1419";
  const pre = document.createElement("pre");
  pre.style.cssText = "display:inline-block;margin:0;padding:12px;font:14px/1.2 'DejaVu Sans Mono',monospace;color:#dde3ea";
  for (const [text, { bold, dim, reversed, colour }] of parts) {
    const span = document.createElement("span");
    span.textContent = text;
    const front = colour ?? "#dde3ea";
    span.style.cssText = `color:${reversed ? "#0f1419" : front};background:${reversed ? front : "none"};opacity:${dim ? 0.65 : 1};font-weight:${bold ? 700 : 400}`;
    pre.append(span);
  }
  document.body.append(pre);
}, spans(screen));
await page.locator("pre").screenshot({ path: join(folder, "top.png") });
await close();
if (trouble.length > 0) {
  console.error(trouble.join("\n"));
  process.exit(1);
}
