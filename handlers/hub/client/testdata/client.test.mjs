// The client against a hub in the same process. Run by TestClient, or with
//
//   node --test handlers/hub/client/testdata/client.test.mjs

import assert from "node:assert/strict";
import { test as run } from "node:test";
import { Server, idle, latency, pass, until } from "./server.mjs";

const pages = { addEventListener: [] };
globalThis.addEventListener = (type, fn, { signal }) => pages.addEventListener.push([type, fn, signal]);
const wake = (type) => pages.addEventListener.forEach(([t, fn, signal]) => t === type && !signal.aborted && fn());

const { Hub, HubError } = await import("../client.js");
const url = "http://hub.test/hub";

// A test has a server and makes Hubs, which are closed behind it; then nothing of
// them may move any more.
function test(name, fn) {
  run(name, async () => {
    const server = new Server();
    const hubs = [];
    const make = (options) => {
      const hub = new Hub(url, { ...options });
      hubs.push(hub);
      hub.states = [];
      hub.onstate = (state) => hub.states.push(state + (hub.transport && " " + hub.transport));
      return hub;
    };
    try {
      await fn(server, make);
    } finally {
      for (const hub of hubs) hub.close();
    }
    await pass(latency);
    assert.equal(server.links.size, 0, "a closed Hub holds a connection");
    const moved = () => server.requests.length + server.frames.length + server.opened.length;
    const before = moved();
    await idle(30_000);
    assert.equal(moved(), before, "a closed Hub does something");
  });
}

// A subscription and what it gets: numbers of messages, and gaps.
function listen(hub, channel, options = {}) {
  const got = [];
  const sub = hub.subscribe(channel, {
    onmessage: (m) => got.push(m.data ?? m.bytes),
    ongap: (g) => got.push(`gap ${g.missing}`),
    onended: (e) => got.push(`ended ${e.code}`),
    ...options,
  });
  return Object.assign(got, { sub });
}

