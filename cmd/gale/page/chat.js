// The chat as data: rooms, people, messages, and what is still to be sent. It
// knows the protocol and nothing of the page.

const maxMessages = 500; // kept per room
const maxPending = 50; // unsent messages, over all rooms
const maxInFlight = 8; // sent and not confirmed
const unconfirmedTimeout = 10_000; // ms; then it is sent again

// Events: "change" (detail: room name or null), "entry" (detail: {room, entry}),
// "trimmed" (detail: room name), "refused" (detail: error of the server).
export class Chat extends EventTarget {
  #connection;
  #session;
  #toJoin = []; // rooms to enter, one after the other
  #welcomed = false;
  #draining = false;
  #sendTimer = 0;

  constructor(connection, { session, name, rooms, newSession }) {
    super();
    this.#connection = connection;
    this.#session = session;
    this.wanted = new Set(rooms); // to be in, also after a reconnect
    this.rooms = new Map(); // name: Room
    this.directory = []; // what the server has: {room, members, permanent}
    this.pending = []; // {id, room, text, time, state: "queued"|"sending"|"failed", why}
    this.name = name;
    this.shownName = name; // as the server made it unique
    this.you = "";
    this.limits = { name_runes: 24, text_runes: 2000, rooms: 16 };
    connection.addEventListener("open", () => this.#hello());
    connection.addEventListener("message", (event) => this.#receive(event.detail));
    connection.addEventListener("lost", (event) => {
      if (event.detail.code === 4001) this.#session = newSession(); // another tab has the old one
      this.#lost();
    });
  }

  // What the user does.

  rename(name) {
    this.name = name;
    this.#connection.send({ type: "name", name });
  }

  join(room) {
    this.wanted.add(room);
    if (!this.rooms.has(room)) this.rooms.set(room, new Room(room));
    this.#enter(room);
    this.#changed(room);
  }

  leave(room) {
    this.wanted.delete(room);
    this.rooms.delete(room);
    this.pending = this.pending.filter((message) => message.room !== room);
    this.#connection.send({ type: "leave", room });
    this.#changed(room);
  }

  // Queues a text; false if too much waits already.
  say(room, text) {
    if (this.pending.length >= maxPending) return false;
    this.pending.push({ id: randomToken(12), room, text, time: Date.now(), state: "queued", why: "" });
    this.#changed(room);
    this.#flush();
    return true;
  }

  // Takes back a message that failed and returns its text.
  takeBack(id) {
    const message = this.pending.find((m) => m.id === id);
    this.pending = this.pending.filter((m) => m !== message);
    this.#changed(message?.room ?? null);
    return message?.text ?? "";
  }

  askRooms() {
    this.#connection.send({ type: "rooms" });
  }

  // What the connection does.

  #hello() {
    this.#connection.send({ type: "hello", session: this.#session, name: this.name });
  }

  #lost() {
    this.#toJoin = [];
    this.#welcomed = false;
    clearTimeout(this.#sendTimer);
    for (const room of this.rooms.values()) room.joined = false;
    for (const message of this.pending) if (message.state === "sending") message.state = "queued";
    this.#changed(null);
  }

  #receive(message) {
    this["on_" + message.type]?.(message);
  }

  on_welcome(message) {
    this.you = message.you;
    this.shownName = message.name;
    this.limits = message.limits;
    this.#welcomed = true;
    this.directory = message.rooms;
    this.#draining = false;
    for (const room of message.rooms) if (room.permanent) this.wanted.add(room.room);
    this.#toJoin = [...this.wanted];
    for (const name of this.wanted) if (!this.rooms.has(name)) this.rooms.set(name, new Room(name));
    this.#connection.ready();
    this.#enterNext();
    this.#changed(null);
  }

  on_rooms(message) {
    this.directory = message.rooms;
    this.#changed(null);
  }

  on_joined(message) {
    const room = this.rooms.get(message.room);
    if (room) {
      this.#resume(room, message);
      this.#flush();
    }
    this.#toJoin = this.#toJoin.filter((name) => name !== message.room);
    this.#enterNext();
  }

  on_message(message) {
    const room = this.rooms.get(message.room);
    if (room) this.#append(room, message, "live");
  }

  on_arrived(message) {
    const room = this.rooms.get(message.room);
    if (!room || room.people.has(message.id)) return;
    room.people.set(message.id, message.name);
    const last = room.entries.at(-1);
    // Back within a moment: that somebody's line broke is no news.
    if (last?.kind === "left" && last.id === message.id && Date.now() - last.time < 15_000) {
      room.entries.pop();
      this.dispatchEvent(new CustomEvent("trimmed", { detail: room.name }));
    } else {
      this.#line(room, "arrived", `${message.name} joined`, message.id);
    }
    this.#changed(room.name);
  }

