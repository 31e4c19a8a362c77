// A thousand metrics that all change: the page answers keys, and fits a phone.

import assert from "node:assert/strict";
import { start } from "./browser.mjs";

/**
 * How long a drawing of everything may take, and a search, in milliseconds. Far above what they take, 20 and 500, for
 * machines with something else to do; what grows with the square of the metrics takes longer still.
 */
const DRAWING_MAX = 2000;
const SEARCH_MAX = 20000;

const url = process.argv[2];
const { open, trouble, close } = await start();
const page = await open(url);
await page.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 1000);
await page.waitForFunction(() => performance.getEntriesByName("update").length >= 6);
const drawings = await page.evaluate(() => performance.getEntriesByName("update").map((entry) => entry.duration));
const middle = drawings.sort((a, b) => a - b)[Math.floor(drawings.length / 2)];
assert.ok(middle < DRAWING_MAX, `${middle} ms`);

const before = Date.now();
await page.keyboard.press("/");
await page.keyboard.type("group7 metric_77");
await page.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 1);
const search = Date.now() - before;
assert.ok(search < SEARCH_MAX, `${search} ms`);

await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowDown");
await page.keyboard.press("Enter");
assert.equal(await page.locator("aside h2").innerText(), "group7.metric_77");
await page.keyboard.press("Escape");
assert.ok(await page.locator("aside").isHidden());
await page.keyboard.press("Escape");
await page.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 1000);
await page.locator(".row").first().focus();
await page.keyboard.press("ArrowLeft");
await page.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 900);
await page.keyboard.press("ArrowRight");
await page.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 1000);
await page.keyboard.press("?");
assert.ok(await page.locator("#help").isVisible());
await page.close();

const phone = await open(url, { width: 360, height: 740, scheme: "dark" });
await phone.waitForFunction(() => document.querySelectorAll(".row:not(.branch)").length === 1000);
assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the phone");
await phone.locator(".row:not(.branch)").first().click();
assert.ok(await phone.locator("aside").isVisible());
assert.deepEqual(trouble, []);
await close();
console.log(`drawing ${middle.toFixed(1)} ms, search ${search} ms`);
