// The state of the connection: a badge, a countdown, and the round trip with its
// recent course.

const $ = (id) => document.getElementById(id);
const samples = 24;
const names = { websocket: "WebSocket", sse: "SSE", poll: "long-poll" };

export class Status {
  unplugged = ""; // what the badge says while the plug is out
  #chat;
  #rtts = [];
  #tick = 0;

  constructor(chat) {
    this.#chat = chat;
    chat.addEventListener("state", () => this.show());
    chat.addEventListener("rtt", (event) => this.#add(event.detail));
    $("retry").addEventListener("click", () => chat.reconnect());
  }

  show() {
    const { hub } = this.#chat;
    clearTimeout(this.#tick);
    let state = hub?.state ?? "unplugged";
    let text = state;
    if (state === "online") text = names[hub.transport];
    else if (state === "unplugged") text = this.unplugged;
    else if (state === "waiting") {
      if (!navigator.onLine) text = state = "offline";
      else text = `reconnecting in ${Math.max(0, Math.ceil((hub.retryAt - Date.now()) / 1000))} s`;
      this.#tick = setTimeout(() => this.show(), 250);
    }
    if ($("badge-text").textContent !== text) $("badge-text").textContent = text;
    if ($("badge").dataset.state !== state || state === "online") this.#say(state, text);
    $("badge").dataset.state = state;
    $("retry").hidden = state !== "waiting" && state !== "offline" && state !== "failed";
    $("rtt-box").hidden = state !== "online" || this.#rtts.length === 0;
  }

  #say(state, text) {
    const said = { online: `Connected over ${text}`, waiting: "Connection lost, reconnecting", unplugged: "The plug is out" }[state] ?? state;
    if ($("spoken").textContent !== said) $("spoken").textContent = said;
  }

  #add(milliseconds) {
    this.#rtts.push(milliseconds);
    if (this.#rtts.length > samples) this.#rtts.shift();
    $("rtt").textContent = milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
    $("rtt-box").title = `From sending a message to getting it: ${$("rtt").textContent}`;
    if (this.#rtts.length > 3) this.#draw();
    this.show();
  }

  #draw() {
    const top = Math.max(...this.#rtts);
    const first = samples - this.#rtts.length; // the newest is at the right end
    const points = this.#rtts.map((v, i) => `${(((first + i) * 60) / (samples - 1)).toFixed(1)},${(19 - (v / top) * 17).toFixed(1)}`);
    $("spark").firstElementChild.setAttribute("points", points.join(" "));
  }
}