const all = ["websocket", "sse", "poll"];
for (const transport of all) {
  const each = (what, fn) => test(`${transport}: ${what}`, (server, make) => fn(server, (options) => make({ transports: [transport], ...options })));

  each("history, what comes, and publishing", async (server, make) => {
    for (let n = 1; n <= 5; n++) server.publish("a", n);
    const hub = make();
    assert.equal(hub.state, "idle");
    const a = listen(hub, "a", { last: 2 });
    const b = listen(hub, "b");
    await until(() => hub.state === "online");
    await pass(100);
    const receipt = await Promise.all([hub.publish("a", 6), hub.publish("b", "x"), hub.publish("a", 7), pass(500)]);
    assert.deepEqual(receipt[2], { epoch: receipt[0].epoch, offset: 7 });
    assert.deepEqual([...a], [4, 5, 6, 7]);
    assert.deepEqual([...b], ["x"]);
    assert.deepEqual(a.sub.position, { epoch: receipt[0].epoch, offset: 7 });
    assert.deepEqual(hub.states, ["connecting", `online ${transport}`]);
  });

  each("a different last for each channel", async (server, make) => {
    for (let n = 1; n <= 5; n++) server.publish("a", n), server.publish("b", n), server.publish("c", n);
    const { epoch } = server.top("c");
    const hub = make();
    const got = [listen(hub, "a", { last: 3 }), listen(hub, "b"), listen(hub, "c", { last: 1, after: { epoch, offset: 3 } })];
    await pass(200);
    assert.deepEqual(got.map((g) => [...g]), [[3, 4, 5], [], [4, 5]]);
  });

  each("what is dropped comes back, once", async (server, make) => {
    const hub = make({ firstDelay: 100, maxDelay: 100 });
    const a = listen(hub, "a");
    const silent = listen(hub, "silent"); // nothing has come when the connection drops
    await until(() => a.sub.position);
    for (let n = 1; n <= 3; n++) server.publish("a", n);
    await pass(50);
    server.publish("a", 4); // on its way
    server.cut();
    server.publish("a", 5);
    server.publish("silent", 1);
    await until(() => a.length === 5 && silent.length === 1);
    await pass(300);
    assert.deepEqual([[...a], [...silent]], [[1, 2, 3, 4, 5], [1]]);
  });

  each("a server that starts anew is a gap", async (server, make) => {
    const hub = make({ firstDelay: 100 });
    const a = listen(hub, "a");
    await until(() => a.sub.position);
    server.publish("a", 1);
    await pass(50);
    server.born = 2; // cursors are of no use
    server.restart();
    server.publish("a", 2);
    await until(() => a.length === 3);
    await pass(1_000);
    server.publish("a", 3);
    await pass(100);
    assert.deepEqual([...a], [1, "gap -1", 2, 3]);
  });

  each("what is no longer kept is a gap", async (server, make) => {
    server.kept = 3;
    const hub = make({ firstDelay: 100 });
    const [a, b] = [listen(hub, "a"), listen(hub, "b")];
    await until(() => b.sub.position);
    server.publish("a", 1);
    await pass(50);
    server.cut();
    for (let n = 2; n <= 9; n++) server.publish("a", n);
    for (let n = 1; n <= 5; n++) server.publish("b", n); // it was empty
    await until(() => b.length > 2);
    assert.deepEqual([[...a], [...b]], [[1, "gap 5", 7, 8, 9], ["gap 2", 3, 4, 5]]);
  });

  each("all of the history, which is no gap", async (server, make) => {
    server.kept = 2;
    for (let n = 1; n <= 5; n++) server.publish("a", n);
    const a = listen(make(), "a", { after: { epoch: "", offset: 0 } });
    await pass(100);
    assert.deepEqual([...a], [4, 5]);
  });

  each("a lost reply does not double", async (server, make) => {
    const hub = make({ firstDelay: 100 });
    const a = listen(hub, "a");
    await until(() => a.sub.position);
    server.losesReplies = 1;
    const first = hub.publish("a", 1);
    const second = hub.publish("a", 2);
    await until(() => a.length === 2);
    await pass(2_000);
    assert.equal((await first).duplicate, true);
    assert.equal((await second).offset, 2);
    assert.deepEqual([...a], [1, 2]);
  });

  each("publications wait, keep their order, and are given up", async (server, make) => {
    const hub = make({ firstDelay: 100, maxDelay: 1_000, maxPending: 3, timeout: 5_000 }); // it comes back within the timeout, whatever the jitter is
    server.refuses = new Set([...all, "publish", "everything"]);
    const a = listen(hub, "a");
    const sent = [1, 2, 3].map((n) => hub.publish("a", n));
    await assert.rejects(hub.publish("a", 4), { code: "too_many" });
    await pass(1_000);
    server.refuses.clear();
    await until(() => server.channel("a").top === 3);
    await Promise.all([...sent, pass(1_000)]);
    assert.deepEqual(server.channel("a").messages.map((m) => m.data), [1, 2, 3]);
    server.refuses = new Set([...all, "publish", "everything"]);
    server.cut();
    const late = hub.publish("a", 5);
    await Promise.all([assert.rejects(late, { code: "timeout" }), pass(5_100)]);
    const last = hub.publish("a", 6);
    hub.close();
    await assert.rejects(last, { code: "closed" });
    await assert.rejects(hub.publish("a", 7), { code: "closed" });
    assert.throws(() => hub.subscribe("a"), { code: "closed" });
    assert.ok(a.length <= 3);
  });

  each("too fast waits, not allowed does not", async (server, make) => {
    const hub = make();
    let refusals = 2;
    const began = Date.now();
    server.admit = (p) => {
      if (p.channel === "b") return { code: "not_allowed", text: "you may not" };
      return refusals-- > 0 ? { code: "too_fast", text: "slowly", retry: 3_000, retry_ms: 3_000 } : null;
    };
    const sent = hub.publish("a", 1);
    await Promise.all([assert.rejects(hub.publish("b", 1), { code: "not_allowed", message: "you may not" }), pass(10_000)]);
    await Promise.all([sent, pass(10_000)]);
    assert.equal(server.channel("a").top, 1);
    assert.ok(server.channel("a").messages[0].time - began >= 3_000);
  });

  each("a channel that is refused leaves the others", async (server, make) => {
    server.allow = (name) => name.startsWith("secret") && { code: "not_allowed", text: "you may not" };
    const hub = make();
    const got = ["a", "secret1", "b", "secret2"].map((name) => listen(hub, name));
    await pass(500);
    server.publish("a", 1);
    server.publish("b", 2);
    await pass(100);
    assert.deepEqual(got.map((g) => [...g]), [[1], ["ended not_allowed"], [2], ["ended not_allowed"]]);
    assert.equal(hub.state, "online");
    listen(hub, "secret1"); // may be tried again
    await pass(100);
  });

  each("subscriptions come and go on one connection", async (server, make) => {
    const hub = make();
    const a = listen(hub, "a", { last: 10 });
    assert.throws(() => hub.subscribe("a"), { code: "bad_request" });
    await until(() => a.sub.position);
    server.publish("a", 1);
    await pass(50);
    const b = listen(hub, "b");
    await pass(100);
    server.publish("a", 2);
    server.publish("b", 1);
    a.sub.unsubscribe();
    const again = listen(hub, "a", { last: 10 });
    server.publish("a", 3);
    await pass(100);
    b.sub.unsubscribe();
    a.sub.unsubscribe(); // is over already
    await pass(100);
    server.publish("b", 2);
    server.publish("a", 4);
    await pass(100);
    assert.deepEqual([[...a], [...b], [...again]], [[1], [1], [1, 2, 3, 4]]);
    assert.equal(server.links.size, 1);
  });

  each("a token that has expired is asked for again", async (server, make) => {
    let [asked, good] = [0, "t1"];
    server.authenticate = (token) => (token === good ? null : { code: "token_expired", text: "it was good once" });
    const hub = make({ token: async () => `t${++asked}`, firstDelay: 100 });
    listen(hub, "a");
    await until(() => hub.state === "online");
    assert.equal(asked, 1);
    good = "t2";
    server.born = 2;
    server.cut();
    await until(() => hub.states.includes("waiting"));
    await until(() => hub.state === "online");
    assert.equal(asked, 2);
    good = "none";
    server.cut();
    await until(() => hub.state === "failed");
    assert.equal(hub.error.code, "token_expired");
    assert.equal(asked, 3);
    await assert.rejects(hub.publish("a", 1), { code: "token_expired" });
    await idle(60_000);
    good = "t4";
    hub.reconnect();
    await until(() => hub.state === "online");
  });

  each("a token that stays the same is not sent again", async (server, make) => {
    server.authenticate = () => ({ code: "bad_token", text: "no" });
    const hub = make({ token: "t" });
    listen(hub, "a");
    await until(() => hub.state === "failed");
    await idle(60_000);
    assert.deepEqual(hub.states, ["connecting", "failed"]);
  });

  each("a token that cannot be fetched is fetched later", async (server, make) => {
    let fails = 2;
    const hub = make({ token: () => (fails-- > 0 ? Promise.reject(new Error("no")) : "t") });
    listen(hub, "a");
    await until(() => hub.state === "online");
    assert.deepEqual(hub.states, ["connecting", "waiting", "connecting", "waiting", "connecting", `online ${transport}`]);
  });

  each("a line that is dead is noticed", async (server, make) => {
    const hub = make({ firstDelay: 100 });
    const a = listen(hub, "a");
    await until(() => a.sub.position);
    server.mute = true;
    server.publish("a", 1);
    await until(() => hub.state !== "online", 75_000);
    server.mute = false;
    await until(() => a.length);
    assert.deepEqual([...a], [1]);
  });

  each("a quiet line is not dead", async (server, make) => {
    const hub = make();
    const a = listen(hub, "a");
    await idle(300_000);
    server.publish("a", 1);
    await pass(100);
    assert.deepEqual([...a], [1]);
    assert.deepEqual(hub.states, ["connecting", `online ${transport}`]);
    assert.ok(server.opened.length < 20);
  });

  each("the plug is pulled", async (server, make) => {
    const hub = make();
    const a = listen(hub, "a");
    await until(() => a.sub.position);
    hub.reconnect();
    server.publish("a", 1);
    await until(() => a.length);
    hub.reconnect();
    hub.reconnect();
    server.publish("a", 2);
    await until(() => a.length === 2);
    await pass(100);
    assert.equal(server.links.size, 1);
  });

  each("a fault of the application's stops nothing", async (server, make) => {
    const faults = [];
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => faults.push(error.message));
    try {
      const hub = make();
      const a = listen(hub, "a", {
        onmessage: (m) => {
          throw new Error(`at ${m.data}`);
        },
      });
      await until(() => a.sub.position);
      server.publish("a", 1);
      server.publish("a", 2);
      await pass(100);
      assert.deepEqual(faults, ["at 1", "at 2"]);
      assert.equal(a.sub.position.offset, 2);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    }
  });

  each("tags and bytes", async (server, make) => {
    const hub = make();
    const a = listen(hub, "a", { tags: { lang: "en" } });
    await until(() => a.sub.position);
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);
    hub.publish("a", 1, { tags: { lang: "de" } });
    hub.publish("a", 2, { tags: { lang: "en", more: "x" } });
    hub.publish("a", bytes.buffer, { tags: { lang: "en" } });
    hub.publish("a", new DataView(bytes.buffer, 10, 3), { tags: { lang: "en" } });
    await until(() => a.length === 3);
    assert.deepEqual([...a], [2, bytes, Uint8Array.of(10, 11, 12)]);
  });
}

