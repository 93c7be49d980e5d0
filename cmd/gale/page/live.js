// The page of the hub: one channel over the transport of one's choice. Whoever
// comes back, over the same or another, goes on behind the last message.

import { Hub } from "./hub/client.js";
import { element } from "./render.js";
import { loadName } from "./storage.js";

const $ = (id) => document.getElementById(id);
const channel = "demo:room";
const shown = 500; // messages
const counted = 10; // by the robot at a time

const name = loadName();
let hub = null; // null: the plug is out
let room = null;
let place = null; // behind the last message
const totals = { messages: 0, connections: 0, lost: 0, twice: 0 };
const people = new Map();

const way = () => document.querySelector('input[name="way"]:checked').value;

function count() {
  for (const [id, n] of Object.entries(totals)) $(id).textContent = n;
}

function log(item) {
  const list = $("log");
  const following = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  list.append(item);
  while (list.childElementCount > shown) list.firstElementChild.remove();
  if (following) list.scrollTop = list.scrollHeight;
  count();
}

// What the page checks itself: the places of the messages are the proof.
function onmessage(m) {
  if (place?.epoch === m.epoch) {
    if (m.offset <= place.offset) totals.twice++;
    else totals.lost += m.offset - place.offset - 1;
  }
  place = { epoch: m.epoch, offset: m.offset };
  totals.messages++;
  log(
    element(
      "li",
      { "data-testid": "message" },
      element("span", { class: "place" }, String(m.offset)),
      element("span", { class: "who" }, m.from ?? "somebody"),
      element("span", { "data-testid": "words" }, String(m.data?.text ?? "")),
    ),
  );
}

function ongap(gap) {
  if (place) totals.lost += Math.max(gap.missing, 1);
  place = gap.to;
  log(element("li", { class: "gap", "data-testid": "gap" }, gap.missing < 0 ? "Messages are lost, nobody knows how many." : `${gap.missing} messages are lost.`));
}

// Who is here is known over a WebSocket.
function onpresence({ type, client, user }) {
  if (type === "joined") people.set(client, user);
  else people.delete(client);
  showPeople();
}

async function askPeople(of) {
  try {
    const { members } = await of.members(channel);
    if (of !== hub) return;
    people.clear();
    for (const { client, user } of members) people.set(client, user);
  } catch {
    people.clear(); // not over this transport
  }
  showPeople();
}

function showPeople() {
  const names = [...people].map(([client, user]) => element("li", { "data-testid": "person" }, user + (client === hub?.client ? " (you)" : "")));
  $("here").replaceChildren(...names);
}

const ways = { websocket: "WebSocket", sse: "server-sent events", poll: "long-polling" };

function show() {
  const state = hub?.state ?? "unplugged";
  $("badge").dataset.state = { online: "online", unplugged: "idle", failed: "offline" }[state] ?? "connecting";
  const text = state === "online" ? ways[hub.transport] : state;
  if ($("badge-text").textContent !== text) $("badge-text").textContent = text;
  $("plug").textContent = hub ? "Pull the plug" : "Put the plug in";
}

function unplug() {
  place = room.position ?? place;
  hub.close();
  hub = null;
  people.clear();
  showPeople();
  show();
}

function plug() {
  const forced = way() ? { transports: [way()] } : {};
  const mine = (hub = new Hub("hub", { token: name, firstDelay: 300, maxDelay: 5_000, ...forced }));
  hub.onstate = (state) => {
    if (mine !== hub) return;
    if (state === "online") {
      totals.connections++;
      count();
    }
    show();
  };
  room = hub.subscribe(channel, {
    after: place ?? undefined,
    last: 50,
    member: true,
    onmessage: (m) => mine === hub && onmessage(m),
    ongap: (gap) => mine === hub && ongap(gap),
    onpresence: (change) => mine === hub && onpresence(change),
    onsubscribed: () => mine === hub && askPeople(mine),
    onended: (error) => ($("hint").textContent = error.message),
  });
  show();
}

// The robot has a connection of its own, which is a request for each number.
let robot = null;
let number = 0;

function letCount() {
  robot ??= new Hub("hub", { token: "robot", transports: ["poll"] });
  for (let n = 0; n < counted; n++) publish(robot, String(++number));
}

async function publish(by, text) {
  try {
    await by.publish(channel, { text });
    $("hint").textContent = "";
  } catch (error) {
    $("hint").textContent = error.message;
  }
}

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  if (!hub) {
    $("hint").textContent = "The plug is out.";
    return;
  }
  $("text").value = "";
  publish(hub, text);
});
$("plug").addEventListener("click", () => (hub ? unplug() : plug()));
$("robot").addEventListener("click", letCount);
$("ways").addEventListener("change", () => {
  if (!hub) return; // it counts when the plug is in again
  unplug();
  plug();
});

plug();
