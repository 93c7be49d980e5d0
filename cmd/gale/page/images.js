// Puts the page of images together: the jobs, the round trips, and what shows
// them.

import { Card, cell, tally } from "./cards.js";
import { Jobs, Task } from "./jobs.js";
import { RoundTrips, milliseconds } from "./plot.js";

const $ = (id) => document.getElementById(id);
const loadJobs = 100; // a press of the button
const maxLoadJobs = 500; // under way
const plotInterval = 100; // ms
const figuresInterval = 500; // ms
const spokenInterval = 1000; // ms, between changes of what a screen reader says
const busyShown = 3000; // ms, after the last refusal

const jobs = new Jobs("images/jobs");
const trips = new RoundTrips();
const pictures = new Map(); // task: Card, in the order in which they came
const load = new Map(); // task: its cell
const changed = new Set(); // tasks to be shown anew

// Adding pictures.

// options returns the parameters for the pictures that are added, or null if they
// make no sense, and says so.
function options() {
  const form = $("options");
  const query = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  let hint = "";
  if (!form.checkValidity()) hint = "Width and height are numbers from 1 to 4096, or empty.";
  if (query.fit !== "contain") {
    query.width ??= query.height; // a square
    query.height ??= query.width;
    if (!query.width) hint = "This fit needs a width or a height.";
  }
  $("options-hint").textContent = hint;
  return hint ? null : query;
}

$("options").addEventListener("input", options);
$("options").addEventListener("submit", (event) => event.preventDefault());

function add(files) {
  const query = options();
  if (!query) {
    $("options").scrollIntoView({ block: "nearest" });
    return;
  }
  for (const file of files) {
    const task = new Task({ name: file.name, data: file, query, lane: "pictures" });
    const card = new Card(task, (task) => jobs.cancel(task));
    pictures.set(task, card);
    $("pictures").prepend(card.item);
    jobs.add(task);
  }
}

$("choose").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => {
  add($("files").files);
  $("files").value = ""; // so that the same one can be chosen again
});

// The whole page takes drops; a browser would leave it to show the picture.
let dragDepth = 0;
const dragsFiles = (event) => event.dataTransfer?.types.includes("Files");
const showDrag = () => $("drop").classList.toggle("over", dragDepth > 0);
addEventListener("dragenter", (event) => {
  if (!dragsFiles(event)) return;
  dragDepth++;
  showDrag();
});
addEventListener("dragleave", (event) => {
  if (!dragsFiles(event)) return;
  dragDepth--;
  showDrag();
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  dragDepth = 0;
  showDrag();
  add(event.dataTransfer.files);
});

// Samples.

const sampleFiles = new Map(); // name: File, once it was asked for

async function sampleNames() {
  const response = await fetch("images/samples");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}

async function sampleFile(name) {
  if (!sampleFiles.has(name)) {
    const response = await fetch(`images/samples/${name}`);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    sampleFiles.set(name, new File([await response.blob()], name));
  }
  return sampleFiles.get(name);
}

// Runs what a button does that takes its time; the button says so.
async function patiently(button, run) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await run();
  } catch (error) {
    showBusy({ until: Date.now(), text: `The samples did not come: ${error.message}.`, waits: () => true });
  }
  button.removeAttribute("aria-busy");
  button.disabled = false;
}

$("sample").addEventListener("click", () =>
  patiently($("sample"), async () => add(await Promise.all((await sampleNames()).map(sampleFile)))),
);

// Saturating.

let loadBegan = 0; // ms, as performance.now

$("saturate").addEventListener("click", () =>
  patiently($("saturate"), async () => {
    const file = await sampleFile((await sampleNames())[0]);
    const underWay = [...load.keys()].filter((task) => !task.over);
    if (underWay.length === 0) {
      load.clear();
      $("cells").replaceChildren();
      loadBegan = performance.now();
    }
    const count = Math.min(loadJobs, maxLoadJobs - underWay.length);
    for (let i = 0; i < count; i++) {
      const task = new Task({ name: file.name, data: file, query: { saturate: "1", width: "1600", format: "png" }, lane: "load" });
      load.set(task, cell());
      $("cells").append(load.get(task));
      jobs.add(task);
    }
    $("cells").hidden = false;
    showLoad();
  }),
);

