// A video of more than 50 MiB that a page plays, and in which it seeks far beyond what
// it has loaded. Run by TestBrowserVideo in cmd/gale, on gale run and a folder with
// video.html and video.mp4.
//
//   node video.mjs <path of chromium> <url of the folder>

import assert from "node:assert/strict";
import process from "node:process";
import { launch } from "./launch.mjs";

const [executablePath, url] = process.argv.slice(2);
const browser = await launch(executablePath);
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const answers = [];
  page.on("response", (r) => r.url().endsWith(".mp4") && answers.push({ status: r.status(), ...r.headers() }));

  await page.goto(`${url}/video.html`);
  const plays = (from) =>
    page.waitForFunction((from) => document.querySelector("video").currentTime > from + 0.5, from);
  const { duration } = await page.evaluate(async () => {
    const video = document.querySelector("video");
    video.muted = true;
    await video.play();
    return { duration: video.duration };
  });
  await plays(0);
  assert.ok(duration > 60, `the video lasts ${duration} s`);
  console.error("ok: the video plays");

  // The last minute, then back: each needs a part that the page does not have.
  for (const part of [0.9, 0.5]) {
    const before = answers.length;
    await page.evaluate((to) => (document.querySelector("video").currentTime = to), duration * part);
    await plays(duration * part);
    assert.ok(answers.length > before, "seeking asked for nothing");
  }
  console.error("ok: seeking, forth and back");

  const size = Number(answers[0]["content-range"].split("/")[1]);
  assert.ok(size > 50 << 20, `the video has ${size} bytes`);
  for (const a of answers) {
    assert.equal(a.status, 206);
    assert.equal(a["content-type"], "video/mp4");
    assert.match(a["content-range"], new RegExp(`^bytes \\d+-\\d+/${size}$`));
  }
  assert.ok(answers.some((a) => Number(a["content-range"].match(/\d+/)[0]) > size * 0.6), "no range begins far inside");
  console.error(`ok: ${answers.length} ranges of ${size} bytes`);
} finally {
  await browser.close();
}
process.exit(0);
