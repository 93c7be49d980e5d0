// The demo's page of streams in Chromium: text comes token by token, goes on
// where it was cut off, and is held up and given up with its reader. Run by
// TestBrowserTokens in cmd/gale.
//
//   node tokens.mjs <path of chromium> <url of the demo>

import assert from "node:assert/strict";
import process from "node:process";
import { launch } from "./launch.mjs";

const [executablePath, url] = process.argv.slice(2);
const timeout = 30_000; // ms; for every wait

async function step(what, run) {
  const began = Date.now();
  await run();
  console.error(`ok: ${what} (${Date.now() - began} ms)`);
}

const browser = await launch(executablePath);
try {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(timeout);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  const requests = [];
  page.on("request", (request) => request.url().includes("stream/text") && requests.push(request));

  const get = (id) => page.getByTestId(id);
  const number = async (id) => Number((await get(id).textContent()).replaceAll(",", ""));
  const until = async (what, ready) => {
    for (const began = Date.now(); !(await ready()); await new Promise((done) => setTimeout(done, 30))) {
      assert.ok(Date.now() - began < timeout, `never: ${what}; ${await get("verdict").textContent()}`);
    }
  };
  const verdict = (pattern) => until(String(pattern), async () => pattern.test(await get("verdict").textContent()));
  const start = async (pace, paragraphs) => {
    requests.length = 0;
    await get("pace").selectOption(pace);
    await get("paragraphs").selectOption(paragraphs);
    await get("start").click();
  };
  // The text as it is told at once, without the page.
  const whole = async () => {
    const address = requests[0].url().replace(/run=[^&]*/, "run=check").replace("pace=reading", "pace=full");
    const lines = (await (await fetch(address)).text()).split("\n\n");
    return lines
      .filter((event) => event.startsWith("id: ") && !event.includes("event: end"))
      .map((event) => Array.from(event.matchAll(/^data: ?(.*)$/gm), (m) => m[1]).join("\n"))
      .join("");
  };

  await page.goto(url);
  await get("to-stream").click();
  await get("start").waitFor();

  await step("tokens appear one after the other", async () => {
    await start("reading", "1");
    const lengths = new Set();
    await until("several lengths", async () => lengths.add((await get("sheet").textContent()).length).size > 5);
  });

  await step("pulling the plug loses nothing", async () => {
    for (const connections of [2, 3]) {
      const before = await number("read");
      await get("plug").click();
      await until("another connection", async () => (await number("connections")) === connections);
      await until("more tokens", async () => (await number("read")) > before + 3);
    }
    await verdict(/^Finished/);
    const text = await whole();
    await until("the whole text", async () => (await get("sheet").textContent()).length >= text.length);
    assert.equal(await get("sheet").textContent(), text);
    assert.equal(requests.length, 3);
    assert.equal(requests[0].headers()["last-event-id"], undefined);
    for (const request of requests.slice(1)) assert.match(request.headers()["last-event-id"], /^0-\d+$/);
  });

  await step("a page that stops reading holds the server up", async () => {
    await start("full", "200000");
    await until("tokens", async () => (await number("read")) > 100);
    await get("pause").click();
    await verdict(/^Held up/);
    const [made, read] = [await number("made"), await number("read")];
    assert.ok(made > read, `${made} made, ${read} read`);
    // How much the browser takes before it holds the server up is its own affair.
    for (let look = 0; look < 10; look++) {
      await new Promise((done) => setTimeout(done, 50));
      assert.equal(await number("made"), made, "the server goes on making");
    }
    await get("pause").click();
    await until("more tokens", async () => (await number("made")) > made);
  });

  await step("a server whose reader leaves makes no more", async () => {
    await get("stop").click();
    await verdict(/^Stopped: the server has noticed/);
  });

  await step("the next text begins anew", async () => {
    await start("full", "1");
    await verdict(/^Finished/);
    const text = await whole();
    await until("the whole text", async () => (await get("sheet").textContent()).length >= text.length);
    assert.equal(await get("sheet").textContent(), text);
    assert.equal(await number("made"), await number("read"));
  });

  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
process.exit(0);
