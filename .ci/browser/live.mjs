// The demo's page of the hub in Chromium: over each transport the plug is pulled,
// messages come meanwhile, and nothing is lost. Run by TestBrowserLive in cmd/gale.
//
//   node live.mjs <path of chromium> <url of the demo>

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
  const complaints = [];
  const open = async () => {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(timeout);
    page.on("pageerror", (error) => complaints.push(String(error.stack)));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
    await page.goto(`${url}/live`);
    return page;
  };
  const words = (page) => page.getByTestId("words").allTextContents();
  const until = async (what, ready) => {
    for (const began = Date.now(); !(await ready()); await new Promise((done) => setTimeout(done, 30))) {
      assert.ok(Date.now() - began < timeout, `never: ${what}`);
    }
  };
  const badge = (page, text) => until(`the badge ${text}`, async () => (await page.getByTestId("badge-text").textContent()) === text);
  const sees = async (page, wanted) => {
    await until(`${wanted.length} messages`, async () => (await words(page)).length >= wanted.length);
    assert.deepEqual(await words(page), wanted);
    assert.equal(await page.getByTestId("lost").textContent(), "0");
    assert.equal(await page.getByTestId("twice").textContent(), "0");
  };
  const say = async (page, text) => {
    await page.getByTestId("text").fill(text);
    await page.getByTestId("send").click();
  };

  const ada = await open();
  const bob = await open();
  const said = [];
  await badge(ada, "WebSocket");
  await badge(bob, "WebSocket");
  await step("they see each other", () =>
    until("two people", async () => (await ada.getByTestId("person").count()) === 2 && (await bob.getByTestId("person").count()) === 2));

  for (const [way, name] of [["websocket", "WebSocket"], ["sse", "server-sent events"], ["poll", "long-polling"]]) {
    await step(`${name}: pulling the plug loses nothing`, async () => {
      await bob.getByTestId(`way-${way}`).check();
      await badge(bob, name);
      await say(bob, `hello over ${name}`);
      said.push(`hello over ${name}`);
      await sees(ada, said);
      await sees(bob, said);
      await bob.getByTestId("plug").click();
      await badge(bob, "unplugged");
      const seen = [...said];
      await say(ada, `without ${name}`);
      said.push(`without ${name}`);
      await sees(ada, said);
      const robot = said.filter((text) => /^\d+$/.test(text)).length;
      await ada.getByTestId("robot").click();
      for (let n = 1; n <= 10; n++) said.push(String(robot + n));
      await sees(ada, said);
      await sees(bob, seen);
      await bob.getByTestId("plug").click();
      await badge(bob, name);
      await sees(bob, said);
    });
  }

  await step("from one transport to the other nothing is lost", async () => {
    for (const way of ["sse", "websocket", "poll", "best"]) await bob.getByTestId(`way-${way}`).check();
    await badge(bob, "WebSocket");
    await say(ada, "the last");
    said.push("the last");
    await sees(ada, said);
    await sees(bob, said);
  });

  await step("who comes late gets the history", async () => {
    const eve = await open();
    await sees(eve, said);
    await until("three people", async () => (await ada.getByTestId("person").count()) === 3);
    await eve.context().close();
    await until("two people", async () => (await ada.getByTestId("person").count()) === 2);
  });

  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
process.exit(0);
