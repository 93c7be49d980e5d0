// The connection: one WebSocket after the other, told apart from the chat that
// is spoken over it. It comes back by itself, with full-jitter back-off, and
// measures the round trip, which is also how it notices a dead line.

const firstDelay = 500; // ms; the upper bound of the first wait
const maxDelay = 15_000; // ms; the upper bound of every wait
const minDelay = 100; // ms; so that a server that closes at once is not hammered
const pingInterval = 3_000; // ms
const pongTimeout = 8_000; // ms without an answer: the line is dead

// Events: "state" (state, and retryAt while it waits), "open", "message" (data),
// "rtt" (milliseconds).
export class Connection extends EventTarget {
  #url;
  #socket = null;
  #failures = 0;
  #ready = false; // the server has answered the hello
  #retryTimer = 0;
  #pingTimer = 0;
  #pingSent = 0; // when the ping under way was sent; 0: none is

  constructor(url) {
    super();
    this.#url = url;
    this.state = "connecting";
    this.retryAt = 0;
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#probe());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#wake();
    });
  }

  open() {
    clearTimeout(this.#retryTimer);
    this.#setState("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#emit("open");
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(event.code);
    // A handshake that hangs is given up like a ping that is not answered.
    this.#pingSent = performance.now();
    this.#watch();
  }

  // The chat says when its hello was answered: a connection that is refused
  // right after it was opened must not reset the back-off.
  ready() {
    this.#failures = 0;
    this.#ready = true;
    this.#setState("online");
    this.#ping();
  }

  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  // Tries again now, if it waits.
  retry() {
    if (this.state === "waiting" || this.state === "offline") this.open();
  }

  #receive(data) {
    const message = JSON.parse(data);
    if (message.type === "pong") {
      if (message.t === this.#pingSent) {
        this.#pingSent = 0;
        this.dispatchEvent(new CustomEvent("rtt", { detail: performance.now() - message.t }));
      }
      return;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  // Forgets the socket, whatever it may still do, and waits for the next.
  #lost(code) {
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = null;
    this.#ready = false;
    clearTimeout(this.#pingTimer);
    this.#pingSent = 0;
    this.dispatchEvent(new CustomEvent("lost", { detail: { code } }));
    const bound = Math.min(maxDelay, firstDelay * 2 ** this.#failures++);
    // Too many mistakes (1008) are ours: coming back at once would repeat them.
    const delay = code === 1008 ? maxDelay : minDelay + Math.random() * bound;
    this.retryAt = Date.now() + delay;
    this.#setState(navigator.onLine ? "waiting" : "offline");
    this.#retryTimer = setTimeout(() => this.open(), delay);
  }

  #ping() {
    this.#pingSent = performance.now();
    this.send({ type: "ping", t: this.#pingSent });
    this.#watch();
  }

  // Looks again when the next ping is due, or the answer overdue.
  #watch() {
    clearTimeout(this.#pingTimer);
    this.#pingTimer = setTimeout(() => {
      if (this.#pingSent && performance.now() - this.#pingSent >= pongTimeout - 1) {
        this.#lost(0);
      } else if (this.#pingSent || !this.#ready) {
        this.#watch();
      } else {
        this.#ping();
      }
    }, this.#pingSent ? Math.max(0, this.#pingSent + pongTimeout - performance.now()) : pingInterval);
  }

  // The browser believes to be offline, which says nothing about a server on
  // the same machine: ask.
  #probe() {
    if (this.#ready && !this.#pingSent) this.#ping();
    else if (this.state === "waiting") this.#setState("offline");
  }

  // A page that slept may have missed the end of its connection.
  #wake() {
    if (this.#ready && !this.#pingSent) this.#ping();
    else this.retry();
  }

  #setState(state) {
    this.state = state;
    this.#emit("state");
  }

  #emit(type) {
    this.dispatchEvent(new Event(type));
  }
}
