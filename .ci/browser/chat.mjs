// Two pages of the demo in Chromium: they talk over each transport, the plug of one
// is pulled, its line is cut, the server is restarted. Run by TestBrowser in cmd/gale, which restarts the
// server when this script prints "restart" and answers with a line.
//
//   node chat.mjs <path of chromium> <url of the demo> [folder for screenshots]

import assert from "node:assert/strict";
import process from "node:process";
import readline from "node:readline";
import { launch } from "./launch.mjs";
import { Line } from "./line.mjs";

const [executablePath, url, shots] = process.argv.slice(2);
const timeout = 20_000; // ms; for every wait
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// One page, and everything it complains about.
class Visitor {
  complaints = [];
  outage = false; // failed connections are expected

  static async open(browser, address, options) {
    const visitor = new Visitor();
    visitor.page = await (await browser.newContext(options)).newPage();
    visitor.page.setDefaultTimeout(timeout);
    visitor.page.on("pageerror", (error) => visitor.complaints.push(String(error.stack)));
    visitor.page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (visitor.outage && /WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE/.test(message.text())) return;
      visitor.complaints.push(message.text());
    });
    await visitor.page.goto(address);
    await visitor.state("online");
    return visitor;
  }

  get = (id) => this.page.getByTestId(id);

  async state(...states) {
    await this.page.waitForFunction(
      (wanted) => wanted.includes(document.querySelector('[data-testid="badge"]').dataset.state),
      states,
    );
  }

  // Comes back sooner than by itself.
  async comeBack() {
    const retry = this.page.locator("#retry");
    if (await retry.isVisible()) await retry.click({ timeout: 1_000 }).catch(() => {}); // it has just come back
    await this.state("online");
  }

  async say(text) {
    await this.get("text").fill(text);
    await this.get("text").press("Enter");
  }

  // The messages that are shown, those that wait to be sent left out.
  texts() {
    return this.page.$$eval('[data-testid="message"][data-state="sent"] [data-testid="words"]', (all) => all.map((e) => e.textContent));
  }

  // Waits until a message waits to be sent or confirmed.
  async waits(state = "") {
    await this.page.locator(`[data-testid="message"]${state ? `[data-state="${state}"]` : ':not([data-state="sent"])'}`).first().waitFor();
  }

  // Waits until exactly these messages are shown, in this order, and the page has
  // found none missing.
  async sees(...wanted) {
    await this.page.waitForFunction(
      (n) => document.querySelectorAll('[data-testid="message"][data-state="sent"]').length >= n,
      wanted.length,
    );
    assert.deepEqual(await this.texts(), wanted);
    assert.equal(await this.get("lost").textContent(), "0");
    assert.equal(await this.get("twice").textContent(), "0");
  }

  async seesPeople(...names) {
    await this.page.waitForFunction(
      (wanted) => {
        const shown = [...document.querySelectorAll('[data-testid="person"]')].map((e) => e.textContent);
        return JSON.stringify(shown.sort()) === JSON.stringify(wanted);
      },
      [...names].sort(),
    );
  }

  async seesRoundTrip() {
    await this.page.waitForFunction(() => /^\d+(\.\d)? ms$/.test(document.querySelector('[data-testid="rtt"]').textContent));
  }

  async badge(text) {
    await this.page.waitForFunction((text) => document.querySelector('[data-testid="badge-text"]').textContent === text, text);
  }

  // People and the connection are always there, or in a drawer.
  async connection(run) {
    const drawer = await this.page.locator("#people-close").evaluate((e) => getComputedStyle(e).display !== "none");
    if (drawer) await this.page.locator("#link-open").click();
    await run();
    if (drawer) await this.page.keyboard.press("Escape");
  }

  press = (id) => this.connection(() => this.get(id).click());
  way = (name) => this.connection(() => this.get(`way-${name}`).check());

  // The list of rooms is always there, or a drawer.
  async openRooms() {
    if (await this.page.locator("#side-open").isVisible()) await this.page.locator("#side-open").tap();
  }

  async room(name) {
    await this.openRooms();
    await this.get(`room-${name}`).click();
    await this.page.waitForFunction((title) => document.querySelector("h1").textContent === title, "#" + name);
  }

  async rename(name) {
    await this.openRooms();
    await this.get("name").fill(name);
    await this.get("name").press("Enter");
    await this.page.keyboard.press("Escape"); // closes a drawer
  }
}

async function step(what, run) {
  const began = Date.now();
  await run();
  console.error(`ok: ${what} (${Date.now() - began} ms)`);
}

