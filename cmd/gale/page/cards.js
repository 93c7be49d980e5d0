// Shows tasks: a card for each picture, a cell for each job that only saturates.

import { element } from "./render.js";

const words = { waiting: "waits to be sent", sending: "being sent", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 9950 ? 1 : 0)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

const seconds = (ms) => (ms < 9950 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)) + " s";

function says(task) {
  switch (task.state) {
    case "queued":
      return task.position ? `number ${task.position} in the queue` : "in the queue";
    case "running":
      return `${task.percent} %`;
    case "done":
      return `${bytes(task.bytesBefore)} → ${bytes(task.bytes)}`;
    case "failed":
      return task.why;
    default:
      return words[task.state];
  }
}

// Card is a task on the page.
export class Card {
  #task;
  #status = element("p", { class: "picture-status", "data-testid": "status" });
  #bar = element("progress", { max: "100", value: "0" });
  #thumb = element("div", { class: "thumb" });
  #button;

  constructor(task, cancel) {
    this.#task = task;
    this.#bar.setAttribute("aria-label", `Progress of ${task.name}`);
    this.#button = element(
      "button",
      { type: "button", class: "icon-button cancel", "aria-label": `Cancel ${task.name}`, title: "Cancel", "data-testid": "cancel" },
      icon("M6 6l12 12M18 6L6 18"),
    );
    this.#button.addEventListener("click", () => cancel(task));
    this.item = element(
      "li",
      { class: "picture", "data-testid": "picture", "data-name": task.name },
      this.#thumb,
      this.#button,
      element(
        "div",
        { class: "picture-body" },
        element("p", { class: "picture-name", title: task.name }, task.name),
        this.#status,
        this.#bar,
      ),
    );
    this.show();
  }

  show() {
    const task = this.#task;
    const text = says(task);
    if (this.#status.textContent !== text) this.#status.textContent = text;
    this.#bar.value = task.state === "done" ? 100 : task.percent;
    if (this.item.dataset.state === task.state) return;
    this.item.dataset.state = task.state;
    this.#button.hidden = this.#bar.hidden = task.over;
    if (task.state === "done") this.#showResult();
  }

  #showResult() {
    const task = this.#task;
    const image = element("img", { src: task.result, alt: `The result of ${task.name}`, "data-testid": "result" });
    const size = element("p", { class: "picture-size", "data-testid": "size" }, "…");
    image.addEventListener("load", () => {
      size.textContent = `${image.naturalWidth} × ${image.naturalHeight}`;
    });
    image.addEventListener("error", () => {
      size.textContent = "the result is not kept any more";
    });
    const took = `queue ${seconds(task.ranAt - task.queuedAt)}, run ${seconds(task.endedAt - task.ranAt)}`;
    this.#thumb.replaceChildren(element("a", { href: task.result, target: "_blank", rel: "noopener" }, image));
    this.#status.after(size, element("p", { class: "picture-size", "data-testid": "took" }, took));
  }
}

// cell is a task that nobody wants the result of.
export const cell = () => element("span", { "data-state": "waiting" });

export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

// tally says how many tasks are where, in words.
export function tally(tasks) {
  const counts = new Map();
  for (const { state } of tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
  const waits = ["waiting", "sending", "queued"].reduce((sum, state) => sum + (counts.get(state) ?? 0), 0);
  const parts = [waits && `${waits} waiting`];
  for (const state of ["running", "done", "failed", "cancelled"]) parts.push(counts.has(state) && `${counts.get(state)} ${words[state]}`);
  return parts.filter(Boolean).join(", ");
}