test("falls back, the next one at once", async (server, make) => {
  server.refuses = new Set(["websocket"]);
  const hub = make();
  const a = listen(hub, "a");
  await until(() => a.sub.position, 200);
  assert.equal(hub.transport, "sse");
  server.publish("a", 1);
  await pass(100);

  server.refuses.add("sse");
  server.cut();
  await until(() => hub.transport === "poll", 60_000);
  server.publish("a", 2);
  await pass(100);
  assert.deepEqual([...a], [1, 2]);
});

test("a WebSocket that hangs is left", async (server, make) => {
  const hub = make();
  const a = listen(hub, "a");
  server.mute = true;
  await pass(10_000);
  server.mute = false;
  await until(() => a.sub.position, 1_000);
  assert.equal(hub.transport, "sse");
});

test("a stream that a proxy holds back is left", async (server, make) => {
  server.pieces = () => [];
  const hub = make({ transports: ["sse", "poll"] });
  const a = listen(hub, "a");
  await until(() => hub.transport === "poll", 11_000);
  server.publish("a", 1);
  await pass(100);
  assert.deepEqual([...a], [1]);
});

test("climbs back, and loses nothing", async (server, make) => {
  server.refuses = new Set(["websocket", "sse"]);
  const hub = make();
  const a = listen(hub, "a");
  await until(() => hub.transport === "poll");
  let n = 0;
  const talk = async (done, limit) => {
    for (let t = 0; !done(); t += 50) {
      assert.ok(t < limit, "it never climbs");
      server.publish("a", ++n);
      await pass(50);
    }
  };
  server.refuses.delete("sse");
  await talk(() => hub.transport === "sse", 11_000); // the first time that it tries
  server.refuses.clear();
  await talk(() => hub.transport === "websocket", 21_000); // the second
  await pass(100);
  assert.deepEqual([...a], Array.from({ length: n }, (_, i) => i + 1));
  assert.equal(server.links.size, 1);
  assert.ok(!hub.states.includes("waiting"), "it climbs without an interruption");
});

