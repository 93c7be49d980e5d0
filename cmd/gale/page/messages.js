// The list of messages of the room that is shown, and where it is scrolled to.

import { dayName, dayOf, element, lineItem, messageItem } from "./render.js";

const groupGap = 5 * 60_000; // ms; later messages of one author begin a new group
const nearEnd = 80; // px; closer to the end than this means: follow

export class Messages {
  #scroll = document.getElementById("scroll");
  #list = document.getElementById("messages");
  #jump = document.getElementById("jump");
  #last = null; // the entry shown last
  #pendingItems = [];
  #atEnd = true;

  constructor() {
    this.#scroll.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
      this.#atEnd = scrollHeight - scrollTop - clientHeight < nearEnd;
      if (this.#atEnd) this.#jump.hidden = true;
    });
    this.#jump.addEventListener("click", () => this.toEnd());
    // The list keeps its end in sight when a keyboard or a long draft takes room.
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.#scroll);
  }

  // Shows a room from scratch. Screen readers hear what comes, not what was.
  show(room, pending) {
    this.#list.setAttribute("aria-live", "off");
    this.#list.replaceChildren();
    this.#last = null;
    this.#pendingItems = [];
    for (const entry of room.entries) this.#add(entry);
    this.showPending(pending);
    this.toEnd();
    requestAnimationFrame(() => this.#list.setAttribute("aria-live", "polite"));
  }

  add(entry) {
    this.#clearPending();
    this.#add(entry);
    if (this.#list.children.length > 600) this.#list.firstChild.remove();
    if (this.#atEnd || entry.mine) this.toEnd();
    else if (entry.kind === "message") this.#jump.hidden = false;
  }

  // Shows what is not confirmed, after everything else.
  showPending(pending) {
    this.#clearPending();
    this.#pendingItems = pending.map((message, i) => {
      const why = message.state === "failed" ? message.why : message.state === "queued" ? "waits to be sent" : "";
      return messageItem(
        { ...message, from: "", name: "" },
        { mine: true, first: i === 0 && !this.#last?.mine, pending: message.state, why },
      );
    });
    this.#list.append(...this.#pendingItems);
    this.#showEmpty();
    if (this.#atEnd) this.toEnd();
  }

  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#atEnd = true;
    this.#jump.hidden = true;
  }

  #add(entry) {
    const before = this.#last;
    if (entry.kind === "message" && (!before || dayOf(before.time) !== dayOf(entry.time))) {
      this.#list.append(lineItem(dayName(entry.time), "day"));
    }
    if (entry.kind === "message") {
      const follows =
        before?.kind === "message" && before.from === entry.from && before.name === entry.name &&
        entry.time - before.time < groupGap && dayOf(before.time) === dayOf(entry.time);
      this.#list.append(messageItem(entry, { mine: entry.mine, first: !follows }));
    } else {
      this.#list.append(lineItem(entry.text, entry.kind));
    }
    this.#last = entry;
  }

  #clearPending() {
    for (const item of this.#pendingItems) item.remove();
    this.#pendingItems = [];
    this.#list.querySelector(".empty")?.remove();
  }

  #showEmpty() {
    if (this.#list.children.length) return;
    this.#list.append(
      element("li", { class: "empty" }, element("strong", {}, "Nothing has been said here yet"), "Write the first message."),
    );
  }
}
