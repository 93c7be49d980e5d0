// The chat as data: rooms, people, messages, and what is still to be sent. Each
// room is a channel of the hub. It knows nothing of the page.

import { Hub } from "./hub/client.js";
import { randomToken } from "./random.js";

export const limits = { name: 24, text: 2000, rooms: 16 }; // code points, and rooms one is in
const maxMessages = 500; // kept per room
const maxPending = 50; // unsent messages, over all rooms
const historyLength = 50; // of the messages before one came
const maxPeople = 500; // asked for
const moment = 15_000; // ms in which somebody who left and is back was never away

// Events: "change" (detail: room name or null), "entry" (detail: {room, entry}),
// "trimmed" (detail: room name), "refused" (detail: error of the hub), "state", and
// "rtt" (detail: milliseconds from sending a message to getting it).
export class Chat extends EventTarget {
  hub = null; // null: the plug is out
  rooms = new Map(); // name: Room
  pending = []; // {key, room, text, time, sentAt, state: "queued"|"sending"|"failed", why}
  counts = { messages: 0, connections: 0, lost: 0, twice: 0 };
  #transports = [];
  #connection = ""; // the one that is counted
  #skew = 0; // ms by which our clock is ahead of the server's

  constructor({ id, name, rooms }) {
    super();
    this.you = id;
    this.name = name;
    for (const room of rooms) this.join(room);
  }

  // What the user does.

  // The name is part of who we are for the server, and so takes a new connection.
  rename(name) {
    this.name = name;
    this.#drop();
    this.hub?.reconnect();
  }

  join(name) {
    const room = new Room(name);
    this.rooms.set(name, room);
    if (this.hub) this.#subscribe(room);
    this.#changed(name);
  }

  leave(name) {
    const room = this.rooms.get(name);
    this.rooms.delete(name);
    this.pending = this.pending.filter((message) => message.room !== name);
    room.subscription?.unsubscribe();
    this.#changed(name);
  }

  // Takes a text to be sent as soon as that is possible; false if too much waits
  // already.
  say(room, text) {
    if (this.pending.length >= maxPending) return false;
    const message = { key: randomToken(12), room, text, time: Date.now(), sentAt: this.online ? performance.now() : 0, state: this.#waiting(), why: "" };
    this.pending.push(message);
    this.#publish(message);
    this.#changed(room);
    return true;
  }

  // Takes back a message that failed and returns its text.
  takeBack(key) {
    const message = this.pending.find((m) => m.key === key);
    this.pending = this.pending.filter((m) => m !== message);
    this.#changed(message?.room ?? null);
    return message?.text ?? "";
  }

  // The connection.

  get online() {
    return this.hub?.state === "online";
  }

  // Connects over one of these transports, or over the best that works if there are
  // none, and goes on behind what came last.
  plugIn(transports) {
    if (this.hub) this.pullOut();
    if (transports) this.#transports = transports;
    const only = this.#transports.length ? { transports: this.#transports } : {};
    // What a token is, the server says: here it is but a name.
    const token = () => `${this.you}.${encodeURIComponent(this.name)}`;
    const hub = (this.hub = new Hub("hub", { token, firstDelay: 500, maxDelay: 15_000, climbDelay: 4_000, ...only }));
    hub.onstate = () => hub === this.hub && this.#state();
    for (const room of this.rooms.values()) this.#subscribe(room);
    for (const message of this.pending) if (message.state !== "failed") this.#publish(message);
    this.#state();
  }

  pullOut() {
    const hub = this.hub;
    if (!hub) return;
    this.hub = null;
    for (const room of this.rooms.values()) {
      room.place = room.subscription?.position ?? room.place;
      room.subscription = null;
      room.clients.clear();
    }
    hub.close();
    this.#state();
  }

  // Drops the connection; the next one comes at once.
  reconnect() {
    this.#drop();
    this.hub?.reconnect();
  }

  #state() {
    const connection = this.online ? this.hub.transport : "";
    if (connection && connection !== this.#connection) this.counts.connections++;
    this.#connection = connection;
    if (!connection) this.#drop();
    for (const message of this.pending) if (message.state !== "failed") message.state = this.#waiting();
    this.dispatchEvent(new Event("state"));
    this.#changed(null);
  }

  #drop() {
    this.#connection = "";
    for (const room of this.rooms.values()) if (room.joined) [room.joined, room.droppedAt] = [false, Date.now()];
    for (const message of this.pending) message.sentAt = 0; // that is no round trip any more
  }

