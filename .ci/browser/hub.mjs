// The packaged client of a hub in Chromium, and Chromium's own EventSource: lines
// are cut, transports refused and the server restarted, and nothing is lost but
// what is told as a gap. Run by TestBrowserHub in cmd/gale, which does what this
// script prints, and answers with a line:
//
//   publish <channel> <number>...
//   refuse <transport>...
//   restart
//
//   node hub.mjs <path of chromium> <url of the page>

import assert from "node:assert/strict";
import process from "node:process";
import readline from "node:readline";
import { launch } from "./launch.mjs";
import { Line } from "./line.mjs";

const [executablePath, url] = process.argv.slice(2);
const timeout = 30_000; // ms; for every wait
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function say(...words) {
  console.log(words.join(" "));
  assert.equal((await answers.next()).value, "done");
}

async function step(what, run) {
  const began = Date.now();
  await run();
  console.error(`ok: ${what} (${Date.now() - began} ms)`);
}

// A page with one Hub, and what its subscriptions get.
class Visitor {
  complaints = [];

  static async open(browser, address, options = {}) {
    const visitor = new Visitor();
    const page = (visitor.page = await (await browser.newContext()).newPage());
    page.on("pageerror", (error) => visitor.complaints.push(String(error.stack)));
    page.on("console", (message) => {
      // Connections that fail are what this is about, and a browser tells of each.
      if (/WebSocket connection|ERR_|Failed to load resource/.test(message.text())) return;
      if (message.type() === "error" || message.type() === "warning") visitor.complaints.push(message.text());
    });
    await page.goto(address);
    await page.evaluate(async (options) => {
      const { Hub } = await import("/hub/client.js");
      globalThis.hub = new Hub("/hub", { firstDelay: 200, maxDelay: 1_000, climbDelay: 500, ...options });
      globalThis.states = [];
      globalThis.got = {};
      globalThis.subs = {};
      hub.onstate = (state) => states.push(state + (hub.transport && " " + hub.transport));
      globalThis.listen = (channel, options) => {
        const list = (got[channel] = []);
        subs[channel] = hub.subscribe(channel, {
          onmessage: (m) => list.push(m.data),
          ongap: (g) => list.push(`gap ${g.missing}`),
          onended: (e) => list.push(`ended ${e.code}`),
          ...options,
        });
      };
    }, options);
    return visitor;
  }

  listen = (channel, options) => this.page.evaluate(([channel, options]) => listen(channel, options), [channel, options]);
  publish = (channel, data) => this.page.evaluate(([channel, data]) => hub.publish(channel, data), [channel, data]);
  got = (channel) => this.page.evaluate((channel) => got[channel], channel);
  states = () => this.page.evaluate(() => states);

  // Polled from here: the page's policy forbids what waitForFunction does.
  async until(what, argument, explain) {
    for (const began = Date.now(); !(await this.page.evaluate(what, argument)); await new Promise((done) => setTimeout(done, 20))) {
      if (Date.now() - began > timeout) assert.fail(`never: ${what} ${argument}; ${JSON.stringify(await this.page.evaluate(() => [got, states, String(hub.error)]))}`);
    }
  }

  online = (transport) => this.until((transport) => hub.state === "online" && hub.transport === transport, transport);
  placed = (channel) => this.until((channel) => subs[channel].position !== null, channel);

  async sees(channel, ...wanted) {
    await this.until(([channel, n]) => got[channel].length >= n, [channel, wanted.length]);
    assert.deepEqual(await this.got(channel), wanted);
  }

  async close() {
    await this.page.evaluate(() => hub.close());
    assert.deepEqual(this.complaints, []);
    await this.page.context().close();
  }
}

