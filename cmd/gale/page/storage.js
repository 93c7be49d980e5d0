// What the browser remembers. Storage may be switched off: then it forgets.

import { randomToken } from "./chat.js";

const memory = new Map();

function read(storage, key) {
  try {
    return globalThis[storage].getItem("gale." + key) ?? memory.get(key) ?? null;
  } catch {
    return memory.get(key) ?? null;
  }
}

function write(storage, key, value) {
  memory.set(key, value);
  try {
    globalThis[storage].setItem("gale." + key, value);
  } catch {
    // The value lives as long as the page.
  }
}

const adjectives = ["Brisk", "Calm", "Bright", "Gentle", "Swift", "Merry", "Quiet", "Sunny", "Bold", "Kind"];
const animals = ["Otter", "Heron", "Lynx", "Puffin", "Gopher", "Marten", "Swallow", "Seal", "Fox", "Tern"];
const oneOf = (list) => list[Math.floor(Math.random() * list.length)];

export function loadName() {
  const known = read("localStorage", "name");
  if (known) return known;
  const name = `${oneOf(adjectives)} ${oneOf(animals)}`;
  saveName(name);
  return name;
}

export const saveName = (name) => write("localStorage", "name", name);

// The rooms the user has added.
export function loadRooms() {
  try {
    const rooms = JSON.parse(read("localStorage", "rooms") ?? "[]");
    return Array.isArray(rooms) ? rooms.filter((room) => typeof room === "string") : [];
  } catch {
    return [];
  }
}

export const saveRooms = (rooms) => write("localStorage", "rooms", JSON.stringify(rooms));

// A session belongs to one tab and survives its reload.
export const loadSession = () => read("sessionStorage", "session") ?? newSession();

export function newSession() {
  const session = randomToken(16);
  write("sessionStorage", "session", session);
  return session;
}