$("stop").addEventListener("click", () => {
  for (const task of load.keys()) jobs.cancel(task);
});

function showLoad() {
  const tasks = [...load.keys()];
  const done = tasks.filter((task) => task.state === "done");
  const under = tasks.some((task) => !task.over);
  $("stop").disabled = !under;
  const until = under ? performance.now() : Math.max(loadBegan, ...tasks.map((task) => task.endedAt));
  const rate = done.length / Math.max(0.1, (until - loadBegan) / 1000);
  $("load-rate").textContent = done.length ? `${rate.toFixed(1)} jobs/s` : "";
}

// Changes come in bursts; they are shown once per frame.

const redraw = () => {
  for (const task of changed) {
    pictures.get(task)?.show();
    if (load.has(task)) load.get(task).dataset.state = task.state;
  }
  changed.clear();
  showLoad();
  const all = [...pictures.keys()];
  $("empty").hidden = all.length > 0;
  $("cancel-all").hidden = !all.some((task) => !task.over);
  $("clear").hidden = !all.some((task) => task.over);
};

jobs.addEventListener("change", ({ detail: task }) => {
  if (changed.size === 0) requestAnimationFrame(redraw);
  changed.add(task);
});

// What a screen reader says does not change with every frame.
setInterval(() => {
  const say = (id, text) => {
    if ($(id).textContent !== text) $(id).textContent = text;
  };
  say("count", tally(pictures.keys()));
  say("tally", tally(load.keys()));
}, spokenInterval);

$("cancel-all").addEventListener("click", () => {
  for (const task of pictures.keys()) jobs.cancel(task);
});

$("clear").addEventListener("click", () => {
  for (const [task, card] of pictures) {
    if (!task.over) continue;
    jobs.drop(task);
    card.item.remove();
    pictures.delete(task);
  }
  redraw();
  $("choose").focus();
});

// A server that is busy says when to come back; the page does, and tells.

let busyTimer = 0;
function showBusy(said) {
  const { until, text, waits } = said;
  clearTimeout(busyTimer);
  const left = Math.ceil((until - Date.now()) / 1000);
  if (Date.now() > until + busyShown || !waits()) {
    $("busy").hidden = true;
    return;
  }
  const again = left > 0 ? ` Trying again in ${left} s.` : "";
  if ($("busy").textContent !== text + again) $("busy").textContent = text + again;
  $("busy").hidden = false;
  busyTimer = setTimeout(() => showBusy(said), 250);
}
jobs.addEventListener("busy", ({ detail }) => showBusy(detail));

// The connections.

const states = { chat: "connecting", jobs: "connecting" };
function showState() {
  const state = states.chat === "online" ? states.jobs : states.chat;
  if ($("badge").dataset.state === state) return;
  $("badge").dataset.state = state;
  $("badge-text").textContent = state === "waiting" ? "reconnecting" : state;
  $("spoken").textContent = state === "waiting" ? "Connection lost, reconnecting" : state;
}
jobs.addEventListener("state", () => {
  states.jobs = jobs.state;
  showState();
});

// The round trip.

const working = () => [...pictures.keys(), ...load.keys()].some((task) => task.on);

const timekeeper = new Worker("roundtrip.js", { type: "module" });
timekeeper.onmessage = ({ data }) => {
  if (data.state) {
    states.chat = data.state;
    showState();
    return;
  }
  trips.add(data.at, data.ms, working());
  $("trip-now").textContent = milliseconds(data.ms);
};

function showFigures() {
  for (const [row, work] of [["rest", false], ["work", true]]) {
    const f = trips.figures(work);
    for (const name of ["p50", "p99", "max"]) $(`${row}-${name}`).textContent = f ? milliseconds(f[name]) : "–";
    $(`${row}-n`).textContent = f ? f.n : "0";
  }
}

const seen = (show) => () => document.visibilityState === "visible" && show();
setInterval(seen(() => trips.draw($("plot"), Date.now())), plotInterval);
setInterval(seen(showFigures), figuresInterval);

jobs.listen();
