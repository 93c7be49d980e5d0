// Makes elements of data. Text goes in as text, never as markup.

export function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) e.setAttribute(name, "");
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}

export function avatar(id, name) {
  const e = element("span", { class: "avatar", "aria-hidden": "true" });
  paintAvatar(e, id, name);
  return e;
}

export function paintAvatar(e, id, name) {
  e.textContent = initials(name);
  e.style.setProperty("--hue", hue(id));
}

function initials(name) {
  const words = name.split(/\s+/).filter((word) => /\p{L}|\p{N}|\p{S}/u.test(word));
  const first = (word) => [...new Intl.Segmenter().segment(word)][0].segment;
  return words.slice(0, 2).map(first).join("").toLocaleUpperCase() || "?";
}

function hue(id) {
  let h = 0;
  for (const c of id) h = (h * 31 + c.codePointAt(0)) % 3600;
  return h % 360;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export const dayOf = (time) => new Date(time).toDateString();
export const dayName = (time) => (dayOf(time) === dayOf(Date.now()) ? "Today" : date.format(time));

// One message. first: it begins a group of its author.
export function messageItem(message, { mine, first, pending = "", why = "" }) {
  const at = new Date(message.time);
  const classes = ["message", mine && "mine", first && "first", pending && "pending", pending === "failed" && "failed", message.how === "missed" && "missed"];
  const item = element(
    "li",
    {
      class: classes.filter(Boolean).join(" "),
      "data-testid": "message",
      "data-id": message.id ?? message.key,
      "data-seq": message.seq,
      "data-state": pending || "sent",
      "data-how": message.how,
    },
    avatar(message.from, message.name),
    element(
      "div",
      { class: "message-body" },
      element("span", { class: "author" }, mine ? "You" : message.name),
      element(
        "div",
        { class: "bubble" },
        element("span", { class: "words", "data-testid": "words" }, message.text),
        element("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock.format(at)),
      ),
    ),
  );
  if (why) item.lastChild.append(element("span", { class: "why" }, why));
  return item;
}

export function lineItem(text, kind = "") {
  return element("li", { class: `system ${kind}`, "data-testid": kind === "gap" ? "gap" : "line" }, text);
}

export function personItem(id, name, you) {
  const item = element(
    "li",
    { class: "person" },
    avatar(id, name),
    element("span", { class: "person-name", "data-testid": "person" }, name),
  );
  if (you) item.append(element("span", { class: "person-you" }, "you"));
  return item;
}

export function roomItem(room, { current, unread, members }) {
  const label = [room, unread && `${unread} unread`].filter(Boolean);
  const button = element(
    "button",
    {
      type: "button",
      class: unread ? "room unread" : "room",
      "data-room": room,
      "data-testid": `room-${room}`,
      "aria-current": current ? "true" : null,
      "aria-label": label.join(", "),
    },
    element("span", { class: "room-sign", "aria-hidden": "true" }, "#"),
    element("span", { class: "room-name" }, room),
  );
  if (unread) button.append(element("span", { class: "room-unread", "data-testid": `unread-${room}` }, unread > 99 ? "99+" : String(unread)));
  else if (members) button.append(element("span", { class: "room-members" }, String(members)));
  return element("li", {}, button);
}