const browser = await launch(executablePath);
try {
  for (const transport of ["websocket", "sse", "poll"]) {
    const line = new Line(url);
    await line.open();
    const ada = await Visitor.open(browser, url, { transports: [transport] });
    const bob = await Visitor.open(browser, line.url, { transports: [transport] });
    const room = `room-${transport}`;

    await step(`${transport}: two pages talk`, async () => {
      await say("publish", room, 1, 2, 3);
      await ada.listen(room, { last: 2 });
      await bob.listen(room, { last: 10 });
      await bob.listen("other");
      await ada.sees(room, 2, 3);
      await bob.sees(room, 1, 2, 3);
      const receipt = await ada.publish(room, 4);
      assert.equal(receipt.offset, 4);
      await bob.sees(room, 1, 2, 3, 4);
      await bob.publish(room, 5);
      await ada.sees(room, 2, 3, 4, 5);
      await bob.placed("other");
    });

    await step(`${transport}: a line that is cut loses nothing`, async () => {
      await line.cut();
      await bob.until(() => hub.state !== "online");
      const late = bob.publish(room, 8); // waits
      await say("publish", room, 6, 7);
      await say("publish", "other", 1);
      await line.open();
      await late;
      await bob.sees(room, 1, 2, 3, 4, 5, 6, 7, 8);
      await bob.sees("other", 1);
      await ada.sees(room, 2, 3, 4, 5, 6, 7, 8);
    });

    await step(`${transport}: a confirmation that is lost does not double`, async () => {
      line.loses = "down";
      const late = bob.publish(room, 9);
      await ada.sees(room, 2, 3, 4, 5, 6, 7, 8, 9);
      await line.cut();
      await line.open();
      assert.equal((await late).duplicate, true);
      await bob.sees(room, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    });

    await step(`${transport}: a server that starts anew is a gap`, async () => {
      await say("restart");
      await say("publish", room, 10);
      await ada.sees(room, 2, 3, 4, 5, 6, 7, 8, 9, "gap -1", 10);
      await bob.sees(room, 1, 2, 3, 4, 5, 6, 7, 8, 9, "gap -1", 10);
      await bob.publish(room, 11);
      await ada.sees(room, 2, 3, 4, 5, 6, 7, 8, 9, "gap -1", 10, 11);
      assert.deepEqual(new Set((await ada.states()).filter((s) => s.startsWith("online"))), new Set([`online ${transport}`]));
    });

    await step(`${transport}: a channel that is refused leaves the others`, async () => {
      await ada.listen("secret");
      await ada.sees("secret", "ended not_allowed");
      await ada.publish(room, 12);
      await ada.sees(room, 2, 3, 4, 5, 6, 7, 8, 9, "gap -1", 10, 11, 12);
    });

    await ada.close();
    await bob.close();
    await line.cut();
  }

  await step("falls back, and climbs, and nothing is lost", async () => {
    await say("refuse", "ws", "sse");
    const eve = await Visitor.open(browser, url);
    await eve.listen("stairs");
    await eve.online("poll");
    await eve.placed("stairs");
    await say("publish", "stairs", 1);
    await eve.sees("stairs", 1);
    await say("refuse", "ws");
    let n = 1;
    const climb = async (transport) => {
      for (const began = Date.now(); (await eve.page.evaluate(() => hub.transport)) !== transport; ) {
        assert.ok(Date.now() - began < 60_000, `it never climbs to ${transport}`);
        await say("publish", "stairs", ++n);
        await new Promise((done) => setTimeout(done, 50));
      }
    };
    await climb("sse");
    await say("refuse");
    await climb("websocket");
    await say("refuse", "ws");
    await eve.page.evaluate(() => hub.reconnect());
    await eve.online("sse");
    await say("publish", "stairs", ++n);
    await eve.sees("stairs", ...Array.from({ length: n }, (_, i) => i + 1));
    await say("refuse");
    await eve.close();
  });

  await step("Chromium's own EventSource goes on by itself", async () => {
    const line = new Line(url);
    await line.open();
    const page = await (await browser.newContext()).newPage();
    await page.goto(line.url);
    await say("publish", "es", 1, 2, 3);
    await page.evaluate(() => {
      globalThis.got = [];
      globalThis.ids = [];
      const source = new EventSource("/hub/sse?ch=es&last=2");
      source.onmessage = (event) => {
        got.push(JSON.parse(event.data).data);
        ids.push(event.lastEventId);
      };
      source.addEventListener("gap", (event) => got.push(`gap ${JSON.parse(event.data).missing}`));
      globalThis.source = source;
    });
    const sees = async (...wanted) => {
      for (const began = Date.now(); (await page.evaluate(() => got.length)) < wanted.length; await new Promise((done) => setTimeout(done, 20))) {
        assert.ok(Date.now() - began < timeout, `never: ${wanted}; ${await page.evaluate(() => got)}`);
      }
      assert.deepEqual(await page.evaluate(() => got), wanted);
    };
    await sees(2, 3);
    await line.cut();
    await say("publish", "es", 4, 5);
    await line.open();
    await sees(2, 3, 4, 5);
    await say("restart");
    await say("publish", "es", 6);
    await sees(2, 3, 4, 5, "gap -1", 6);
    const ids = await page.evaluate(() => ids);
    assert.equal(new Set(ids).size, 5);
    for (const id of ids) assert.match(id, /^[\x21-\x7e]+$/);
    assert.equal(await page.evaluate(() => source.readyState), 1);
    await page.close();
    await line.cut();
  });
} finally {
  await browser.close();
}
process.exit(0);
