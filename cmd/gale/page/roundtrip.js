// Takes the time of the chat's round trip, in a thread of its own so that drawing
// the page is not measured. It says {state} and, for each pong, {at, ms}: when the
// ping was sent, in milliseconds since 1970, and how long it took.

import { randomToken } from "./chat.js";

const interval = 100; // ms
const maxUnanswered = 50; // pings; more are not sent
const delay = 1000; // ms, before a lost connection is opened again

const url = new URL("chat", location.href.replace(/^http/, "ws"));
const now = () => performance.timeOrigin + performance.now();
let unanswered = 0;

function open() {
  const socket = new WebSocket(url);
  let timer = 0;
  unanswered = 0;
  const say = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => say({ type: "hello", session: randomToken(16), name: "Round trip" });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "pong") {
      unanswered--;
      postMessage({ at: message.t, ms: now() - message.t });
    } else if (message.type === "welcome") {
      postMessage({ state: "online" });
      timer = setInterval(() => {
        if (unanswered >= maxUnanswered) return;
        unanswered++;
        say({ type: "ping", t: now() });
      }, interval);
    }
  };
  socket.onclose = () => {
    clearInterval(timer);
    postMessage({ state: "waiting" });
    setTimeout(open, delay * (0.5 + Math.random()));
  };
}

open();
