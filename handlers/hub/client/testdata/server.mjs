// A hub in the same process, for the client's tests: WebSocket and fetch are its,
// and time is that of mock.timers, so that a test sees every order of things in
// no time at all.

import { setMaxListeners } from "node:events";
import { mock } from "node:test";

mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
Object.defineProperty(globalThis, "performance", { value: { now: () => Date.now() }, configurable: true });

// What Math.random gives, in turns, where it is not left to chance: no test may rely
// on how long a retry waits.
if (process.env.GALE_TEST_JITTER) {
  const jitter = process.env.GALE_TEST_JITTER.split(",").map(Number);
  let n = 0;
  Math.random = () => jitter[n++ % jitter.length];
}

export const latency = 5; // ms one way

// Lets time pass, and everything that follows from it happen. Where much time
// passes and little happens, steps are longer.
export async function pass(ms, step = latency) {
  await flush();
  for (let t = 0; t < ms; t += step) {
    mock.timers.tick(Math.min(step, ms - t));
    await flush();
  }
}

export const idle = (ms) => pass(ms, 200);

async function flush() {
  for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
}

// Until something is so, within a bound of time that passes.
export async function until(what, limit = 30_000) {
  for (let t = 0; !what(); t += latency) {
    if (t > limit) throw new Error(`never: ${what}`);
    await pass(latency);
  }
}

let epochs = 0;

export class Server {
  kept = 20; // messages of a channel
  channels = new Map();
  refuses = new Set(); // transports that do not work: "websocket", "sse", "poll", "publish"
  mute = false; // connections stay, but nothing goes over them
  links = new Set();
  opened = []; // transports, in the order in which something opened
  frames = []; // what came over WebSockets
  requests = []; // the URLs that were fetched
  expires; // of identities
  expiresIn; // how long they are still good
  pieces = (bytes) => [bytes]; // how what is sent on a stream is cut
  authenticate = () => null; // a token's error
  allow = () => null; // a channel's error
  admit = () => null; // a publication's error
  losesReplies = 0; // of so many publications
  impatient = false; // polls do not wait
  lag = () => latency; // of requests

  constructor() {
    globalThis.WebSocket = class extends Socket {
      constructor(url, protocol) {
        super(Server.current, url, protocol);
      }
    };
    globalThis.fetch = (url, init = {}) => Server.current.fetch(new URL(url), init);
    Server.current = this;
  }

  channel(name) {
    if (!this.channels.has(name)) this.channels.set(name, { epoch: `e${++epochs}`, top: 0, messages: [], keys: new Map() });
    return this.channels.get(name);
  }

  publish(name, data, key, more) {
    const c = this.channel(name);
    if (key && c.keys.has(key)) return { ...c.keys.get(key), duplicate: true };
    const place = { epoch: c.epoch, offset: ++c.top };
    if (key) c.keys.set(key, place);
    c.messages.push({ channel: name, ...place, time: Date.now(), key, data, ...more });
    if (c.messages.length > this.kept) c.messages.shift();
    for (const link of [...this.links]) link.told();
    return place;
  }

  // What follows a place, and where that begins.
  read(name, after) {
    const c = this.channel(name);
    const top = c.top ? { epoch: c.epoch, offset: c.top } : { epoch: "", offset: 0 };
    const oldest = c.top - c.messages.length;
    if (after.epoch !== c.epoch) {
      const missing = after.epoch ? -1 : 0;
      if (!c.top) return { messages: [], position: after.epoch ? top : after, missing };
      return { messages: c.messages, position: { epoch: c.epoch, offset: oldest }, missing };
    }
    const start = Math.max(after.offset, oldest);
    return { messages: c.messages.filter((m) => m.offset > start), position: { epoch: c.epoch, offset: start }, missing: start - after.offset };
  }

  top(name) {
    const c = this.channel(name);
    return c.top ? { epoch: c.epoch, offset: c.top } : { epoch: "", offset: 0 };
  }

  // Where a subscription begins.
  begin(name, after, last) {
    if (after) return this.read(name, after);
    const c = this.channel(name);
    if (!last || !c.top) return { messages: [], position: this.top(name), missing: 0 };
    const offset = Math.max(c.top - c.messages.length, c.top - last);
    return this.read(name, { epoch: c.epoch, offset });
  }

  cut() {
    for (const link of [...this.links]) link.cut();
  }

  restart() {
    this.cut();
    this.channels.clear();
  }

