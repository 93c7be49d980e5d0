// Two pages of the demo in Chromium: they talk, one is cut off and comes back,
// the server is restarted. Run by TestBrowser in cmd/gale, which restarts the
// server when this script prints "restart" and answers with a line.
//
//   node chat.mjs <path of chromium> <url of the demo>

import assert from "node:assert/strict";
import process from "node:process";
import readline from "node:readline";
import { launch } from "./launch.mjs";
import { Line } from "./line.mjs";

const [executablePath, url] = process.argv.slice(2);
const timeout = 20_000; // ms; for every wait
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// One page, and everything it complains about.
class Visitor {
  complaints = [];
  joins = []; // the texts that each "joined" of the lobby has brought
  outage = false; // failed connections are expected

  static async open(browser, address, options) {
    const visitor = new Visitor();
    visitor.page = await (await browser.newContext(options)).newPage();
    visitor.page.setDefaultTimeout(timeout);
    visitor.page.on("pageerror", (error) => visitor.complaints.push(String(error.stack)));
    visitor.page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (visitor.outage && /WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE/.test(message.text())) return;
      visitor.complaints.push(message.text());
    });
    visitor.page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        const message = JSON.parse(payload);
        if (message.type === "joined" && message.room === "lobby") visitor.joins.push(message.messages.map((m) => m.text));
      }),
    );
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

  // Waits until exactly these messages are shown, in this order.
  async sees(...wanted) {
    await this.page.waitForFunction(
      (n) => document.querySelectorAll('[data-testid="message"][data-state="sent"]').length >= n,
      wanted.length,
    );
    assert.deepEqual(await this.texts(), wanted);
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
    await bob.rename("ada"); // taken, without regard to case
    await ada.seesPeople("Ada", "ada 2");
    await bob.rename("Bob");
    await ada.seesPeople("Ada", "Bob");
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

  await step("one is cut off, and comes back to what it missed", async () => {
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
    await bob.state("online");
    said.push("three", "four", "five");
    await bob.sees(...said);
    await ada.sees(...said);
    assert.deepEqual(bob.joins.at(-1), ["three", "four"]);
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
    await ada.state("online");
    await ada.say("nine");
    said.push("nine");
    await ada.sees(...said);
    await line.open();
    await bob.state("online");
    ada.outage = bob.outage = false;
    await bob.sees(...said);
    await bob.say("ten");
    said.push("ten");
    await ada.sees(...said);
    await bob.sees(...said);
    await ada.seesPeople("Countess", "Bob");
  });

  await step("a reload keeps the name and shows the history", async () => {
    await ada.page.reload();
    await ada.state("online");
    await ada.sees("nine", "ten");
    assert.equal(await ada.get("name").inputValue(), "Countess");
    assert.equal(await ada.page.locator(".message.mine").count(), 1); // "nine" is still hers
  });

  assert.deepEqual({ ada: ada.complaints, bob: bob.complaints }, { ada: [], bob: [] });
} finally {
  await browser.close();
  await line.cut().catch(() => {});
}
process.exit(0);
