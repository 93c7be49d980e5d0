// Two pages of the demo in Chromium: they talk, one is cut off and comes back,
// the server is restarted. Run by TestBrowser in cmd/gale, which restarts the
// server when this script prints "restart" and answers with a line.
//
//   node chat.mjs <path of chromium> <url of the demo>

import assert from "node:assert/strict";
import net from "node:net";
import process from "node:process";
import readline from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, url] = process.argv.slice(2);
const timeout = 20_000; // ms; for every wait
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// A line to the server that can be cut. While it is, connections are refused.
class Line {
  #sockets = new Set();
  #server = null;
  #port = 0;

  async open() {
    this.#server = net.createServer((near) => {
      const far = net.connect(new URL(url).port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]]) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    await new Promise((done) => this.#server.listen(this.#port, "127.0.0.1", done));
    this.#port = this.#server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async cut() {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

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
      if (visitor.outage && /WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE/.test(message.text())) return;
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

  async say(text) {
    await this.get("text").fill(text);
    await this.get("text").press("Enter");
  }

  // The messages that are shown, those that wait to be sent left out.
  texts() {
    return this.page.$$eval('[data-testid="message"][data-state="sent"] [data-testid="words"]', (all) => all.map((e) => e.textContent));
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

const line = new Line();
await line.open();
const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
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

  await step("one is cut off, and comes back to what it missed", async () => {
    bob.outage = true;
    await line.cut();
    await bob.state("waiting");
    assert.match(await bob.get("badge-text").textContent(), /^reconnecting in \d+ s$/);
    await ada.seesPeople("Ada");
    await ada.say("three");
    await ada.say("four");
    await bob.say("five"); // waits in the page
    await bob.page.locator('[data-testid="message"][data-state="queued"]').waitFor();
    await ada.sees("one", "two", markup, "three", "four");
    assert.deepEqual(await bob.texts(), ["one", "two", markup]);
    await line.open();
    await bob.state("online");
    bob.outage = false;
    await bob.sees("one", "two", markup, "three", "four", "five");
    await ada.sees("one", "two", markup, "three", "four", "five");
    await ada.seesPeople("Ada", "Bob");
    await bob.seesRoundTrip();
  });

  await step("the server is restarted, and both come back", async () => {
    ada.outage = bob.outage = true;
    console.log("restart");
    await Promise.all([ada, bob].map((visitor) => visitor.state("waiting", "connecting")));
    const answer = await answers.next();
    assert.equal(answer.value, "restarted");
    await Promise.all([ada, bob].map((visitor) => visitor.state("online")));
    ada.outage = bob.outage = false;
    await ada.seesPeople("Ada", "Bob");
    await bob.say("six");
    await ada.sees("one", "two", markup, "three", "four", "five", "six");
    await ada.say("seven");
    await bob.sees("one", "two", markup, "three", "four", "five", "six", "seven");
    await ada.sees("one", "two", markup, "three", "four", "five", "six", "seven");
  });

  await step("a reload keeps the name and shows the history", async () => {
    await ada.page.reload();
    await ada.state("online");
    await ada.sees("six", "seven");
    assert.equal(await ada.get("name").inputValue(), "Ada");
    assert.equal(await ada.page.locator(".message.mine").count(), 1); // "seven" is still hers
  });

  assert.deepEqual({ ada: ada.complaints, bob: bob.complaints }, { ada: [], bob: [] });
} finally {
  await browser.close();
  await line.cut().catch(() => {});
}
process.exit(0);