  async fetch(url, init) {
    const transport = url.pathname.split("/").pop();
    this.requests.push(url);
    if (init.signal) setMaxListeners(0, init.signal);
    await new Promise((done, fail) => {
      setTimeout(done, this.lag());
      init.signal?.addEventListener("abort", () => fail(init.signal.reason));
    });
    if (this.mute) return new Promise((_, fail) => init.signal.addEventListener("abort", () => fail(init.signal.reason)));
    const json = (body, status = 200) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
    if (this.refuses.has(transport)) {
      if (this.refuses.has("everything")) throw new TypeError("fetch failed");
      return new Response("no", { status: 502 });
    }
    const error = this.authenticate(init.headers.authorization?.replace("Bearer ", ""));
    if (error) return json(error, 401);
    if (transport === "publish") {
      const p = JSON.parse(init.body);
      const error = this.admit(p);
      if (error) return json(error, 400);
      const receipt = this.publish(p.channel, p.data, p.key, { base64: p.base64, tags: p.tags });
      if (this.losesReplies-- > 0) throw new TypeError("fetch failed");
      return json(receipt);
    }
    const names = url.searchParams.get("ch").split(",");
    for (const name of names) if (this.allow(name)) return json({ ...this.allow(name), channel: name }, 403);
    const query = { names, after: url.searchParams.get("after")?.split(","), last: url.searchParams.get("last")?.split(",") };
    const cursor = url.searchParams.get("cursor");
    if (cursor) {
      const c = JSON.parse(atob(cursor));
      if (c.names !== String(names) || c.born !== this.born) return json({ code: "bad_cursor", text: "it is bad" }, 400);
      query.after = c.after;
    }
    this.opened.push(transport);
    const wait = this.impatient ? 0 : Number(url.searchParams.get("wait")) * 1_000;
    const link = transport === "sse" ? new Stream(this, query) : new Poll(this, query, cursor, wait);
    init.signal.addEventListener("abort", () => link.cut());
    return link.answer;
  }
}

const placeOf = (text) => text && { epoch: text.slice(0, text.lastIndexOf(":")), offset: Number(text.slice(text.lastIndexOf(":") + 1)) };

// The places of a set of channels, and what has come since.
class Reader {
  places = new Map();

  constructor(server) {
    this.server = server;
  }

  join(name, after, last) {
    const { position, missing } = this.server.begin(name, after, last);
    this.places.set(name, position);
    return { channel: name, position, top: this.server.top(name), missing };
  }

  take() {
    const [messages, gaps] = [[], []];
    for (const [name, place] of this.places) {
      if (!name.endsWith("*")) {
        const found = this.server.read(name, place);
        if (found.missing) gaps.push({ channel: name, from: place, to: found.position, missing: found.missing });
        this.places.set(name, found.messages.at(-1) ?? found.position);
        messages.push(...found.messages);
      }
    }
    return { messages, gaps };
  }
}

class Socket {
  readyState = 0;

  constructor(server, url, protocol) {
    Object.assign(this, { server, url: String(url), protocol, reader: new Reader(server), dead: false });
    setTimeout(() => {
      if (this.dead || server.mute) return;
      if (server.refuses.has("websocket")) return this.end(1006, "");
      server.links.add(this);
      this.onopen?.();
    }, latency);
  }

  send(text) {
    setTimeout(() => {
      if (this.dead || this.server.mute) return;
      const frame = [].concat(JSON.parse(text));
      this.server.frames.push(frame);
      for (const command of frame) if (!this.dead) this.command(command);
    }, latency);
  }

  command({ id, ...rest }) {
    const { server, reader } = this;
    const [[name, body]] = Object.entries(rest);
    const refuse = (error) => this.push({ id, error });
    if (name === "connect") {
      const error = server.authenticate(body.token);
      if (error) {
        refuse(error);
        return this.end(4401, error.code);
      }
      server.opened.push("websocket");
      this.push({ id, connected: { client: "c1", user: "ada", ping: 25_000, expires: server.expires, expires_in: server.expiresIn } });
    } else if (name === "subscribe") {
      const error = server.allow(body.channel);
      if (error) return refuse(error);
      if (body.channel.endsWith("*")) {
        reader.places.set(body.channel, null);
        this.wide = body.channel.slice(0, -1);
        this.since = new Map([...server.channels].map(([name, c]) => [name, c.top]));
        return this.push({ id, subscribed: { channel: body.channel, position: {}, top: {}, missing: 0 } });
      }
      this.push({ id, subscribed: reader.join(body.channel, body.after, body.last) });
      this.told();
    } else if (name === "unsubscribe") {
      reader.places.delete(body.channel);
      this.push({ id, unsubscribed: body });
    } else if (name === "publish") {
      const error = server.admit(body);
      if (error) return refuse(error);
      const receipt = server.publish(body.channel, body.data, body.key, { base64: body.base64, tags: body.tags });
      if (server.losesReplies-- > 0) return this.cut();
      this.push({ id, published: receipt });
    } else if (name === "ping") {
      this.push({ id, pong: {} });
    } else if (name === "refresh") {
      this.push({ id, refreshed: { expires: server.expires, expires_in: server.expiresIn } });
    } else {
      this.push({ id, [name]: { ...body, total: 1 } });
    }
  }

