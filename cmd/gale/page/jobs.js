// The jobs of this page as data: what waits to be sent, what the server has, and
// how it goes. It knows the protocol of handlers/jobs and nothing of the page.

import { randomToken } from "./random.js";

const sendsAtOnce = 2; // of each lane: a browser has six connections to a server
const unreachableWait = 2; // s, until a server that does not answer is tried again
const dropsForgiven = 10; // times that the server may drop a job which is then sent again
const maxEarly = 100; // states of jobs whose answer has not come yet
const tellTime = 500; // ms, for the server to tell of the jobs it knows
const maxDelay = 3000; // ms between tries to listen

// Task is one picture on its way. A task is "waiting" in the page, "sending", then
// "queued" and "running" on the server, and at last "done", "failed" or
// "cancelled".
export class Task {
  constructor({ name, data, query, lane }) {
    Object.assign(this, { name, data, query, lane });
    this.bytesBefore = data.size;
    this.state = "waiting";
    this.why = ""; // it failed, or is tried again
    this.id = "";
    this.drops = 0;
    this.fresh();
  }

  fresh() {
    this.version = this.position = this.percent = this.bytes = 0;
    this.location = this.result = "";
    this.queuedAt = this.ranAt = this.endedAt = 0; // ms, as performance.now
  }

  get over() {
    return this.state === "done" || this.state === "failed" || this.state === "cancelled";
  }

  // on reports whether the server has it.
  get on() {
    return this.state === "queued" || this.state === "running";
  }
}

// reason is what a problem of the server says to people; some begin with who says it.
const reason = (problem) => problem?.detail?.replace(/^[a-z]+: /, "");

// Lane is what waits in the page for its turn, in order. While it is held the
// server has said that there is no room, and when to ask again.
class Lane {
  waiting = [];
  sending = 0;
  heldUntil = 0; // ms, as Date.now
  timer = 0;
}

// Events: "change" (detail: task), "busy" (detail: {until, text, waits}: what the
// server said, and whether anything waits for it), "state" (of the connection that
// listens: this.state).
export class Jobs extends EventTarget {
  #base;
  #page = randomToken(16); // a secret: whoever knows it sees this page's jobs
  #lanes = new Map();
  #known = new Map(); // id: task
  #early = new Map(); // id: state that came before the answer with the id
  #told = new Set(); // ids of which the connection has told
  #failures = 0;

  constructor(base) {
    super();
    this.#base = base;
    this.state = "connecting";
  }

  add(task) {
    this.#lane(task).waiting.push(task);
    this.#changed(task);
    this.#pump(task.lane);
  }

  cancel(task) {
    if (task.over) return;
    const lane = this.#lane(task);
    if (task.state === "waiting") lane.waiting.splice(lane.waiting.indexOf(task), 1);
    if (task.on) {
      this.#delete(task);
      lane.heldUntil = 0; // that makes room: the next is sent when there is one
    }
    this.#end(task, "cancelled"); // one that is being sent is deleted once it has an id
  }

  // Forgets a task that is over, and has the server forget the result if it is
  // the one that made it.
  drop(task) {
    if (task.state === "done" && this.#told.has(task.id)) this.#delete(task);
    this.#known.delete(task.id);
  }

  // Sending.

  #lane(task) {
    if (!this.#lanes.has(task.lane)) this.#lanes.set(task.lane, new Lane());
    return this.#lanes.get(task.lane);
  }

  #pump(name) {
    const lane = this.#lanes.get(name);
    while (lane.sending < sendsAtOnce && lane.waiting.length > 0 && Date.now() >= lane.heldUntil) {
      this.#send(lane, lane.waiting.shift());
    }
  }

  async #send(lane, task) {
    lane.sending++;
    task.state = "sending";
    this.#changed(task);
    try {
      const query = new URLSearchParams(task.query);
      query.set("page", this.#page);
      const response = await fetch(`${this.#base}?${query}`, { method: "POST", body: task.data });
      const answer = await response.json().catch(() => ({}));
      this.#answered(lane, task, response, answer);
    } catch {
      this.#again(lane, task, unreachableWait, "The server cannot be reached.");
    }
    lane.sending--;
    this.#pump(task.lane);
  }

