// The page of streams: text comes token by token, and goes on where it was cut
// off.

import { events } from "./events.js";

const $ = (id) => document.getElementById(id);
const comeBack = 400; // ms after a connection was lost
const look = 300; // ms between two questions for the server's figures
const shown = 3_000; // characters of the text, or up to twice as many
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// One text, over as many connections as it takes.
class Telling {
  read = 0;
  connections = 0;
  state = "running"; // or "finished", "stopped", "refused"
  #last = ""; // ID of the last event
  #control = null;
  #paused = null; // while nothing is read: what ends it
  #address;

  constructor(run, pace, paragraphs) {
    this.run = run;
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    this.#address = `stream/text?${new URLSearchParams({ run, seed, pace, paragraphs })}`;
  }

  async tell(show) {
    while (this.state === "running") {
      this.#control = new AbortController();
      try {
        await this.#once(show);
      } catch {
        // The line was cut, by whomever.
      }
      if (this.state === "running") await wait(comeBack);
    }
  }

  async #once(show) {
    const headers = this.#last ? { "last-event-id": this.#last } : {};
    const answer = await fetch(this.#address, { headers, cache: "no-store", signal: this.#control.signal });
    if (answer.status !== 200) {
      this.state = answer.status === 204 ? "finished" : "refused";
      return;
    }
    this.connections++;
    for await (const { id, type, data } of events(answer)) {
      if (this.state !== "running") return;
      if (type === "end") {
        this.state = "finished";
        return;
      }
      if (this.#control.signal.aborted) return;
      this.#last = id;
      this.read++;
      show(data);
      if (this.#paused) await this.#paused.promise;
    }
  }

  get paused() {
    return this.#paused !== null;
  }

  pause() {
    this.#paused = Promise.withResolvers();
  }

  goOn() {
    this.#paused?.resolve();
    this.#paused = null;
  }

  // The connection is dropped, and another will come.
  cut() {
    this.goOn();
    this.#control.abort();
  }

  stop() {
    if (this.state === "running") this.state = "stopped";
    this.cut();
  }
}

// The text, of which the end stays in sight. What comes in a moment goes in
// together.
class Sheet {
  #text = document.createTextNode("");
  #waiting = "";

  constructor() {
    $("sheet").append(this.#text);
  }

  clear() {
    this.#waiting = "";
    this.#text.data = "";
  }

  add(token) {
    if (!this.#waiting) setTimeout(() => this.#show(), 30);
    this.#waiting += token;
  }

  #show() {
    const sheet = $("sheet");
    const following = sheet.scrollTop + sheet.clientHeight >= sheet.scrollHeight - 40;
    this.#text.appendData(this.#waiting);
    this.#waiting = "";
    if (this.#text.length > shown * 2) this.#text.deleteData(0, this.#text.length - shown);
    if (following) sheet.scrollTop = sheet.scrollHeight;
  }
}

const sheet = new Sheet();
let telling = null;

// Whether the server's figures are final; it may not know the text yet.
const told = (f) => f.state !== "" && f.state !== "running";

// What was on the way when the connection was lost is made anew.
const again = (f) => (f.made > telling.read ? `; ${(f.made - telling.read).toLocaleString("en")} tokens were lost on the way and made anew` : "");

// What the server says of a text that the page has stopped.
const ends = {
  gone: (f) => `Stopped: the server has noticed, after ${f.made.toLocaleString("en")} tokens.`,
  finished: () => "Stopped: the server was faster, and had told everything.",
};

const verdicts = {
  refused: () => "The server does not know how to tell this.",
  finished: (f) =>
    told(f) ? `Finished: the page has read the whole text${again(f)}.` : "The page has read the whole text; the server is about to notice.",
  stopped: (f) => ends[f.state]?.(f) ?? "Stopping: the server has not noticed yet.",
};

function verdict(figures, before) {
  if (telling.state !== "running") return verdicts[telling.state](figures);
  if (telling.paused) {
    return before && figures.made === before.made
      ? `Held up: ${(figures.made - telling.read).toLocaleString("en")} tokens are on the way, and the server waits.`
      : "This page does not read, and the server fills what lies between.";
  }
  return figures.state === "running" ? "The server writes." : "The connection is lost, and the page comes back.";
}

function show() {
  const { state, paused } = telling;
  const live = state === "running";
  $("badge").dataset.state = live && !paused ? "online" : "idle";
  const text = live ? (paused ? "not reading" : "reading") : state;
  if ($("badge-text").textContent !== text) $("badge-text").textContent = text;
  for (const id of ["stop", "pause", "plug"]) $(id).disabled = !live;
  $("pause").textContent = paused ? "Go on reading" : "Stop reading";
  $("sheet").dataset.live = live;
  $("read").textContent = telling.read.toLocaleString("en");
  $("connections").textContent = telling.connections;
}

// Asks for the server's side until it has nothing more to say.
async function follow(one) {
  for (let before = null; one === telling; await wait(look)) {
    let figures = null;
    try {
      const answer = await fetch(`stream/figures?run=${encodeURIComponent(one.run)}`, { cache: "no-store" });
      if (answer.ok) figures = await answer.json();
    } catch {
      // The server is away; the text waits for it as well.
    }
    if (one !== telling) return;
    show();
    if (one.state === "refused") figures ??= { made: 0, state: "" };
    if (!figures) continue;
    $("made").textContent = figures.made.toLocaleString("en");
    const text = verdict(figures, before);
    if ($("verdict").textContent !== text) $("verdict").textContent = text;
    if (one.state === "refused" || (one.state !== "running" && told(figures))) return;
    before = figures;
  }
}

$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  telling?.stop();
  sheet.clear();
  const run = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  const one = (telling = new Telling(run, $("pace").value, $("paragraphs").value));
  $("made").textContent = 0;
  $("verdict").textContent = "The server is asked.";
  show();
  one.tell((token) => one === telling && sheet.add(token)).then(() => one === telling && show());
  follow(one);
});
$("stop").addEventListener("click", () => {
  telling.stop();
  show();
});
$("pause").addEventListener("click", () => {
  if (telling.paused) telling.goOn();
  else telling.pause();
  show();
});
$("plug").addEventListener("click", () => {
  telling.cut();
  show();
});
addEventListener("pagehide", () => telling?.stop());