const line = new Line(url);
await line.open();
const browser = await launch(executablePath);
try {
  const ada = await Visitor.open(browser, url, { viewport: { width: 1280, height: 800 } });
  const bob = await Visitor.open(browser, line.url, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });

  await step("names and who is here", async () => {
    await ada.rename("Ada");
    await bob.rename("Bob");
    await ada.seesPeople("Ada", "Bob");
    await bob.seesPeople("Ada", "Bob");
    await bob.rename("Élodie \u{1f43f}");
    await ada.seesPeople("Ada", "Élodie \u{1f43f}");
    await bob.rename("Bob");
    await ada.seesPeople("Ada", "Bob");
    await bob.seesPeople("Ada", "Bob");
  });

  const markup = "<img src=x onerror=\"document.body.remove()\"> & <b>bold</b>\nsecond line";
  await step("messages go both ways", async () => {
    await ada.say("one");
    await bob.sees("one");
    await bob.say("two");
    await ada.sees("one", "two");
    await ada.get("text").fill(markup);
    await ada.get("send").click();
    await bob.sees("one", "two", markup);
    await ada.sees("one", "two", markup);
  });

  await step("who stays in no moment longer than it takes to come back has not left", async () => {
    await bob.press("drop");
    await bob.state("online");
    await ada.seesPeople("Ada", "Bob");
    const lines = await ada.page.getByTestId("line").allTextContents();
    assert.deepEqual(lines.filter((text) => /Bob (left|joined)/.test(text)), []);
  });

  await step("the round trip is a number", async () => {
    await ada.seesRoundTrip();
    await bob.seesRoundTrip();
  });

  await step("another room counts what is unread", async () => {
    await ada.room("gophers");
    await ada.say("over here");
    await ada.sees("over here");
    await bob.get("unread-gophers").waitFor({ state: "attached" });
    assert.equal(await bob.get("unread-gophers").textContent(), "1");
    await bob.room("gophers");
    await bob.sees("over here");
    assert.equal(await bob.get("unread-gophers").count(), 0);
    await bob.room("lobby");
    await ada.room("lobby");
    await ada.sees("one", "two", markup);
  });

  await step("a room of one's own is opened and left", async () => {
    assert.equal(await ada.get("leave").isVisible(), false); // the lobby stays
    await ada.get("room-new").fill("The Attic");
    await ada.get("room-new").press("Enter");
    await ada.say("nobody here");
    await ada.sees("nobody here");
    await ada.get("leave").click();
    await ada.sees("one", "two", markup);
    assert.equal(await ada.get("room-the-attic").count(), 0);
  });

  const said = ["one", "two", markup];
  const bothSee = async (...more) => {
    said.push(...more);
    await ada.sees(...said);
    await bob.sees(...said);
  };

  for (const [way, name] of [["websocket", "WebSocket"], ["sse", "SSE"], ["poll", "long-poll"]]) {
    await step(`${name}: the plug is pulled, and nothing is lost`, async () => {
      await bob.way(way);
      await bob.badge(name);
      await bob.say(`hello over ${name}`);
      await bothSee(`hello over ${name}`);
      assert.equal(await bob.get("here-note").evaluate((e) => e.hidden), way === "websocket");

      await bob.press("plug");
      await bob.state("unplugged");
      const seen = [...said];
      await ada.say(`without ${name}`);
      await ada.sees(...said, `without ${name}`);
      const robot = said.filter((text) => /^\d+$/.test(text)).length;
      await ada.press("robot");
      const missed = [`without ${name}`, ...Array.from({ length: 10 }, (_, n) => String(robot + n + 1))];
      await ada.sees(...said, ...missed);
      await bob.say(`written without ${name}`); // waits in the page
      await bob.waits("queued");
      assert.deepEqual(await bob.texts(), seen);
      await bob.press("plug");
      await bob.badge(name);
      await bothSee(...missed, `written without ${name}`);
      assert.equal(await bob.page.locator('[data-how="missed"] [data-testid="words"]').filter({ hasText: `without ${name}` }).first().textContent(), `without ${name}`);
      assert.equal(await bob.page.getByTestId("line").filter({ hasText: /^Back after/ }).count() > 0, true);

      await bob.press("drop");
      await ada.say(`while ${name} was dropped`);
      await bothSee(`while ${name} was dropped`);
      await bob.badge(name);
    });
  }

  await step("from one transport to the other nothing is lost", async () => {
    for (const way of ["sse", "websocket", "poll", "auto"]) await bob.way(way);
    await ada.say("meanwhile");
    await bob.badge("WebSocket");
    await bothSee("meanwhile");
    await ada.seesPeople("Ada", "Bob");
    await bob.seesPeople("Ada", "Bob");
    assert.equal(await bob.page.getByTestId("gap").count(), 0);
    assert.equal(await ada.page.getByTestId("gap").count(), 0);
  });

  await step("the plug goes in again by itself", async () => {
    await bob.press("plug");
    await bob.state("unplugged");
    await ada.say("are you there?");
    await bothSee("are you there?");
  });

  await step("both look well", async () => {
    const wide = await bob.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `the page is ${wide} px wide`);
    if (!shots) return;
    await ada.page.screenshot({ path: `${shots}/chat-wide.png` });
    await bob.page.screenshot({ path: `${shots}/chat-phone.png` });
    await bob.connection(() => bob.page.screenshot({ path: `${shots}/chat-phone-drawer.png`, animations: "disabled" }));
    await bob.openRooms();
    await bob.page.screenshot({ path: `${shots}/chat-phone-rooms.png`, animations: "disabled" });
    await bob.page.keyboard.press("Escape");
  });

  await step("one is cut off, and comes back to what it missed", async () => {
    // Who comes back over another transport is seen only when it has climbed again.
    for (const visitor of [ada, bob]) {
      await visitor.way("websocket");
      await visitor.badge("WebSocket");
    }
    await bob.seesPeople("Ada", "Bob");
    bob.outage = true;
    await line.cut();
    await bob.page.waitForFunction(() =>
      /^reconnecting in \d+ s$/.test(document.querySelector('[data-testid="badge-text"]').textContent),
    );
    await ada.seesPeople("Ada");
    await ada.say("three");
    await ada.say("four");
    await bob.say("five"); // waits in the page
    await bob.waits();
    await ada.rename("Countess"); // which is also something to miss
    await ada.sees(...said, "three", "four");
    assert.deepEqual(await bob.texts(), said);
    await line.open();
    await bob.comeBack();
    await bothSee("three", "four", "five");
    await ada.seesPeople("Countess", "Bob");
    await bob.seesPeople("Countess", "Bob");
    await bob.seesRoundTrip();
  });

  await step("what a breaking line loses is sent again, what it confirms too late is not", async () => {
    line.loses = "up";
    await bob.say("six"); // sent, and never arrives
    await bob.waits();
    await line.cut();
    await bob.waits("queued");
    await line.open();
    said.push("six");
    await ada.sees(...said);
    await bob.sees(...said);

    line.loses = "down";
    await bob.say("seven"); // arrives, and is not confirmed
    said.push("seven");
    await ada.sees(...said);
    await bob.waits();
    await line.cut();
    await bob.state("waiting");
    await line.open();
    await bob.sees(...said);
    await ada.say("eight");
    said.push("eight");
    await bob.sees(...said);
    await ada.sees(...said);
  });

  await step("the server is restarted, and both come back", async () => {
    ada.outage = true;
    await line.cut(); // so that one comes back later
    console.log("restart");
    await ada.state("waiting", "connecting");
    const answer = await answers.next();
    assert.equal(answer.value, "restarted");
    await ada.comeBack();
    await ada.say("nine");
    said.push("nine");
    await ada.sees(...said);
    await line.open();
    await bob.comeBack();
    ada.outage = bob.outage = false;
    await bob.sees(...said);
    await bob.say("ten");
    await bothSee("ten");
    await ada.seesPeople("Countess", "Bob");
    for (const visitor of [ada, bob]) assert.equal(await visitor.page.getByTestId("gap").count(), 1); // nobody knows what was lost
  });

  await step("a reload keeps the name and shows the history", async () => {
    await ada.page.reload();
    await ada.state("online");
    await ada.sees("nine", "ten");
    assert.equal(await ada.get("name").inputValue(), "Countess");
    assert.equal(await ada.page.locator(".message.mine").count(), 1); // "nine" is still hers
  });

  await step("who comes late sees the history, and who leaves is gone", async () => {
    const eve = await Visitor.open(browser, url);
    await eve.rename("Eve");
    await eve.sees("nine", "ten");
    await ada.seesPeople("Countess", "Bob", "Eve");
    await eve.page.context().close();
    await ada.seesPeople("Countess", "Bob");
    assert.deepEqual(eve.complaints, []);
  });

  assert.deepEqual({ ada: ada.complaints, bob: bob.complaints }, { ada: [], bob: [] });
} finally {
  await browser.close();
  await line.cut().catch(() => {});
}
process.exit(0);
