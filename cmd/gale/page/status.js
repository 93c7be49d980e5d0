// The state of the connection: a badge, a countdown, and the round trip with its
// recent course.

const $ = (id) => document.getElementById(id);
const samples = 24;

export class Status {
  #connection;
  #rtts = [];
  #tick = 0;

  constructor(connection) {
    this.#connection = connection;
    connection.addEventListener("state", () => this.#show());
    connection.addEventListener("rtt", (event) => this.#add(event.detail));
    $("retry").addEventListener("click", () => connection.retry());
  }

  #show() {
    const { state, retryAt } = this.#connection;
    clearTimeout(this.#tick);
    const waits = state === "waiting" || state === "offline";
    let text = state;
    if (waits) {
      const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
      text = state === "offline" ? "offline" : `reconnecting in ${seconds} s`;
      this.#tick = setTimeout(() => this.#show(), 250);
    }
    if ($("badge-text").textContent !== text) $("badge-text").textContent = text;
    if ($("badge").dataset.state !== state) $("spoken").textContent = waits ? "Connection lost, reconnecting" : state;
    $("badge").dataset.state = state;
    $("retry").hidden = !waits;
    $("rtt-box").hidden = state !== "online" || this.#rtts.length === 0;
  }

  #add(milliseconds) {
    this.#rtts.push(milliseconds);
    if (this.#rtts.length > samples) this.#rtts.shift();
    $("rtt").textContent = milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
    $("rtt-box").title = `Round trip to the server: ${$("rtt").textContent}`;
    if (this.#rtts.length > 3) this.#draw();
    this.#show();
  }

  #draw() {
    const top = Math.max(...this.#rtts);
    const first = samples - this.#rtts.length; // the newest is at the right end
    const points = this.#rtts.map((v, i) => `${(((first + i) * 60) / (samples - 1)).toFixed(1)},${(19 - (v / top) * 17).toFixed(1)}`);
    $("spark").firstElementChild.setAttribute("points", points.join(" "));
  }
}
