// Puts the page together: the connection, the chat, and what shows them.

import { Chat, limits } from "./chat.js";
import { Drawers } from "./drawers.js";
import { Messages } from "./messages.js";
import { Plug } from "./plug.js";
import { paintAvatar, personItem, roomItem } from "./render.js";
import { Status } from "./status.js";
import { asName, isRoom, loadId, loadName, loadRooms, saveName, saveRooms } from "./storage.js";

const $ = (id) => document.getElementById(id);
const permanent = ["lobby", "gophers", "random"]; // rooms everybody is in

const asked = location.hash.slice(1);
const rooms = new Set([...permanent, ...(isRoom(asked) ? [asked] : []), ...loadRooms()]);
const chat = new Chat({ id: loadId(), name: loadName(), rooms: [...rooms].slice(0, limits.rooms) });
const messages = new Messages();
const drawers = new Drawers();
const status = new Status(chat);

let current = ""; // the room that is shown
const drafts = new Map(); // room: text not sent yet

// Rooms.

function select(name) {
  if (!chat.rooms.has(name)) return;
  if (chat.rooms.has(current)) drafts.set(current, $("text").value);
  current = name;
  history.replaceState(null, "", "#" + name);
  const room = chat.rooms.get(name);
  room.unread = 0;
  messages.show(room, unsent());
  $("text").value = drafts.get(name) ?? "";
  $("text").placeholder = `Message #${name}`;
  showDraft();
  showRooms();
  showPeople();
}

function showRooms() {
  const joined = [...chat.rooms.values()];
  const items = joined.map((room) =>
    roomItem(room.name, { current: room.name === current, unread: room.unread, members: room.people.size }),
  );
  const focused = $("room-list").contains(document.activeElement) && document.activeElement.dataset.room;
  $("room-list").replaceChildren(...items);
  if (focused) $("room-list").querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
  const unread = joined.reduce((sum, room) => sum + room.unread, 0);
  document.title = (unread ? `(${unread}) ` : "") + `#${current} · gale chat`;
  $("side-unread").hidden = !joined.some((room) => room.unread && room.name !== current);
  $("room-title").textContent = current ? `#${current}` : "…";
  $("leave").hidden = !current || permanent.includes(current);
}

$("leave").addEventListener("click", () => {
  drafts.delete(current);
  chat.leave(current);
  keepRooms();
  $("text").focus();
});

$("room-list").addEventListener("click", (event) => {
  const name = event.target.closest("[data-room]")?.dataset.room;
  if (name) enter(name);
});

const keepRooms = () => saveRooms([...chat.rooms.keys()].filter((name) => !permanent.includes(name)));

function enter(name) {
  if (!chat.rooms.has(name)) {
    if (chat.rooms.size >= limits.rooms) {
      $("room-hint").textContent = `These are ${limits.rooms} rooms; leave one first.`;
      return;
    }
    chat.join(name);
    keepRooms();
  }
  select(name);
  drawers.close();
  if (matchMedia("(hover: hover)").matches) $("text").focus();
}

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("room-new").value.trim().toLowerCase().replace(/^#/, "").replace(/\s+/g, "-");
  if (!name) return;
  if (!isRoom(name)) {
    $("room-hint").textContent = "A room's name has letters a–z, digits and hyphens.";
    return;
  }
  $("room-hint").textContent = "";
  enter(name);
  if (current === name) $("room-new").value = "";
});
$("room-new").addEventListener("input", () => ($("room-hint").textContent = ""));

addEventListener("hashchange", () => {
  const name = location.hash.slice(1);
  if (isRoom(name) && name !== current) enter(name);
});

// Alt with an arrow goes to the next room.
addEventListener("keydown", (event) => {
  if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
  const names = [...chat.rooms.keys()];
  const step = event.key === "ArrowDown" ? 1 : names.length - 1;
  event.preventDefault();
  select(names[(names.indexOf(current) + step) % names.length]);
});

// People.

function showPeople() {
  const room = chat.rooms.get(current);
  const people = [...(room?.people ?? [])].sort(
    ([a, x], [b, y]) => (b === chat.you) - (a === chat.you) || x.localeCompare(y),
  ); // none, if the transport does not tell
  $("people-list").replaceChildren(...people.map(([id, name]) => personItem(id, name, id === chat.you)));
  const count = people.length;
  $("here-count").textContent = count === 0 ? "who is here" : count === 1 ? "only you here" : `${count} people here`;
}

// Your name.

function showName() {
  if (document.activeElement !== $("name")) $("name").value = chat.name;
  paintAvatar($("my-avatar"), chat.you, chat.name);
}

function saveNewName() {
  const name = asName($("name").value);
  if (name && name !== chat.name) {
    saveName(name);
    chat.rename(name);
  }
}

$("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("name").blur();
});
$("name").addEventListener("input", () => ($("name-hint").textContent = ""));
$("name").addEventListener("blur", () => {
  saveNewName();
  showName();
});

// Writing.

const unsent = () => chat.pending.filter((message) => message.room === current);

function showDraft() {
  const text = $("text").value;
  const left = limits.text - [...text.trim()].length;
  $("send").disabled = text.trim() === "" || left < 0;
  $("counter").textContent = left < 200 ? `${left} left` : "";
  $("counter").classList.toggle("over", left < 0);
}

function submit() {
  const text = $("text").value.trim();
  if ($("send").disabled || !current) return;
  if (!chat.say(current, text)) {
    $("hint").textContent = "Too much waits to be sent. It goes out when the connection is back.";
    return;
  }
  $("hint").textContent = "";
  $("text").value = "";
  messages.toEnd();
  showDraft();
}

$("text").addEventListener("input", showDraft);
$("text").addEventListener("keydown", (event) => {
  // On a phone Enter is a new line for some keyboards while they compose.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
  $("text").focus();
});

// A message that was refused goes back into the field.
$("messages").addEventListener("click", (event) => {
  const item = event.target.closest('[data-state="failed"]');
  if (!item) return;
  $("text").value = chat.takeBack(item.dataset.id);
  $("text").focus();
  showDraft();
});

// What comes.

chat.addEventListener("entry", ({ detail: { room, entry } }) => {
  if (entry.kind === "message" && !entry.mine && entry.how !== "history") {
    if (room.name !== current || document.visibilityState === "hidden") room.unread++;
  }
  if (room.name === current) messages.add(entry);
});

chat.addEventListener("trimmed", ({ detail: name }) => {
  if (name === current) messages.show(chat.rooms.get(name), unsent());
});

chat.addEventListener("refused", ({ detail: error }) => {
  $("hint").textContent = error.message;
});

// Changes come in bursts; they are shown once per frame.
let changed = new Set();
chat.addEventListener("change", ({ detail: room }) => {
  if (changed.size === 0) queueMicrotask(showChanges);
  changed.add(room);
});

function showChanges() {
  const shown = changed;
  changed = new Set();
  if (!chat.rooms.has(current)) select(firstRoom());
  showName();
  showRooms();
  if (shown.has(null) || shown.has(current)) {
    showPeople();
    messages.showPending(unsent());
  }
}

const firstRoom = () => (current === "" && chat.rooms.has(asked) ? asked : permanent[0]);

document.addEventListener("visibilitychange", () => {
  const room = chat.rooms.get(current);
  if (document.visibilityState === "visible" && room?.unread) {
    room.unread = 0;
    showRooms();
  }
});

showName();
showDraft();
keepRooms();
new Plug(chat, status, () => current);