  #answered(lane, task, response, answer) {
    if (response.status === 202) {
      task.id = answer.id;
      if (task.state === "cancelled") {
        task.location = answer.location;
        this.#delete(task);
        return;
      }
      task.why = "";
      task.queuedAt = performance.now();
      this.#known.set(task.id, task);
      this.#apply(task, answer);
      const early = this.#early.get(task.id);
      this.#early.delete(task.id);
      if (early) this.#apply(task, early);
    } else if (response.status === 503 || response.status === 429) {
      const seconds = Number(response.headers.get("retry-after")) || 1;
      this.#again(lane, task, seconds, `The server is busy: ${reason(answer) ?? "there is no room"}.`);
    } else {
      this.#end(task, "failed", reason(answer) ?? `the server answered ${response.status}`);
    }
  }

  // Puts a task back to the front, and waits as long as the server asks for.
  #again(lane, task, seconds, text) {
    const until = Date.now() + seconds * 1000;
    if (until > lane.heldUntil) {
      lane.heldUntil = until;
      clearTimeout(lane.timer);
      lane.timer = setTimeout(() => this.#pump(task.lane), seconds * 1000 + 10);
    }
    if (task.over) return;
    this.#known.delete(task.id);
    task.fresh();
    task.id = "";
    task.state = "waiting";
    task.why = text;
    lane.waiting.unshift(task);
    this.#changed(task);
    this.dispatchEvent(new CustomEvent("busy", { detail: { until: lane.heldUntil, text, waits: () => lane.waiting.length > 0 } }));
  }

  #delete(task) {
    fetch(task.location, { method: "DELETE" }).catch(() => {}); // it ends by itself, later
  }

  // Listening.

  listen() {
    const url = new URL(`${this.#base}/events?page=${this.#page}`, location.href);
    const socket = new WebSocket(url.href.replace(/^http/, "ws"));
    socket.onopen = () => {
      this.#failures = 0;
      this.#told.clear();
      this.#setState("online");
      this.#ask();
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.type === "job") this.#hear(message);
    };
    socket.onclose = () => {
      this.#setState("waiting");
      setTimeout(() => this.listen(), Math.random() * Math.min(maxDelay, 200 * 2 ** this.#failures++));
    };
  }

  // Looks for the jobs that were under way, once the server has told of those it
  // knows. Where one is not known the server was started anew, and whatever it has
  // not told of is sent again.
  async #ask() {
    const lost = () => [...this.#known.values()].filter((task) => task.on && !this.#told.has(task.id));
    await new Promise((done) => setTimeout(done, tellTime));
    for (const task of lost()) {
      const { id } = task;
      try {
        const response = await fetch(task.location);
        if (response.status === 404) {
          if (task.id !== id || !task.on) continue;
          for (const task of lost().reverse()) this.#again(this.#lane(task), task, 0, "The server was restarted.");
          return;
        }
        this.#apply(task, await response.json());
      } catch {
        return; // the connection breaks, too, and it is asked when it is back
      }
    }
  }

  #hear(status) {
    this.#told.add(status.id);
    const task = this.#known.get(status.id);
    if (task) {
      this.#apply(task, status);
      return;
    }
    this.#early.set(status.id, status);
    if (this.#early.size > maxEarly) this.#early.delete(this.#early.keys().next().value);
  }

  // States may come twice, and out of order: by the answer and by the WebSocket.
  #apply(task, status) {
    if (task.over || status.id !== task.id || status.version < task.version) return;
    task.version = status.version;
    task.position = status.position ?? 0;
    task.percent = status.percent;
    task.location = status.location;
    if (status.state !== "queued" && !task.ranAt) task.ranAt = performance.now();
    if (status.state === "failed" && status.error.retry_after && task.drops++ < dropsForgiven) {
      this.#again(this.#lane(task), task, status.error.retry_after, `The server is busy: ${reason(status.error)}.`);
      return;
    }
    if (status.state === "queued" || status.state === "running") {
      task.state = status.state;
      this.#changed(task);
      return;
    }
    task.result = status.result ?? "";
    task.bytes = status.bytes ?? 0;
    this.#end(task, status.state, reason(status.error));
  }

  #end(task, state, why = "") {
    task.state = state;
    task.why = why;
    task.endedAt = performance.now();
    task.data = null;
    if (state !== "done") this.#known.delete(task.id);
    this.#changed(task);
  }

  #changed(task) {
    this.dispatchEvent(new CustomEvent("change", { detail: task }));
  }

  #setState(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