  on_left(message) {
    const room = this.rooms.get(message.room);
    if (!room || !room.people.delete(message.id)) return;
    // While the server drains, everybody leaves, to come back.
    if (!this.#draining) this.#line(room, "left", `${message.name} left`, message.id);
    this.#changed(room.name);
  }

  on_named(message) {
    if (message.id === this.you) this.shownName = message.name;
    const room = this.rooms.get(message.room);
    if (room) {
      const before = room.people.get(message.id);
      room.people.set(message.id, message.name);
      if (before && before !== message.name) this.#line(room, "named", `${before} is now ${message.name}`, message.id);
    }
    this.#changed(message.room ?? null);
  }

  on_drain() {
    if (this.#draining) return;
    this.#draining = true;
    for (const room of this.rooms.values()) this.#line(room, "notice", "The server is about to restart");
  }

  on_error(error) {
    if (error.code === "bad_name" && !this.#welcomed) {
      this.name = "Guest"; // what the browser has remembered is no name here
      this.#hello();
      return;
    }
    const message = this.pending.find((m) => m.id === error.id);
    if (error.code === "too_fast") {
      if (message) message.state = "queued";
      else if (this.#toJoin.length) setTimeout(() => this.#enterNext(), error.retry);
      this.#flushLater(error.retry);
    } else if (message) {
      message.state = "failed";
      message.why = error.text;
    } else if (this.#toJoin.includes(error.room)) {
      this.#toJoin = this.#toJoin.filter((name) => name !== error.room);
      this.wanted.delete(error.room);
      this.rooms.delete(error.room);
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
      this.#enterNext();
    } else {
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
    }
    this.#changed(error.room ?? null);
  }

  // Rooms are entered one at a time, so that what was missed in one does not
  // hold up what was missed in the others.
  #enterNext() {
    const room = this.rooms.get(this.#toJoin[0]);
    if (room) this.#connection.send({ type: "join", room: room.name, epoch: room.epoch, seq: room.seq });
  }

  #enter(room) {
    if (this.#toJoin.includes(room)) return;
    this.#toJoin.push(room);
    if (this.#toJoin.length === 1) this.#enterNext();
  }

  #resume(room, message) {
    const first = room.epoch === "";
    if (message.gap < 0) this.#line(room, "notice", "The server has started anew; what was said before is only here");
    if (message.gap > 0) this.#line(room, "notice", `${message.gap} messages in between are lost`);
    if (room.epoch !== message.epoch) {
      room.epoch = message.epoch;
      room.seq = 0;
    }
    room.people = new Map(message.members.map((person) => [person.id, person.name]));
    room.joined = true;
    for (const missed of message.messages) this.#append(room, missed, first ? "history" : "missed");
    room.seq = message.seq;
    this.#changed(room.name);
  }

  // Adds a message once: what is known by its number is only a confirmation.
  #append(room, message, how) {
    const confirmed = message.from === this.you && this.pending.some((m) => m.id === message.id);
    if (confirmed) this.pending = this.pending.filter((m) => m.id !== message.id);
    if (message.seq > room.seq) {
      room.seq = message.seq;
      const entry = { kind: "message", mine: message.from === this.you, how, ...message };
      room.add(entry);
      this.dispatchEvent(new CustomEvent("entry", { detail: { room, entry } }));
    }
    if (confirmed) this.#flush();
    this.#changed(room.name);
  }

  #line(room, kind, text, id = "") {
    const entry = { kind, id, text, time: Date.now() };
    room.add(entry);
    this.dispatchEvent(new CustomEvent("entry", { detail: { room, entry } }));
  }

  // Sends what is queued, in order, as far as it may be in flight.
  #flush() {
    let inFlight = 0;
    for (const message of this.pending) {
      if (message.state === "sending") inFlight++;
      if (message.state !== "queued" || !this.rooms.get(message.room)?.joined) continue;
      if (inFlight++ >= maxInFlight) break;
      const { id, room, text } = message;
      if (!this.#connection.send({ type: "say", room, id, text })) break;
      message.state = "sending";
      message.sentAt = performance.now();
    }
    if (inFlight) this.#flushLater(unconfirmedTimeout);
  }

  #flushLater(delay) {
    clearTimeout(this.#sendTimer);
    this.#sendTimer = setTimeout(() => {
      const now = performance.now();
      for (const message of this.pending) {
        if (message.state === "sending" && now - message.sentAt >= unconfirmedTimeout - 1) message.state = "queued";
      }
      this.#flush();
    }, delay);
  }

  #changed(room) {
    this.dispatchEvent(new CustomEvent("change", { detail: room }));
  }
}

class Room {
  constructor(name) {
    this.name = name;
    this.epoch = "";
    this.seq = 0; // of the last message seen
    this.joined = false;
    this.entries = []; // messages and lines, oldest first
    this.people = new Map(); // id: name
    this.unread = 0;
  }

  add(entry) {
    this.entries.push(entry);
    if (this.entries.length > maxMessages) this.entries.shift();
  }
}

// randomToken returns 2n hexadecimal digits. crypto.randomUUID exists only on
// pages served over TLS or from this machine.
export function randomToken(n) {
  return Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => b.toString(16).padStart(2, "0")).join("");
}
