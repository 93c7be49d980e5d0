// gale-hub: channels with a history, over one connection that comes back by
// itself. What everything means is in client.d.ts.
//
// A Hub owns subscriptions and what is to be published. It has one link, a
// Socket, a Stream or a Poll, and may try a better one beside it. Every link
// begins at the positions of the subscriptions, which move with what they get, so
// that nothing comes twice and nothing is left out whichever link brings it.

const openLimit = 10_000; // ms in which a link must open, and a ping be answered
const streamSilence = 60_000; // ms without a byte, of a stream that has heartbeats
const pollWait = 25_000; // ms for which the server may hold a poll
const enduring = 5_000; // ms that make an opened link a good one
const maxClimb = 300_000; // ms between tries of a better link
const maxFlying = 16; // publications that are under way at a time
const maxFrame = 16_000; // characters of commands in one WebSocket message
const maxTimer = 2 ** 31 - 1;
const minRenewal = 10_000; // ms between two tokens that are asked for
const maxPlaces = 1_000; // channels of a pattern of which the place is kept

const final = ["not_allowed", "disconnected", "replaced"]; // for a connection
const stale = ["bad_token", "token_expired"];
const passing = ["lost", "too_fast", "too_slow", "unavailable", "draining"];

const channelName = /^([^\0- ,*\x7f-\x9f\u2028\u2029]+\*?|\*)$/;
const zero = () => ({ epoch: "", offset: 0 });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function random() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}

