// Takes the time of the round trip over the hub's WebSocket, in a thread of its own
// so that drawing the page is not measured. It says {state} and, for each pong, {at,
// ms}: when the ping was sent, in milliseconds since 1970, and how long it took.

import { randomToken } from "./random.js";

const interval = 100; // ms
const maxUnanswered = 50; // pings; more are not sent
const delay = 1000; // ms, before a lost connection is opened again

const url = new URL("hub/ws", location.href.replace(/^http/, "ws"));
const now = () => performance.timeOrigin + performance.now();

function open() {
  const socket = new WebSocket(url, "gale.hub.v1");
  let timer = 0;
  let id = 0;
  const sent = new Map(); // id: when
  const command = (name, body) => socket.send(JSON.stringify({ id: ++id, [name]: body }));
  socket.onopen = () => command("connect", { token: `${randomToken(16)}.Round%20trip` });
  socket.onmessage = ({ data }) => {
    for (const message of [].concat(JSON.parse(data))) {
      if (message.pong) {
        const at = sent.get(message.id);
        sent.delete(message.id);
        postMessage({ at, ms: now() - at });
      } else if (message.connected) {
        postMessage({ state: "online" });
        timer = setInterval(() => {
          if (sent.size >= maxUnanswered) return;
          sent.set(id + 1, now());
          command("ping", {});
        }, interval);
      }
    }
  };
  socket.onclose = () => {
    clearInterval(timer);
    postMessage({ state: "waiting" });
    setTimeout(open, delay * (0.5 + Math.random()));
  };
}

open();
