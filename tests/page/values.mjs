// Every number on the page is the one of /stats, for every device; and what devices call their things
// is shown, never obeyed.

import assert from "node:assert/strict";
import { start } from "./browser.mjs";

const url = process.argv[2];
const { open, trouble, close } = await start();

// Integers that a double would round, as text.
const text = await (await fetch(new URL("stats", url))).text();
const stats = JSON.parse(text.replace(/([:[,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"'));

const page = await open(url);
await page.getByText("live", { exact: true }).first().waitFor();
assert.deepEqual((await page.locator(".source .name").allInnerTexts()).slice(1), Object.keys(stats));

let compared = 0;
let lately = 0;
for (const device of Object.keys(stats)) {
  await page.locator(".source", { hasText: device }).click();
  const rows = page.locator(".row:not(.branch)");
  assert.ok((await rows.count()) > 0, device);
  for (let i = 0; i < (await rows.count()); i += 1) {
    const row = rows.nth(i);
    const name = await row.getAttribute("data-metric");
    const labels = await row.locator(".labels").allInnerTexts();
    await row.click();
    const enumerated = labels.join().split(", ").filter((label) => label.startsWith("fault="));
    const path = [...name.split("."), ...enumerated.map((label) => label.slice(6))];
    const wanted = path.reduce((tree, segment) => tree[segment], stats[device]);
    for (const [key, value] of Object.entries(wanted)) {
      if (/^(window|decayed)_/.test(key) || (value === null && key !== "value")) {
        continue;
      }
      const cell = page.locator(`aside td[data-key="${key}"]`);
      if ("window_seconds" in wanted && /^(lifetime_)?q/.test(key)) {
        const when = key.startsWith("lifetime_") ? /^p[\d.]+, all time$/ : /^p[\d.]+, last \d+ s$/;
        assert.match(await page.locator(`aside tr:has(td[data-key="${key}"]) th`).innerText(), when);
        lately += key.startsWith("lifetime_") ? 0 : 1;
      }
      assert.equal(await cell.getAttribute("title"), String(value), `${device} ${path} ${key}`);
      compared += 1;
    }
    if ("window_seconds" in wanted) {
      const shown = (key) => page.locator(`aside td[data-key="${key}"]`).innerText();
      assert.equal(await row.locator(".value").innerText(), `${await shown("q50")} · p99 ${await shown("q99")}`);
    }
    if ("value" in wanted && wanted.value !== null) {
      const shown = (await page.locator('aside td[data-key="value"]').innerText()).replaceAll(",", "");
      assert.equal(shown, String(wanted.value), `${device} ${path}`);
      const inRow = parseFloat((await row.locator(".value").innerText()).replaceAll(",", ""));
      assert.ok(Math.abs(inRow - Number(wanted.value)) <= 1e-6 * Math.abs(Number(wanted.value)), `${path} ${inRow}`);
    }
  }
}
assert.ok(compared > 60 && lately > 20, `${compared}, ${lately} of them lately`);

// The sum over both devices.
await page.locator(".source", { hasText: "All devices" }).click();
await page.locator('[data-metric="motor.loops"]').click();
assert.equal(await page.locator('aside td[data-key="value"]').innerText(), "8");

// Real labels and help texts that are markup.
assert.ok((await page.locator("body").innerText()).includes("<img src=x onerror=window.hacked=1>"));
assert.equal(await page.evaluate(() => window.hacked), undefined);
assert.equal(await page.locator("img, iframe, object, svg").count(), 0);
await page.close();
assert.deepEqual(trouble, []);
await close();
console.log(`${compared} numbers compared`);