// A fault of the application's shows up as one, and stops nothing here.
function call(fn, ...args) {
  try {
    fn?.(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export class HubError extends Error {
  constructor({ code, text, retry, retry_ms, channel }) {
    super(text || code);
    this.name = "HubError";
    this.code = code;
    this.retry = retry ?? retry_ms ?? 0;
    if (channel) this.channel = channel;
  }
}

const lost = (text) => new HubError({ code: "lost", text });

class Subscription {
  #leave;
  _live = false; // the server has confirmed it; its position is known
  _places = null; // of the channels of a pattern

  constructor(channel, options, leave) {
    this.channel = channel;
    this.position = null;
    for (const name of ["onmessage", "ongap", "onpresence", "onsubscribed", "onended", "last", "tags", "presence", "member"]) {
      this[name] = options[name] ?? null;
    }
    if (options.after) this.position = { epoch: options.after.epoch, offset: options.after.offset };
    if (channel.endsWith("*")) this._places = new Map();
    this.#leave = leave;
  }

  unsubscribe() {
    this.#leave(this);
  }

  // The link goes on behind a position: what is between it and ours is lost.
  _moveTo({ epoch = "", offset = 0 }) {
    const from = this.position;
    if (this._places || (from?.epoch === epoch && offset <= from.offset)) return;
    this.position = { epoch, offset };
    if (!from || (!from.epoch && (!offset || !this._live))) return;
    const missing = !from.epoch || from.epoch === epoch ? offset - from.offset : -1;
    call(this.ongap, { channel: this.channel, from, to: { epoch, offset }, missing }, this);
  }

  _take(m) {
    if (!this._live) return; // it is of a subscription before this one
    const place = this._places ? this._places.get(m.channel) : this.position;
    if (place?.epoch === m.epoch && m.offset <= place.offset) return;
    if (this._places) {
      this._places.delete(m.channel);
      this._places.set(m.channel, { epoch: m.epoch, offset: m.offset });
      if (this._places.size > maxPlaces) this._places.delete(this._places.keys().next().value);
    } else {
      if (place?.epoch && place.epoch !== m.epoch) this._moveTo({ epoch: m.epoch, offset: m.offset - 1 });
      this.position = { epoch: m.epoch, offset: m.offset };
    }
    for (const name in this.tags) if (m.tags?.[name] !== this.tags[name]) return;
    call(this.onmessage, m, this);
  }
}

export class Hub {
  onstate = null;
  state = "idle";
  transport = "";
  client = "";
  user = "";
  error = null;
  retryAt = 0;

  #options;
  #env; // what links know of us
  #subs = new Map();
  #outbox = new Set(); // publications, in their order
  #flying = 0;
  #held = 0; // the timer until which nothing is published
  #link = null;
  #trial = null; // a better link, to be
  #index = 0; // of the transport in use
  #tries = 0; // of it, in vain
  #failures = 0; // since the last good link
  #refused = 0; // tokens, one after the other
  #worked = new Set(); // transports that have opened
  #since = 0; // when the link opened
  #attempt = 0;
  #token; // undefined: to be asked for
  #syncing = false;
  #climbDelay;
  #retryTimer;
  #climbTimer;
  #renewTimer;
  #listeners = new AbortController();

  constructor(url = "/hub", options = {}) {
    this.#options = { token: "", transports: Object.keys(links), firstDelay: 1_000, maxDelay: 20_000, climbDelay: 10_000, timeout: 60_000, maxPending: 1_000, ...options };
    for (const name of this.#options.transports) if (!links[name]) throw new TypeError(`no transport is called ${name}`);
    this.#climbDelay = this.#options.climbDelay;
    const base = new URL(String(url).replace(/\/*$/, "/"), globalThis.location?.href);
    this.#env = { base, subs: this.#subs, sid: random(), credentials: options.credentials ?? "same-origin" };
    const on = (target, type, fn) => target?.addEventListener?.(type, fn, { signal: this.#listeners.signal });
    on(globalThis, "online", () => this.#wake(true));
    on(globalThis, "offline", () => this.#link?.probe(false));
    on(globalThis.document, "visibilitychange", () => document.visibilityState === "visible" && this.#wake(false));
  }

  subscribe(channel, options = {}) {
    if (this.state === "closed") throw new HubError({ code: "closed" });
    if (!channelName.test(channel)) throw new HubError({ code: "bad_channel", text: `"${channel}" is no name of a channel`, channel });
    if (this.#subs.has(channel)) throw new HubError({ code: "bad_request", text: `${channel} is subscribed to already`, channel });
    const sub = new Subscription(channel, options, (sub) => {
      if (this.#subs.get(channel) === sub) this.#subs.delete(channel);
      sub._live = false;
      this.#sync();
    });
    this.#subs.set(channel, sub);
    this.#sync();
    return sub;
  }

  publish(channel, data, { key = random(), ttl, tags, timeout = this.#options.timeout } = {}) {
    return new Promise((resolve, reject) => {
      if (this.state === "closed" || this.state === "failed") return reject(this.error ?? new HubError({ code: "closed" }));
      if (this.#outbox.size >= this.#options.maxPending) return reject(new HubError({ code: "too_many", text: "too much waits to be published" }));
      const body = { channel, key, ttl, tags };
      if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
        const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
        body.base64 = btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
      } else {
        body.data = data ?? null;
      }
      const p = { text: JSON.stringify(body), flying: false };
      const settle = (done) => (value) => {
        clearTimeout(timer);
        this.#outbox.delete(p);
        done(value);
      };
      p.resolve = settle(resolve);
      p.reject = settle(reject);
      const timer = setTimeout(() => p.reject(new HubError({ code: "timeout", text: "nobody knows whether it was published" })), timeout);
      this.#outbox.add(p);
      this.#begin();
      this.#pump();
    });
  }

  members(channel, { limit } = {}) {
    return this.#ask("members", { channel, limit });
  }

  history(channel, { after, last, limit } = {}) {
    return this.#ask("history", { channel, after, last, limit });
  }

  reconnect() {
    if (this.state === "closed") return;
    this.#unlink();
    this.#token = undefined;
    this.#refused = 0;
    this.#connect();
  }

  close() {
    if (this.state === "closed") return;
    this.#listeners.abort();
    this.#stop("closed", null);
    this.#subs.clear();
  }

  async #ask(name, body) {
    if (!this.#link?.ready || !this.#link.ask) throw new HubError({ code: "not_available", text: "this needs a WebSocket that is open" });
    return this.#link.ask(name, JSON.stringify(body));
  }

  // Subscriptions have changed: the link hears of all changes of a moment at once.
  #sync() {
    if (this.#syncing) return;
    this.#syncing = true;
    queueMicrotask(() => {
      this.#syncing = false;
      if (this.#subs.size) this.#begin();
      this.#link?.sync();
    });
  }

  #begin() {
    if (this.state === "idle") this.#connect();
  }

  async #connect() {
    clearTimeout(this.#retryTimer);
    const attempt = ++this.#attempt;
    this.#set("connecting");
    try {
      const { token } = this.#options;
      this.#token ??= typeof token === "function" ? await token() : token;
    } catch (error) {
      if (attempt === this.#attempt) this.#retry(error);
      return;
    }
    if (attempt === this.#attempt) this.#link = this.#open(this.#index);
  }

  #open(index) {
    const to = (channel, fn) => {
      const sub = this.#subs.get(channel);
      if (sub) fn(sub);
    };
    const link = new links[this.#options.transports[index]](
      { ...this.#env, token: this.#token },
      {
        opened: (info) => this.#opened(link, info),
        lost: (error) => this.#lost(link, error),
        message: (m) => this.#message(m),
        gap: (g) => to(g.channel, (sub) => (sub._places ? call(sub.ongap, g, sub) : sub._moveTo(g.to))),
        presence: (type, who) => to(who.channel, (sub) => call(sub.onpresence, { type, ...who }, sub)),
        subscribed: (sub, position) => this.#subscribed(sub, position),
        ended: (error) => to(error.channel, (sub) => this.#ended(sub, error)),
      },
    );
    link.index = index;
    return link;
  }

  #opened(link, info) {
    if (link === this.#trial) {
      this.#trial = null;
      this.#link.close();
      this.#link = link;
      this.#index = link.index;
    }
    const name = this.#options.transports[link.index];
    if (link.ask || this.#subs.size) this.#worked.add(name);
    if (link !== this.#link || link.opened) return;
    link.opened = true;
    this.#since = performance.now();
    this.#refused = 0;
    this.error = null;
    this.client = info.client ?? "";
    this.user = info.user ?? "";
    this.#set("online", name);
    if (link !== this.#link) return;
    this.#expires(info);
    link.sync();
    this.#pump();
    this.#climb();
  }

  #lost(link, error) {
    if (!(error instanceof HubError)) error = lost(String(error?.message ?? error));
    link.close();
    if (link === this.#trial) {
      this.#trial = null;
      this.#tryAbove(link.index + 1);
    }
    if (link !== this.#link) return;
    this.#unlink();
    const good = this.#since && performance.now() - this.#since >= enduring;
    this.#since = 0;
    if (stale.includes(error.code)) {
      this.#token = undefined;
      if (typeof this.#options.token !== "function" || ++this.#refused > 1) return this.#stop("failed", error);
    } else if (final.includes(error.code)) {
      return this.#stop("failed", error);
    } else if (good) {
      this.#tries = this.#failures = 0;
      if (!this.#index) this.#climbDelay = this.#options.climbDelay;
    } else if (error.code !== "draining") {
      this.#tries++;
    }
    // One that has never opened is left at once, another after some tries.
    const worked = this.#worked.has(this.#options.transports[this.#index]);
    if (this.#tries < (worked ? 3 : 1)) return this.#retry(error);
    this.#tries = 0;
    this.#index = (this.#index + 1) % this.#options.transports.length;
    if (worked || !this.#index) return this.#retry(error);
    this.error = error;
    this.#connect();
  }

  // Full jitter: those who were dropped together do not come back together.
  #retry(error) {
    const bound = Math.min(this.#options.maxDelay, this.#options.firstDelay * 2 ** this.#failures);
    const delay = (error.retry || 0) + Math.random() * bound;
    this.#failures = Math.min(this.#failures + 1, 30);
    this.error = error;
    this.retryAt = Date.now() + delay;
    this.#set("waiting");
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
  }

  #unlink() {
    this.#attempt++;
    for (const timer of [this.#retryTimer, this.#climbTimer, this.#renewTimer]) clearTimeout(timer);
    const links = [this.#link, this.#trial];
    this.#link = this.#trial = null;
    for (const link of links) link?.close();
  }

  #stop(state, error) {
    this.#unlink();
    this.error = error;
    for (const p of [...this.#outbox]) p.reject(error ?? new HubError({ code: "closed" }));
    this.#set(state);
  }

  #set(state, transport = "") {
    if (state === this.state && transport === this.transport) return;
    this.state = state;
    this.transport = transport;
    call(this.onstate, state, this);
  }

  // The network is back, or the page is seen again.
  #wake(hard) {
    if (this.state === "waiting") this.#connect();
    else this.#link?.probe(hard);
  }

  // While a lesser transport works, those above it are tried beside it now and then.
  #climb() {
    clearTimeout(this.#climbTimer);
    if (!this.#index || this.state !== "online") return;
    this.#climbTimer = setTimeout(() => this.#tryAbove(0), this.#climbDelay * (0.5 + Math.random() / 2));
    this.#climbDelay = Math.min(maxClimb, this.#climbDelay * 2);
  }

  #tryAbove(index) {
    if (index < this.#index) this.#trial = this.#open(index);
    else this.#climb();
  }

  // The server says how long the token is still good: the page's clock may be wrong, and
  // change. One that says only when it ends, by its own clock, may end the connection.
  #expires({ expires_in, expires }) {
    clearTimeout(this.#renewTimer);
    const left = expires_in ?? (expires ? expires - Date.now() : 0);
    if (left > 0 && typeof this.#options.token === "function") this.#renewAt(performance.now() + Math.max(minRenewal, left * 0.8));
  }

  #renewAt(due) {
    const left = due - performance.now();
    this.#renewTimer = setTimeout(() => (left > maxTimer ? this.#renewAt(due) : this.#renew()), Math.min(maxTimer, left));
  }

  // If this fails, the server ends the connection in time, and the next one begins
  // with a new token.
  async #renew() {
    const link = this.#link;
    try {
      const token = await this.#options.token();
      if (link !== this.#link) return;
      this.#token = token;
      this.#expires((await link.ask?.("refresh", JSON.stringify({ token }))) ?? {});
    } catch {
      this.#token = undefined;
    }
  }

  #message(m) {
    if (m.base64 !== undefined) m.bytes = Uint8Array.from(atob(m.base64), (c) => c.charCodeAt(0));
    this.#subs.get(m.channel)?._take(m);
    for (const sub of [...this.#subs.values()]) {
      if (sub._places && m.channel.startsWith(sub.channel.slice(0, -1))) sub._take(m);
    }
  }

  #subscribed(sub, position) {
    if (this.#subs.get(sub.channel) !== sub) return;
    if (position) sub._moveTo(position);
    if (sub._places && sub._live) call(sub.ongap, { channel: sub.channel, from: zero(), to: zero(), missing: -1 }, sub);
    sub._live = true;
    call(sub.onsubscribed, sub);
  }

  #ended(sub, error) {
    if (passing.includes(error.code)) {
      setTimeout(() => this.#sync(), (error.retry || 1_000) * (1 + Math.random()));
    } else {
      this.#subs.delete(sub.channel);
      call(sub.onended, error, sub);
    }
  }

  #pump() {
    const link = this.#link;
    if (!link?.ready || this.#held) return;
    for (const p of this.#outbox) {
      if (this.#flying >= link.maxFlying) return;
      if (!p.flying) this.#send(p, link);
    }
  }

  // A publication keeps its key, so sending it again does no harm.
  async #send(p, link) {
    p.flying = true;
    this.#flying++;
    try {
      p.resolve(await link.publish(p.text));
    } catch (error) {
      if (stale.includes(error.code)) {
        this.#lost(link, error);
      } else if (error instanceof HubError && !passing.includes(error.code)) {
        p.reject(error);
      } else if (link === this.#link && !this.#held) {
        this.#held = setTimeout(() => {
          this.#held = 0;
          this.#pump();
        }, error.retry || 1_000);
      }
    }
    p.flying = false;
    this.#flying--;
    this.#pump();
  }
}

// The subprotocol gale.hub.v1.
class Socket {
  ready = false;
  maxFlying = maxFlying;
  #env;
  #on;
  #socket = null;
  #id = 0;
  #asked = new Map();
  #out = [];
  #joined = new Map();
  #silence = 25_000; // ms after which the line is tested
  #seen = 0; // when something came
  #testing = false;
  #timer;

  constructor(env, on) {
    this.#env = env;
    this.#on = on;
    this.#timer = setTimeout(() => on.lost(lost("the WebSocket does not open")), openLimit);
    try {
      const url = new URL("ws", env.base);
      url.protocol = url.protocol.replace("http", "ws");
      const socket = (this.#socket = new WebSocket(url, "gale.hub.v1"));
      socket.onopen = () => this.#command("connect", JSON.stringify({ token: env.token || undefined }), (info) => this.#connected(info), (error) => this.#socket && on.lost(error));
      socket.onmessage = ({ data }) => this.#receive(data);
      socket.onclose = ({ code, reason }) => {
        const word = /^[a-z_]+$/.test(reason) ? reason : { 1012: "draining", 1013: "unavailable" }[code];
        on.lost(new HubError({ code: word ?? "lost", text: `the WebSocket was closed (${code} ${reason})` }));
      };
    } catch (error) {
      queueMicrotask(() => on.lost(error));
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.ready = false;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    for (const { fail } of this.#asked.values()) fail(lost("the connection was lost"));
    this.#asked.clear();
  }

  ask(name, text) {
    return new Promise((done, fail) => this.#command(name, text, done, fail));
  }

  publish(text) {
    return this.ask("publish", text);
  }

  // Subscribes to and unsubscribes from what has changed.
  sync() {
    if (!this.ready) return;
    for (const [channel, sub] of this.#joined) {
      if (this.#env.subs.get(channel) === sub) continue;
      this.#joined.delete(channel);
      this.#command("unsubscribe", JSON.stringify({ channel }));
    }
    for (const [channel, sub] of this.#env.subs) {
      if (this.#joined.has(channel)) continue;
      this.#joined.set(channel, sub);
      const { position, last, tags, presence, member } = sub;
      const body = {
        channel,
        after: sub._places ? undefined : (position ?? undefined),
        last: (!position && last) || undefined,
        tags: tags ?? undefined,
        presence: presence ?? (sub.onpresence ? true : undefined),
        member: member || undefined,
      };
      this.#command("subscribe", JSON.stringify(body), (s) => this.#on.subscribed(sub, s.position), (error) => {
        if (this.#joined.get(channel) !== sub || !this.ready) return;
        this.#joined.delete(channel);
        error.channel = channel;
        this.#on.ended(error);
      });
    }
  }

  probe() {
    if (this.ready && !this.#testing) this.#test();
  }

  #connected(info) {
    this.ready = true;
    this.#silence = info.ping || this.#silence;
    this.#watch(this.#silence);
    this.#on.opened(info);
  }

  #test() {
    this.#testing = true;
    this.#command("ping", "{}");
    this.#watch(openLimit);
  }

  // What came last counts as an answer.
  #watch(ms) {
    clearTimeout(this.#timer);
    const began = performance.now();
    this.#timer = setTimeout(() => {
      const quiet = performance.now() - this.#seen;
      if (this.#testing && this.#seen < began) return this.#on.lost(lost("a ping was not answered"));
      this.#testing = false;
      if (quiet >= this.#silence) this.#test();
      else this.#watch(this.#silence - quiet);
    }, ms);
  }

  // Commands of a moment go out together.
  #command(name, text, done, fail) {
    if (!this.#socket) return fail?.(lost("the connection was lost"));
    this.#asked.set(++this.#id, { done: (v) => done?.(v), fail: (e) => fail?.(e) });
    if (this.#out.push(`{"id":${this.#id},"${name}":${text}}`) === 1) queueMicrotask(() => this.#flush());
  }

  #flush() {
    const out = this.#out.splice(0);
    while (out.length && this.#socket) {
      let n = 1;
      for (let size = out[0].length; n < out.length && (size += out[n].length) <= maxFrame; n++);
      const some = out.splice(0, n);
      this.#socket.send(n === 1 ? some[0] : `[${some}]`);
    }
  }

  #receive(data) {
    this.#seen = performance.now();
    for (const o of [].concat(JSON.parse(data))) {
      if (!this.#socket) return;
      if (o.id) this.#answer(o);
      else if (o.message) this.#on.message(o.message);
      else if (o.gap) this.#on.gap(o.gap);
      else if (o.joined) this.#on.presence("joined", o.joined);
      else if (o.left) this.#on.presence("left", o.left);
      else if (o.ended && this.#joined.delete(o.ended.channel)) this.#on.ended(new HubError(o.ended));
    }
  }

  #answer({ id, error, ...rest }) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.fail(new HubError(error));
    else asked?.done(Object.values(rest)[0]);
  }
}

// What Stream and Poll have in common: a loop of requests for a set of channels,
// which begins anew when the set changes, and publications by POST.
class Requests {
  ready = true;
  wide = false; // takes patterns
  maxFlying = 1; // or their order would be the network's
  #control = null;
  #joined = null;
  #placed; // those of which the position was told with the last request
  #seen = 0;
  #timer;

  constructor(env, on) {
    this.env = env;
    this.on = on;
    queueMicrotask(() => this.ready && this.sync());
  }

  close() {
    this.ready = false;
    this.#abort();
  }

  sync() {
    const wanted = this.#wanted();
    if (!this.ready) return;
    if (this.#joined?.size !== wanted.size || [...wanted].some(([channel, sub]) => this.#joined.get(channel) !== sub)) this.#restart();
  }

  probe(hard) {
    if (this.#control && (hard || performance.now() - this.#seen > pollWait)) this.#restart();
  }

  async publish(text) {
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(), openLimit);
    try {
      return await (await this.#fetch("publish", { method: "POST", body: text, signal: control.signal }, { "content-type": "application/json" })).json();
    } finally {
      clearTimeout(timer);
    }
  }

  // Something must come within so many milliseconds.
  watch(ms) {
    this.#seen = performance.now();
    clearTimeout(this.#timer);
    const control = this.#control;
    this.#timer = setTimeout(() => control.abort(), ms);
  }

  // Asks for the channels, from their positions on or from the cursor.
  get(path, query, signal) {
    const subs = [...this.#joined.values()];
    this.#placed = new Set(subs.filter((s) => s.position));
    const all = { ch: subs.map((s) => s.channel), ...query };
    if (!all.cursor) {
      if (this.#placed.size) all.after = subs.map((s) => (s.position ? `${s.position.epoch}:${s.position.offset}` : ""));
      if (subs.some((s) => !s.position && s.last)) all.last = subs.map((s) => (s.position ? 0 : s.last || 0));
    }
    const used = Object.entries(all).filter(([, value]) => value !== "");
    return this.#fetch(`${path}?${new URLSearchParams(used)}`, { signal });
  }

  begun({ channel, position }) {
    const sub = this.#joined.get(channel);
    if (!sub) return;
    if (sub.position && !this.#placed.has(sub)) throw lost("another link was first");
    this.on.subscribed(sub, position);
  }

  // A subscription is over, or all of it.
  ended(error) {
    if (this.#joined.delete(error.channel)) this.on.ended(error);
    else if (this.#joined.size) throw error;
  }

  async #fetch(path, init, headers = {}) {
    const { base, token, credentials } = this.env;
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(new URL(path, base), { cache: "no-store", credentials, headers, ...init });
    if (answer.ok) return answer;
    const body = await answer.json().catch(() => null);
    throw body?.code ? new HubError(body) : lost(`the answer is ${answer.status}`);
  }

  #abort() {
    clearTimeout(this.#timer);
    const control = this.#control;
    this.#control = null;
    control?.abort();
  }

  // A pattern has no place to go on from, and so nothing to poll for.
  #wanted() {
    return new Map([...this.env.subs].filter(([, sub]) => this.wide || !sub._places));
  }

  async #restart() {
    this.#abort();
    this.#joined = this.#wanted();
    if (!this.#joined.size) return this.on.opened({});
    const control = (this.#control = new AbortController());
    try {
      await this.run(control.signal);
    } catch (error) {
      if (control !== this.#control) return;
      this.#abort();
      // One channel that is refused leaves the others.
      if (this.#joined.has(error.channel) && !passing.includes(error.code)) this.ended(error);
      else if (this.#joined.size) return this.on.lost(error);
      this.#restart();
    }
  }
}

// Server-sent events, read with fetch: an EventSource cannot send the token in a
// field, tells no status, and does not notice that heartbeats fail to come.
class Stream extends Requests {
  wide = true;

  async run(signal) {
    for (;;) {
      const began = performance.now();
      const retry = await this.#once(signal);
      // A stream has a lifetime, and is followed by another. One that ends sooner, or
      // with a word that it is too early to come back, is not to be hurried.
      if (retry || performance.now() - began < streamSilence) throw new HubError({ code: "draining", text: "the stream has ended", retry });
    }
  }

  async #once(signal) {
    signal.throwIfAborted();
    this.watch(openLimit);
    const answer = await this.get("sse", {}, signal);
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let [rest, event, data, retry, usual, open] = ["", "", [], 0, 0, false];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return retry < usual ? 0 : retry; // a shorter one than usual is no warning
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        signal.throwIfAborted();
        const [, field, text] = /^([^:]*):? ?([^]*)$/.exec(line);
        if (field === "event") event = text;
        else if (field === "data") data.push(text);
        else if (field === "retry") retry = Number(text) || 0;
        if (line) continue;
        const [type, o] = [event, data.length && JSON.parse(data.join("\n"))];
        [event, data] = ["", []];
        if (!o) continue;
        if (type === "subscribed" && !open) {
          [open, usual, retry] = [true, retry, 0];
          this.on.opened({});
        }
        if (type === "subscribed") this.begun(o);
        else if (type === "gap") this.on.gap(o);
        else if (type === "ended") this.ended(new HubError({ ...o, retry }));
        else if (!type) this.on.message(o);
      }
      signal.throwIfAborted();
      if (open) this.watch(streamSilence);
    }
  }
}

class Poll extends Requests {
  async run(signal) {
    let cursor = "";
    for (;;) {
      const first = !cursor;
      const began = performance.now();
      signal.throwIfAborted();
      this.watch(first ? openLimit : pollWait + openLimit);
      let answer;
      try {
        answer = await (await this.get("poll", { cursor, sid: this.env.sid, wait: first ? 0 : pollWait / 1_000 }, signal)).json();
      } catch (error) {
        if (first || error.code !== "bad_cursor") throw error;
        cursor = ""; // the server has another secret; the positions are as good
        continue;
      }
      this.on.opened({});
      for (const subscribed of answer.subscribed ?? []) this.begun(subscribed);
      for (const gap of answer.gaps ?? []) this.on.gap(gap);
      for (const message of answer.messages) this.on.message(message);
      cursor = answer.cursor;
      // Nothing, and at once: whatever is wrong, it is not made better by haste.
      const hasty = !first && !answer.messages.length && performance.now() - began < 500;
      if (answer.retry_ms || hasty) await sleep(answer.retry_ms || 1_000);
    }
  }
}

const links = { websocket: Socket, sse: Stream, poll: Poll };