  push(o) {
    setTimeout(() => !this.dead && !this.server.mute && this.onmessage?.({ data: JSON.stringify(o) }), latency);
  }

  told() {
    const { messages, gaps } = this.reader.take();
    for (const gap of gaps) this.push({ gap });
    if (messages.length) this.push(messages.map((message) => ({ message })));
    if (this.wide === undefined) return;
    for (const [name, c] of this.server.channels) {
      if (!name.startsWith(this.wide)) continue;
      for (const message of c.messages) if (message.offset > (this.since.get(name) ?? 0)) this.push({ message });
      this.since.set(name, c.top);
    }
  }

  end(code, reason) {
    this.server.links.delete(this);
    setTimeout(() => {
      if (this.dead) return;
      this.dead = true;
      this.onclose?.({ code, reason });
    }, latency);
  }

  cut() {
    this.server.links.delete(this);
    if (this.dead) return;
    this.dead = true;
    setTimeout(() => this.onclose?.({ code: 1006, reason: "" }), latency);
  }

  close() {
    this.dead = true;
    this.server.links.delete(this);
  }
}

class Web {
  constructor(server, { names, after, last }) {
    this.server = server;
    this.names = names;
    this.reader = new Reader(server);
    this.subscribed = names.map((name, i) => this.reader.join(name, placeOf(after?.[i]), Number(last?.[i])));
    server.links.add(this);
  }
}

class Stream extends Web {
  constructor(server, query) {
    super(server, query);
    const stream = new ReadableStream({ start: (control) => (this.control = control) });
    this.answer = new Response(stream, { headers: { "content-type": "text/event-stream" } });
    const lost = this.subscribed.filter((s) => s.missing).map((s) => this.event("gap", { channel: s.channel, from: {}, to: s.position, missing: s.missing }));
    this.send(": hi\nretry: 3000\n\n" + lost.join("") + this.subscribed.map((s) => this.event("subscribed", s)).join(""));
    this.told();
    this.beat();
  }

  beat() {
    setTimeout(() => {
      if (!this.control) return;
      this.send(": hb\n\n");
      this.beat();
    }, 20_000);
  }

  event(type, o) {
    return `id: x\n${type && `event: ${type}\n`}data: ${JSON.stringify(o)}\n\n`;
  }

  send(text) {
    const bytes = new TextEncoder().encode(text);
    for (const piece of this.server.pieces(bytes)) {
      setTimeout(() => !this.server.mute && this.control?.enqueue(piece), latency);
    }
  }

  told() {
    const { messages, gaps } = this.reader.take();
    const text = gaps.map((g) => this.event("gap", g)).join("") + messages.map((m) => this.event("", m)).join("");
    if (text) this.send(text);
  }

  finish() {
    this.server.links.delete(this);
    this.control?.close();
    this.control = null;
  }

  say(text) {
    this.control.enqueue(new TextEncoder().encode(text));
  }

  cut() {
    this.server.links.delete(this);
    try {
      this.control?.error(new TypeError("network error"));
    } catch {}
    this.control = null;
  }
}

class Poll extends Web {
  constructor(server, query, cursor, wait) {
    super(server, query);
    this.first = !cursor;
    this.answer = new Promise((done, fail) => Object.assign(this, { done, fail }));
    this.told(this.first || wait === 0);
    setTimeout(() => this.told(true), wait);
  }

  told(now) {
    if (!this.server.links.has(this)) return;
    const places = new Map(this.reader.places);
    const { messages, gaps } = this.reader.take();
    for (const s of this.subscribed) if (this.first && s.missing) gaps.push({ channel: s.channel, from: {}, to: s.position, missing: s.missing });
    if (!now && !messages.length && !gaps.length) {
      this.reader.places = places;
      return;
    }
    this.server.links.delete(this);
    const after = this.names.map((name) => this.reader.places.get(name)).map((p) => `${p.epoch}:${p.offset}`);
    const cursor = btoa(JSON.stringify({ names: String(this.names), after, born: this.server.born }));
    const body = { cursor, messages, gaps, subscribed: this.first ? this.subscribed : undefined };
    setTimeout(() => !this.server.mute && this.done(new Response(JSON.stringify(body))), latency);
  }

  cut() {
    if (this.server.links.delete(this)) this.fail(new TypeError("fetch failed"));
  }
}
