// A page whose EventSource listens to a chi router on gale's event loop. Run by
// TestBrowserStream in cmd/gale. The router sends an event when the page has
// confirmed the one before. When the page has gone, this script prints "gone" and
// gets a line once the router's handler has noticed.
//
//   node stream.mjs <path of chromium> <url of the page>

import assert from "node:assert/strict";
import process from "node:process";
import readline from "node:readline";
import { launch } from "./launch.mjs";

const [executablePath, url] = process.argv.slice(2);
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await launch(executablePath);
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => complaints.push(message.text()));

  await page.goto(url);
  await page.locator("li").nth(4).waitFor();
  const shown = await page.$$eval("li", (all) => all.map((e) => e.textContent));
  assert.deepEqual(shown, [1, 2, 3, 4, 5].map((n) => `${n} event\nof 5`));
  assert.deepEqual(complaints, []);
  console.error("ok: five events, one by one");

  await page.close();
  console.log("gone");
  assert.equal((await answers.next()).value, "noticed");
  console.error("ok: the handler's context ends with the page");
} finally {
  await browser.close();
}
process.exit(0);