test("one that has worked is tried again before it is left", async (server, make) => {
  const hub = make({ firstDelay: 1_000 });
  const a = listen(hub, "a");
  await until(() => a.sub.position);
  await pass(6_000);
  server.refuses = new Set(["websocket"]);
  server.cut();
  await until(() => hub.transport === "sse");
  assert.equal(hub.states.filter((s) => s === "waiting").length, 4);
});

test("when nothing works, it goes round, slower and slower", async (server, make) => {
  server.refuses = new Set([...all, "everything"]);
  const random = Math.random;
  Math.random = () => 1;
  try {
    const hub = make({ firstDelay: 1_000, maxDelay: 8_000 });
    const waits = [];
    hub.onstate = (state) => state === "waiting" && hub.retryAt > Date.now() && waits.push(hub.retryAt - Date.now());
    listen(hub, "a");
    await pass(40_000);
    assert.deepEqual(waits.slice(0, 6), [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    server.refuses.clear();
    await until(() => hub.state === "online");
  } finally {
    Math.random = random;
  }
});

test("full jitter", async (server, make) => {
  const random = Math.random;
  const waits = [];
  try {
    for (const chance of [0, 0.25, 0.5]) {
      Math.random = () => chance;
      const hub = make({ transports: ["websocket"], firstDelay: 1_000 });
      hub.onstate = (state) => state === "waiting" && waits.push(hub.retryAt - Date.now());
      listen(hub, "a");
      await until(() => hub.state === "online");
      server.cut();
      await pass(2 * latency);
      hub.close();
    }
  } finally {
    Math.random = random;
  }
  assert.deepEqual(waits, [0, 250, 500]);
});

test("a server that refuses this client is left alone", async (server, make) => {
  for (const code of ["not_allowed", "disconnected", "replaced"]) {
    const hub = make();
    listen(hub, "a");
    await until(() => hub.state === "online");
    [...server.links][0].end(4400, code);
    await until(() => hub.state === "failed");
    assert.equal(hub.error.code, code);
    await idle(60_000);
    assert.equal(hub.state, "failed");
    hub.reconnect();
    await until(() => hub.state === "online");
    hub.close();
  }
});

test("a server that stops is no fault of the transport", async (server, make) => {
  const hub = make();
  listen(hub, "a");
  for (let n = 0; n < 5; n++) {
    await until(() => hub.state === "online");
    [...server.links][0].end(1012, "");
    await until(() => hub.states.filter((s) => s === "waiting").length > n);
    assert.equal(hub.error.code, "draining");
  }
  await until(() => hub.state === "online");
  assert.equal(hub.transport, "websocket");
});

test("a token is refreshed before it expires", async (server, make) => {
  let asked = 0;
  server.expires = Date.now() + 100_000;
  const hub = make({ token: () => `t${++asked}` });
  listen(hub, "a");
  await idle(79_000);
  assert.equal(asked, 1);
  server.expires = Date.now() + 1e12; // longer than any timer
  await pass(2_000);
  assert.equal(asked, 2);
  assert.deepEqual(server.frames.at(-1)[0].refresh, { token: "t2" });
  await idle(60_000);
  assert.equal(asked, 2);
  server.expires = 1; // by a clock that is wrong
  hub.reconnect();
  await idle(60_000);
  assert.ok(asked < 10, `${asked} tokens`);
});

test("a token is refreshed in time whatever the page's clock says", async (server, make) => {
  for (const wrong of [-1e10, -90_000, 0, 90_000, 1e10]) {
    let asked = 0;
    server.expires = Date.now() + 100_000 + wrong;
    server.expiresIn = 100_000;
    const hub = make({ token: () => `t${++asked}` });
    listen(hub, "a");
    await idle(79_000);
    assert.equal(asked, 1, `a clock that is wrong by ${wrong} ms`);
    await idle(2_000);
    assert.equal(asked, 2, `a clock that is wrong by ${wrong} ms`);
    await idle(250_000);
    assert.equal(asked, 5, `a clock that is wrong by ${wrong} ms`);
    hub.close();
  }
});

test("a token that is good for longer than any timer is refreshed then", async (server, make) => {
  let asked = 0;
  server.expiresIn = 2 ** 31 * 2;
  listen(make({ token: () => `t${++asked}` }), "a");
  await idle(60_000);
  assert.equal(asked, 1);
});

test("commands of a moment are one message, of a bounded length", async (server, make) => {
  const hub = make({ timeout: 1e6 });
  for (let n = 0; n < 10; n++) listen(hub, `c${n}`);
  await until(() => hub.state === "online");
  await pass(50);
  assert.deepEqual(server.frames.map((f) => f.length), [1, 10]);
  server.frames.length = 0;
  const big = "x".repeat(6_000);
  await Promise.all([...Array(40).keys()].map((n) => hub.publish("c1", n + big)).concat(pass(3_000)));
  assert.deepEqual(server.channel("c1").messages.map((m) => parseInt(m.data)), Array.from({ length: 20 }, (_, i) => i + 20));
  for (const frame of server.frames) assert.ok(JSON.stringify(frame).length < 20_000);
});

test("what is no name of a channel is refused at once", async (server, make) => {
  const hub = make();
  for (const name of ["", " ", "a b", "a,b", "a*b", "**", "a\u2028"]) assert.throws(() => hub.subscribe(name), { code: "bad_channel" });
  for (const name of ["*", "a*", "ä:ö/1", "日本"]) hub.subscribe(name);
});

test("a pattern gets what comes, and a gap behind an interruption", async (server, make) => {
  const hub = make({ firstDelay: 100 });
  server.publish("news:1", 0);
  const wide = listen(hub, "news:*");
  const one = listen(hub, "news:1", { last: 5 });
  await until(() => one.length);
  server.publish("news:1", 1);
  server.publish("news:2", 2);
  server.publish("old:2", 3);
  await pass(50);
  assert.deepEqual([[...wide].sort(), [...one]], [[0, 1, 2], [0, 1]]);
  server.cut();
  await until(() => wide.length > 3);
  server.publish("news:2", 4);
  await pass(50);
  assert.deepEqual(wide.slice(3), ["gap -1", 4]);
});

test("presence, members and history", async (server, make) => {
  const hub = make();
  const seen = [];
  let live = 0;
  hub.subscribe("a", { onpresence: (p) => seen.push(p), onsubscribed: () => live++, member: true });
  await assert.rejects(hub.members("a"), { code: "not_available" });
  await until(() => live);
  assert.deepEqual(server.frames.at(-1)[0].subscribe, { channel: "a", presence: true, member: true });
  const link = [...server.links][0];
  link.push([{ joined: { channel: "a", client: "c2", user: "bob" } }, { left: { channel: "a", client: "c2", user: "bob" } }]);
  link.push({ something: {} }); // a client ignores what it does not know
  await pass(50);
  assert.deepEqual(seen.map((p) => [p.type, p.client]), [["joined", "c2"], ["left", "c2"]]);
  const asked = hub.members("a", { limit: 5 });
  await pass(50);
  assert.deepEqual(await asked, { channel: "a", limit: 5, total: 1 });
  const unanswered = hub.history("a", { last: 5 });
  server.cut();
  await Promise.all([assert.rejects(unanswered, (e) => e instanceof HubError && e.code === "lost"), pass(50)]);
  await until(() => live === 2);
});

test("a subscription that ends", async (server, make) => {
  const hub = make();
  const [a, b] = [listen(hub, "a"), listen(hub, "b")];
  await until(() => b.sub.position);
  const link = [...server.links][0];
  for (const [channel, code] of [["a", "not_allowed"], ["b", "unavailable"]]) {
    link.reader.places.delete(channel);
    link.push({ ended: { channel, code, text: "" } });
  }
  server.publish("b", 1); // comes when it is subscribed to again
  await pass(5_000);
  assert.deepEqual([[...a], [...b]], [["ended not_allowed"], [1]]);
});

test("a page that wakes up, a network that comes back", async (server, make) => {
  const hub = make({ firstDelay: 20_000 });
  const a = listen(hub, "a");
  await until(() => a.sub.position);
  server.cut();
  await until(() => hub.states.includes("waiting"));
  wake("online");
  await until(() => hub.state === "online", 100);
  await pass(100);
  server.mute = true;
  wake("offline"); // the line is tested at once
  await until(() => hub.state !== "online", 10_500);
});

test("a stream in any pieces and with any ends of lines", async (server, make) => {
  const text = 'x\u2028y "😀" \r\n';
  for (const end of ["\n", "\r\n"]) {
    server.pieces = (bytes) => Array.from(new TextDecoder().decode(bytes).replaceAll("\n", end)).flatMap((c) => [...new TextEncoder().encode(c)].map((b) => Uint8Array.of(b)));
    const hub = make({ transports: ["sse"] });
    const a = listen(hub, "a");
    await until(() => a.sub.position);
    for (let n = 1; n <= 3; n++) server.publish("a", text + n);
    server.publish("b", 1);
    await pass(21_000); // with a heartbeat
    assert.deepEqual([...a], [1, 2, 3].map((n) => text + n));
    hub.close();
  }
});

test("a stream says what has ended, and why", async (server, make) => {
  const hub = make({ transports: ["sse"] });
  const a = listen(hub, "a");
  await until(() => a.sub.position);
  const link = [...server.links][0];
  const ended = (o) => link.event("ended", { text: "", ...o });
  link.say(ended({ channel: "a", code: "not_allowed" }) + ended({ code: "not_allowed" })); // that was all of it
  link.finish();
  await pass(50);
  assert.deepEqual([...a], ["ended not_allowed"]);
  assert.equal(hub.state, "online");
  const b = listen(hub, "b");
  await until(() => b.sub.position);
  server.publish("b", 1);
  await until(() => b.length);
  [...server.links][0].say("retry: 7000\n" + ended({ code: "too_many" }));
  await until(() => hub.state === "waiting");
  assert.equal(hub.error.code, "too_many");
  assert.ok(hub.retryAt - Date.now() > 6_900);
  await until(() => hub.state === "online");
  [...server.links][0].say(ended({ code: "disconnected" }));
  await until(() => hub.state === "failed");
});

test("a stream that ends is followed by another", async (server, make) => {
  const hub = make({ transports: ["sse"] });
  const a = listen(hub, "a");
  await idle(100_000);
  [...server.links][0].say("retry: 700\n\n"); // sooner than usual: it has lived its life
  [...server.links][0].finish();
  server.publish("a", 1);
  await pass(50);
  assert.deepEqual([...a], [1]);
  assert.deepEqual(hub.states, ["connecting", "online sse"]);
  await pass(1_000);
  [...server.links][0].say("retry: 3000\n\n"); // the server stops
  [...server.links][0].finish();
  await until(() => hub.state === "waiting");
  assert.ok(hub.retryAt - Date.now() >= 2_900);
  server.publish("a", 2);
  await until(() => a.length === 2);
});

test("a cursor of another secret is no interruption", async (server, make) => {
  const hub = make({ transports: ["poll"] });
  const [a, b] = [listen(hub, "a"), listen(hub, "b")];
  await until(() => b.sub.position);
  server.publish("a", 1);
  await pass(100);
  server.publish("a", 2);
  server.born = 2; // this poll is answered, the next refused
  await pass(4 * latency);
  server.publish("b", 3);
  await pass(200);
  assert.deepEqual([[...a], [...b]], [[1, 2], [3]]);
  assert.deepEqual(hub.states, ["connecting", "online poll"]);
});

test("requests that overtake each other do not change the order", async (server, make) => {
  const hub = make({ transports: ["sse"] });
  const a = listen(hub, "a");
  await until(() => a.sub.position);
  let lag = 100;
  server.lag = () => (lag = Math.max(latency, lag - 20));
  const sent = [1, 2, 3, 4, 5].map((n) => hub.publish("a", n));
  await Promise.all([...sent, pass(1_000)]);
  assert.deepEqual([...a], [1, 2, 3, 4, 5]);
});

test("a poll that is answered with nothing is not repeated at once", async (server, make) => {
  const hub = make({ transports: ["poll"] });
  server.impatient = true;
  listen(hub, "a");
  await until(() => hub.state === "online");
  server.requests.length = 0;
  await pass(10_000);
  assert.ok(server.requests.length <= 12, `${server.requests.length} polls in 10 s`);
});

// Everything at once, by chance: a plain list says what must have come.
const rounds = parseInt(process.env.GALE_TEST) || 1;
for (let seed = 1; seed <= 4 * rounds; seed++) {
  test(`by chance, ${seed}`, async (server, make) => {
    let state = seed * 2654435761;
    const chance = (n) => {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
      return ((state ^ (state >>> 12)) >>> 0) % n;
    };
    server.kept = 5 + chance(30);
    const random = Math.random;
    Math.random = () => chance(1000) / 1000;
    try {
      await chaos(server, make, chance);
    } finally {
      Math.random = random;
    }
  });
}

async function chaos(server, make, chance) {
  const truth = new Map(); // channel: everything that was ever published, in order
  const heard = new Set();
  const publish = (name) => {
    if (!truth.has(name)) truth.set(name, []);
    const list = truth.get(name);
    list.push(list.length);
    server.publish(name, list.length - 1);
  };
  const hub = make({ firstDelay: 50, maxDelay: 500, timeout: 1e6 });
  const join = (name) => {
    const one = { name, got: [], begun: false, first: truth.get(name)?.length ?? 0 };
    one.sub = hub.subscribe(name, {
      onmessage: (m) => one.got.push(m.data),
      ongap: (g) => one.got.push(g.missing < 0 ? "?" : { missing: g.missing }),
      onsubscribed: () => (one.begun ||= true),
    });
    heard.add(one);
    return one;
  };
  const names = ["a", "b", "c", "d"];
  const joined = new Map();
  let written = 0;
  const receipts = [];
  for (let step = 0; step < 400; step++) {
    const name = names[chance(names.length)];
    switch (chance(12)) {
      case 0:
        if (joined.has(name)) {
          joined.get(name).sub.unsubscribe();
          joined.get(name).over = true;
          joined.delete(name);
        } else {
          joined.set(name, join(name));
        }
        break;
      case 1:
        if (chance(3) === 0) server.cut();
        break;
      case 2:
        if (chance(8) === 0) server.refuses = new Set(all.filter(() => chance(3) === 0));
        break;
      case 3:
        if (chance(20) === 0) {
          server.born = step;
          server.restart();
        }
        break;
      case 4:
        server.losesReplies = chance(2);
        receipts.push(hub.publish("mine", written++));
        break;
      case 5:
        if (chance(10) === 0) hub.reconnect();
        break;
      case 6:
        if (chance(10) === 0) wake("online");
        break;
      default:
        for (let n = chance(4); n >= 0; n--) publish(name);
    }
    await pass(chance(10) * latency);
    if (chance(40) === 0) await idle(chance(20_000));
  }
  server.refuses.clear();
  server.losesReplies = 0;
  for (const name of names) if (!joined.has(name)) joined.set(name, join(name));
  await until(() => hub.state === "online" && [...joined.values()].every((one) => one.begun), 120_000);
  for (const name of names) publish(name); // so that every subscription has an end
  await until(() => [...joined].every(([name, one]) => one.got.at(-1) === truth.get(name).length - 1), 120_000);
  for (const one of heard) check(one);

  await Promise.all([...receipts, pass(60_000)]);
}

// What came is what was published, from some place on, without a hole that no gap
// has told of.
function check({ name, got, first }) {
  let [next, last] = [-1, first - 1];
  for (const item of got) {
    if (item === "?") next = -1;
    else if (item.missing) next = next < 0 ? next : next + item.missing;
    else {
      if (next >= 0) assert.equal(item, next, `${name}: ${JSON.stringify(got)}`);
      assert.ok(item > last, `${name}: twice, or before its time: ${JSON.stringify(got)}`);
      [next, last] = [item + 1, item];
    }
  }
}