  #waiting() {
    return this.online ? "sending" : "queued";
  }

  #subscribe(room) {
    const hub = this.hub;
    const here = (fn) => (...args) => hub === this.hub && this.rooms.get(room.name) === room && fn(...args);
    room.subscription = hub.subscribe("room:" + room.name, {
      after: room.place ?? undefined,
      last: historyLength,
      member: true,
      onmessage: here((m) => this.#message(room, m)),
      ongap: here((gap) => this.#gap(room, gap)),
      onpresence: here((change) => this.#presence(room, change)),
      onsubscribed: here(() => this.#subscribed(room)),
      onended: here((error) => this.#ended(room, error)),
    });
  }

  // The key makes it one message, however often it is sent.
  async #publish(message) {
    const { key, room, text } = message;
    const hub = this.hub;
    if (!hub) return;
    try {
      message.receipt = await hub.publish("room:" + room, { text }, { key });
    } catch (error) {
      if (hub !== this.hub) return; // the next one sends it
      if (error.code === "timeout") return this.#publish(message);
      message.state = "failed";
      message.why = error.message;
    }
    this.#settle(this.rooms.get(room));
    this.#changed(room);
  }

  // What has a place before ours is not waited for any more.
  #settle(room) {
    const over = ({ room: name, receipt }) => receipt && name === room?.name && receipt.epoch === room.place?.epoch && receipt.offset <= room.place.offset;
    this.pending = this.pending.filter((message) => !over(message));
  }

  // What comes.

  #subscribed(room) {
    if (!room.joined) room.backAt = Date.now();
    room.joined = true;
    this.#askPeople(room);
    this.#changed(room.name);
  }

  #ended(room, error) {
    this.rooms.delete(room.name);
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
    this.#changed(room.name);
  }

  // The places of the messages show whether one is missing or comes twice.
  #message(room, m) {
    const { epoch, offset } = m;
    if (room.place?.epoch === epoch) {
      if (offset <= room.place.offset) this.counts.twice++;
      else this.counts.lost += offset - room.place.offset - 1;
    }
    room.place = { epoch, offset };
    this.counts.messages++;
    const { id, name } = who(m.from);
    const mine = id === this.you;
    const sent = mine && this.pending.find((message) => message.key === m.key);
    if (sent) {
      this.pending = this.pending.filter((message) => message !== sent);
      if (sent.sentAt) {
        this.#skew = Date.now() - m.time;
        this.dispatchEvent(new CustomEvent("rtt", { detail: performance.now() - sent.sentAt }));
      }
    }
    const before = m.time + this.#skew < room.backAt;
    const how = !before ? "live" : room.droppedAt ? "missed" : "history";
    if (how === "missed" && room.toldOf !== room.droppedAt) {
      room.toldOf = room.droppedAt;
      this.#line(room, "missed", `Back after ${seconds(room.backAt - room.droppedAt)}. What came meanwhile:`);
    }
    // Anybody may publish what is no message of this page.
    const text = String(m.data?.text ?? m.text ?? "").slice(0, 4 * limits.text);
    this.#add(room, { kind: "message", id: m.key, seq: offset, from: id, name, text, time: m.time, mine, how });
    this.#changed(room.name);
  }

  #gap(room, { to, missing }) {
    room.place = to;
    this.counts.lost += Math.max(missing, 0);
    const text = missing < 0 ? "The server has started anew; what was said before it did may be lost" : `${missing} messages in between are lost`;
    this.#line(room, "gap", text);
    this.#settle(room);
    this.#changed(room.name);
  }

  // Who is here is known over a WebSocket. What changes while it is asked for counts
  // afterwards.
  async #askPeople(room) {
    const { hub } = this;
    const changes = (room.changes = []);
    let members = [];
    try {
      ({ members } = await hub.members("room:" + room.name, { limit: maxPeople }));
    } catch {
      // Not over this transport.
    }
    if (hub !== this.hub || changes !== room.changes) return;
    room.changes = null;
    room.clients = new Map(members.map(({ client, user }) => [client, user]));
    for (const { user } of members) this.#takeBackLeft(room, who(user).id);
    for (const change of changes) this.#presence(room, change);
    this.#changed(room.name);
  }

  #presence(room, change) {
    if (room.changes) {
      room.changes.push(change);
      return;
    }
    const { type, client, user } = change;
    const { id, name } = who(user);
    const before = room.people.get(id);
    if (type === "joined") room.clients.set(client, user);
    else room.clients.delete(client);
    const after = room.people.get(id);
    if (!before && after) this.#arrived(room, id, this.#takeBackLeft(room, id), name);
    else if (before && !after) this.#line(room, "left", `${before} left`, { id, name: before });
    else if (before !== after && type === "joined") this.#renamed(room, id, before, after);
    this.#changed(room.name);
  }

  #arrived(room, id, left, name) {
    if (left && left !== name) this.#renamed(room, id, left, name);
    else if (!left && id !== this.you) this.#line(room, "arrived", `${name} joined`);
  }

  #renamed(room, id, before, after) {
    this.#line(room, "named", id === this.you ? `You are now ${after}` : `${before} is now ${after}`);
  }

  // Back within a moment: that somebody's line broke is no news. It returns the name
  // of who left, or "".
  #takeBackLeft(room, id) {
    for (let i = room.entries.length; i-- && room.entries[i].kind === "left"; ) {
      const entry = room.entries[i];
      if (entry.id !== id || Date.now() - entry.time > moment) continue;
      room.entries.splice(i, 1);
      this.dispatchEvent(new CustomEvent("trimmed", { detail: room.name }));
      return entry.name;
    }
    return "";
  }

  #line(room, kind, text, more = {}) {
    this.#add(room, { kind, text, time: Date.now(), ...more });
  }

  #add(room, entry) {
    room.entries.push(entry);
    if (room.entries.length > maxMessages) room.entries.shift();
    this.dispatchEvent(new CustomEvent("entry", { detail: { room, entry } }));
  }

  #changed(room) {
    this.dispatchEvent(new CustomEvent("change", { detail: room }));
  }
}

class Room {
  subscription = null;
  place = null; // behind the last message
  joined = false;
  droppedAt = 0; // when the connection was lost; 0: it never was
  backAt = 0; // when it was there again
  toldOf = 0; // the droppedAt of which what was missed is announced
  entries = []; // messages and lines, oldest first
  clients = new Map(); // client: user
  changes = null; // of who is here, while that is asked for
  unread = 0;

  constructor(name) {
    this.name = name;
  }

  // Names by id: one person may have several connections, for a moment.
  get people() {
    return new Map([...this.clients.values()].map((user) => [who(user).id, who(user).name]));
  }
}

// A user is an id, a dot and a name.
function who(user = "") {
  const [, id, name] = /^([^.]*)\.?([^]*)$/.exec(user);
  return { id, name: name || "Somebody" };
}

const seconds = (ms) => (ms < 1_000 ? "a moment" : `${Math.round(ms / 1_000)} s`);
