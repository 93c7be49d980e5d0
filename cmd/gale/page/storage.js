// What the browser remembers. Storage may be switched off: then it forgets.

import { limits } from "./chat.js";
import { randomToken } from "./random.js";

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

// asName makes of a text what the server takes for a name, or "".
export const asName = (text) => [...text.replace(/[\p{Cc}\p{Cs}\s]+/gu, " ").trim()].slice(0, limits.name).join("").trim();

export function loadName() {
  const known = asName(read("localStorage", "name") ?? "");
  if (known) return known;
  const name = `${oneOf(adjectives)} ${oneOf(animals)}`;
  saveName(name);
  return name;
}

export const saveName = (name) => write("localStorage", "name", name);

export const isRoom = (name) => typeof name === "string" && /^[a-z0-9-]{1,32}$/.test(name);

// The rooms the user has added.
export function loadRooms() {
  try {
    const rooms = JSON.parse(read("localStorage", "rooms") ?? "[]");
    return Array.isArray(rooms) ? rooms.filter((room) => isRoom(room)) : [];
  } catch {
    return [];
  }
}

export const saveRooms = (rooms) => write("localStorage", "rooms", JSON.stringify(rooms));

// Who we are belongs to one tab and survives its reload.
export function loadId() {
  const known = read("sessionStorage", "id") ?? randomToken(8);
  write("sessionStorage", "id", known);
  return known;
}
