// The page of images in Chromium: pictures are dropped, watched and cancelled, the
// machine is saturated while the chat's round trip is taken, a server that is full
// is asked again later, and one that is started anew gets what it has forgotten.
// Run by TestBrowserImages in cmd/gale, which restarts the server when this script
// prints "restart" and answers with a line.
//
//   node images.mjs <path of chromium> <url of the demo> [folder for screenshots]

import assert from "node:assert/strict";
import process from "node:process";
import readline from "node:readline";
import { launch } from "./launch.mjs";

const [executablePath, url, shots] = process.argv.slice(2);
const timeout = 30_000; // ms; for every wait
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function step(what, run) {
  const began = Date.now();
  await run();
  console.error(`ok: ${what} (${Date.now() - began} ms)`);
}

const browser = await launch(executablePath);
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(timeout);
  const complaints = [];
  let outage = false; // failed requests are expected
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    if (outage && /WebSocket connection|ERR_CONNECTION|ERR_EMPTY_RESPONSE|Failed to load resource/.test(message.text())) return;
    complaints.push(message.text());
  });
  const get = (id) => page.getByTestId(id);
  const shot = async (name) => {
    if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
  };
  const card = (name) => page.locator(`[data-testid="picture"][data-name="${name}"]`).first();
  const state = (name, ...states) =>
    page.waitForFunction(
      ([name, states]) => states.includes(document.querySelector(`[data-testid="picture"][data-name="${name}"]`)?.dataset.state),
      [name, states],
    );
  const online = () => page.waitForFunction(() => document.querySelector('[data-testid="badge"]').dataset.state === "online");
  const pings = async (id) => Number(await get(id).textContent());
  const morePings = async (id, more) => {
    const before = await pings(id);
    await page.waitForFunction(
      ([id, n]) => Number(document.querySelector(`[data-testid="${id}"]`).textContent) >= n,
      [id, before + more],
    );
  };
  const set = async (options) => {
    for (const [name, value] of Object.entries({ width: "", height: "", fit: "contain", rotate: "0", format: "same", ...options })) {
      if (name === "width" || name === "height") await get(name).fill(String(value));
      else await get(name).selectOption(value);
    }
  };

  // Draws pictures in the page and drops them, as a hand would.
  const drop = (...files) =>
    page.evaluate(async (files) => {
      const transfer = new DataTransfer();
      for (const { name, width, height, type, text } of files) {
        let data = text;
        if (!text) {
          const canvas = new OffscreenCanvas(width, height);
          const c = canvas.getContext("2d");
          for (let i = 0; i < 400; i++) {
            c.fillStyle = `hsl(${i * 47} 70% 55%)`;
            c.fillRect((i * 97) % width, (i * 61) % height, width / 5, height / 7);
          }
          data = await canvas.convertToBlob({ type });
        }
        transfer.items.add(new File([data], name, { type }));
      }
      for (const type of ["dragenter", "dragover", "drop"]) {
        const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer });
        document.querySelector('[data-testid="drop"]').dispatchEvent(event);
      }
    }, files);

  // Waits for the results, and returns their natural sizes.
  const sizes = async (...names) => {
    const all = {};
    for (const name of names) {
      await state(name, "done");
      all[name] = await card(name)
        .getByTestId("result")
        .evaluate(async (image) => {
          await image.decode();
          return `${image.naturalWidth}x${image.naturalHeight}`;
        });
    }
    return all;
  };

  // Saturates the machine until that many jobs wait on the server, however fast it
  // is.
  const cells = (...states) => page.locator(states.map((s) => `[data-testid="cells"] [data-state="${s}"]`).join(", ")).count();
  const saturate = async (jobs) => {
    for (const began = Date.now(); (await cells("queued")) < jobs; await page.waitForTimeout(50)) {
      assert.ok(Date.now() - began < timeout, `there are never ${jobs} jobs that wait`);
      if ((await cells("waiting", "sending")) === 0) await get("saturate").click();
    }
  };

  await step("the chat leads here", async () => {
    await page.goto(url);
    await online();
    await get("to-images").click();
    await get("choose").waitFor();
    await online();
  });

  await step("the round trip is taken while nothing is done", async () => {
    await morePings("rest-n", 10);
    assert.match(await get("rest-p50").textContent(), /^\d+(\.\d)? ms$/);
    assert.match(await get("trip-now").textContent(), /^\d+(\.\d)? ms$/);
    const drawn = await get("plot").evaluate((canvas) =>
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v !== 0),
    );
    assert.ok(drawn, "the plot is empty");
  });

  await step("dropped pictures become what was asked for", async () => {
    await set({ width: 120 });
    await drop(
      { name: "wide.jpg", width: 800, height: 400, type: "image/jpeg" },
      { name: "tall.png", width: 300, height: 600, type: "image/png" },
      { name: "small.webp", width: 100, height: 80, type: "image/webp" },
    );
    await set({ height: 90, fit: "cover", rotate: "90", format: "png" });
    await drop({ name: "square.jpg", width: 800, height: 400, type: "image/jpeg" });
    await set({ width: 50, height: 70, fit: "fill", format: "gif" });
    await drop({ name: "stretched.jpg", width: 800, height: 400, type: "image/jpeg" });
    assert.deepEqual(await sizes("wide.jpg", "tall.png", "small.webp", "square.jpg", "stretched.jpg"), {
      "wide.jpg": "120x60",
      "tall.png": "120x240",
      "small.webp": "100x80",
      "square.jpg": "90x90",
      "stretched.jpg": "50x70",
    });
    assert.match(await card("wide.jpg").getByTestId("status").textContent(), /^[\d.]+ k?B → [\d.]+ k?B$/);
    assert.match(await card("wide.jpg").getByTestId("took").textContent(), /^queue [\d.]+ s, run [\d.]+ s$/);
  });

  await step("what is no picture says why", async () => {
    await drop({ name: "letter.jpg", text: "Dear Sir or Madam", type: "image/jpeg" });
    await state("letter.jpg", "failed");
    assert.match(await card("letter.jpg").getByTestId("status").textContent(), /^the file is no JPEG, PNG, GIF or WebP/);
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of 415/.test(text)));
    await set({ fit: "cover" });
    await drop({ name: "never.jpg", width: 10, height: 10, type: "image/jpeg" });
    assert.match(await get("options-hint").textContent(), /needs a width or a height/);
    assert.equal(await card("never.jpg").count(), 0);
    await set({ width: 300 });
  });

  await step("the file picker and the samples add pictures", async () => {
    const choosing = page.waitForEvent("filechooser");
    await get("choose").click();
    const chooser = await choosing;
    assert.ok(chooser.isMultiple());
    const pixel = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=";
    await chooser.setFiles([{ name: "pixel.gif", mimeType: "image/gif", buffer: Buffer.from(pixel, "base64") }]);
    assert.deepEqual(await sizes("pixel.gif"), { "pixel.gif": "1x1" });
    await get("sample").click();
    await state("hills.jpg", "done");
    assert.deepEqual(await sizes("hills.jpg", "julia.jpg", "flower.png"), {
      "hills.jpg": "300x225",
      "julia.jpg": "300x200",
      "flower.png": "300x300",
    });
    await shot("images-wide");
  });

  await step("the machine is saturated, and the chat answers", async () => {
    await saturate(50);
    await morePings("work-n", 30);
    assert.match(await get("work-p50").textContent(), /^\d+(\.\d)? ms$/);
  });

  await step("pictures that are added meanwhile overtake, show their place and progress, and are cancelled", async () => {
    await saturate(90);
    const deleted = page.waitForResponse((r) => r.request().method() === "DELETE" && r.status() === 204);
    const cancelled = page.evaluate(
      (limit) =>
        new Promise((done, fail) => {
          let cancelled = ""; // the first that shows its place
          let percent = false;
          const look = () => {
            for (const card of document.querySelectorAll('[data-testid="picture"]')) {
              const text = card.querySelector('[data-testid="status"]').textContent;
              if (!cancelled && card.dataset.state === "queued" && /^number \d+ in the queue$/.test(text)) {
                cancelled = card.dataset.name;
                card.querySelector('[data-testid="cancel"]').click();
              }
              const bar = card.querySelector("progress");
              if (card.dataset.state === "running" && bar.value > 0 && bar.value < 100) percent = true;
            }
            if (cancelled && percent) done(cancelled);
          };
          new MutationObserver(look).observe(document.querySelector('[data-testid="pictures"]'), {
            subtree: true, childList: true, characterData: true, attributes: true,
          });
          setTimeout(() => fail(new Error(`cancelled: ${cancelled}, progress seen: ${percent}`)), limit);
        }),
      timeout,
    );
    cancelled.catch(() => {}); // reported below
    await set({ width: 700, format: "png" });
    const names = Array.from({ length: 12 }, (_, i) => `late-${i}.jpg`);
    await drop(...names.map((name) => ({ name, width: 3000, height: 2000, type: "image/jpeg" })));
    const gone = await cancelled;
    await state(gone, "cancelled");
    await deleted;
    const rest = names.filter((name) => name !== gone);
    assert.deepEqual(await sizes(...rest), Object.fromEntries(rest.map((name) => [name, "700x467"])));
    assert.ok((await cells("queued", "waiting")) > 0, "the pictures have waited for all that was there before them");
    await shot("images-saturated");
  });

  await step("a server that is full is asked again when it says", async () => {
    await saturate(100);
    await get("saturate").click();
    await page.waitForFunction(() => /busy: .*Trying again in \d+ s\./.test(document.querySelector('[data-testid="busy"]').textContent));
    await shot("images-busy");
    assert.equal(await cells("failed"), 0);
    await morePings("work-n", 10);
    await get("stop").click();
    await page.waitForFunction(() =>
      [...document.querySelectorAll('[data-testid="cells"] span')].every((e) => e.dataset.state === "done" || e.dataset.state === "cancelled"),
    );
    assert.ok(await get("stop").isDisabled());
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !/status of (503|429)/.test(text)));
    await page.waitForFunction(() => document.querySelector('[data-testid="busy"]').hidden);
  });

  await step("the server is restarted, and gets what it has not done", async () => {
    outage = true;
    await set({ width: 333 });
    await saturate(50);
    console.log("restart");
    assert.equal((await answers.next()).value, "restarted");
    const lost = await page.evaluate(() =>
      [...document.querySelectorAll('[data-testid="cells"] span')].findIndex((e) => e.dataset.state === "queued"),
    );
    assert.ok(lost >= 0, "nothing was lost by the restart");
    await online();
    await drop({ name: "after.jpg", width: 666, height: 400, type: "image/jpeg" });
    assert.deepEqual(await sizes("after.jpg"), { "after.jpg": "333x200" });
    await page.waitForFunction((i) => document.querySelectorAll('[data-testid="cells"] span')[i].dataset.state === "done", lost);
    await get("stop").click();
    await morePings("rest-n", 5);
    outage = false;
  });

  await step("what is over is cleared", async () => {
    await get("clear").click();
    await page.waitForFunction(() => document.querySelectorAll('[data-testid="picture"]').length === 0);
    assert.ok(await get("choose").evaluate((e) => e === document.activeElement));
  });

  await step("it fits a phone", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await get("sample").click();
    await state("hills.jpg", "done");
    await sizes("hills.jpg");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 390, `the page is ${wide} px wide`);
    await shot("images-phone");
  });

  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
process.exit(0);
