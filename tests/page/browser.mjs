// Debian's Chromium, without a window.

import { chromium } from "playwright-core";

/** Where Chromium is: `CHROMIUM`, or where Debian puts it. */
const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Opens pages of a size and theme; `trouble` collects what went wrong in them. */
export async function start() {
  // Root has no sandbox; what is opened here is the project's own page.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: PROGRAM, args });
  const trouble = [];
  const open = async (url, { width = 1280, height = 800, scheme = "light", before = async () => {} } = {}) => {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    const page = await context.newPage();
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && trouble.push(message.text()));
    page.on("pageerror", (error) => trouble.push(String(error.stack)));
    page.on("dialog", (dialog) => {
      trouble.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("request", (request) => {
      if (url !== "about:blank" && new URL(request.url()).origin !== new URL(url).origin) {
        trouble.push(`asks elsewhere: ${request.url()}`);
      }
    });
    await before(page);
    await page.goto(url);
    return page;
  };
  return { open, trouble, close: () => browser.close() };
}
