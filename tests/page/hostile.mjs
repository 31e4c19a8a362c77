// Names that no device should have: markup, scripts, prototypes, marks that turn text around.

import assert from "node:assert/strict";
import { start } from "./browser.mjs";

const url = process.argv[2];
const { open, trouble, close } = await start();

const NAMES = [
  "<script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", "\"><svg onload=window.hacked=1>",
  "javascript:window.hacked=1", "__proto__", "constructor", "toString", "\u202egnp.exe", "a\u0000b\u001b[2J", "x".repeat(500), "",
];
const device = (name) => ({
  kind: "device", name, up: true, silence: 0, uptime: 1, boots: 1, reset: name, build: name, frames: 1, lost: 0,
  duplicates: 0, suspect: 0, dropped: 0, quarantined: 0, withheld: 0,
});
let id = 0;
const series = NAMES.flatMap((name) => NAMES.map((other) => [id++, name, `a.${other}.${name}`, { [name]: other }, "gauge", other, name, null]));
const values = series.map(([at]) => [at, { value: 1, [NAMES[at % NAMES.length]]: NAMES[0] }, true]);
const document = { version: 1, since: null, time: 1, sections: NAMES.map(device), series, values, gone: [] };

const page = await open(url, {
  before: (page) => page.route("**/live/events", (route) => route.fulfill({ contentType: "text/event-stream", body: `data: ${JSON.stringify(document)}\n\n` })),
});
await page.locator(".source").nth(NAMES.length - 1).waitFor();
for (let i = 0; i < NAMES.length; i += 1) {
  await page.locator(".source").nth(i).click();
  const row = page.locator(".row:not(.branch)").first();
  await row.click();
  await page.locator("aside h2").waitFor();
}
const shown = await page.locator("#sources").innerText();
assert.ok(shown.includes(NAMES[0]) && shown.includes(NAMES[1]), shown);
assert.ok(shown.includes("\\u{202e}gnp.exe") && shown.includes("a\\u{0}b\\u{1b}[2J"), shown);
assert.equal(await page.evaluate(() => window.hacked), undefined);
assert.equal(await page.evaluate(() => ({}).value), undefined, "the prototype of all objects");
assert.equal(await page.locator("img, iframe, object, svg").count(), 0);
assert.equal(await page.locator("script").count(), 1);
// The stream that ended is no trouble; it is opened again.
assert.deepEqual(trouble.filter((text) => !text.includes("live/events")), []);
await close();
