// ws against gale conform: node websocket_ws.mjs ws://127.0.0.1:9001
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import WebSocket from 'ws';

const base = process.argv[2];

async function dial(path = '/', options = {}) {
  const ws = new WebSocket(base + path, { perMessageDeflate: false, ...options });
  await once(ws, 'open');
  return ws;
}

async function closed(ws, code, reason) {
  const done = once(ws, 'close');
  ws.close(code, reason);
  const [got] = await done;
  return got;
}

async function messages() {
  const ws = await dial('/a/b?c=d');
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20]) {
    const data = randomBytes(size);
    const answer = once(ws, 'message');
    ws.send(data);
    const [got, binary] = await answer;
    assert.ok(binary && got.equals(data), `binary of ${size} bytes`);
  }
  const answer = once(ws, 'message');
  ws.send('grüße 🎈');
  const [text, binary] = await answer;
  assert.ok(!binary && text.toString() === 'grüße 🎈');
  assert.equal(await closed(ws, 3456, 'done'), 3456);
}

async function offersDeflate() {
  const ws = await dial('/', { perMessageDeflate: true });
  const answer = once(ws, 'message');
  ws.send('x'.repeat(5000));
  assert.equal((await answer)[0].toString(), 'x'.repeat(5000));
  assert.equal(await closed(ws, 1000), 1000);
}

async function fragments() {
  const ws = await dial();
  const answer = once(ws, 'message');
  for (let i = 0; i < 100; i++) {
    ws.send('ä'.repeat(i), { fin: false, binary: false });
    if (i % 10 === 0) ws.ping('between');
  }
  ws.send('', { fin: true });
  assert.equal((await answer)[0].toString().length, 4950);
  assert.equal(await closed(ws, 1000), 1000);
}

async function pings() {
  const ws = await dial();
  const pong = once(ws, 'pong');
  ws.ping('p'.repeat(125));
  assert.equal((await pong)[0].toString(), 'p'.repeat(125));
  assert.equal(await closed(ws, 1001), 1001);
}

async function burst() {
  const ws = await dial();
  const n = 5000;
  let seen = 0;
  const done = new Promise((resolve, reject) => {
    ws.on('message', (data) => {
      if (data.toString() !== String(seen++)) reject(new Error('out of order at ' + seen));
      if (seen === n) resolve();
    });
  });
  for (let i = 0; i < n; i++) ws.send(String(i));
  await done;
  assert.equal(await closed(ws, 1000), 1000);
}

async function foreignOrigin() {
  const ws = new WebSocket(base, { origin: 'http://evil.example' });
  const [error] = await once(ws, 'error');
  assert.match(error.message, /403/);
}

async function tooLarge() {
  const ws = await dial();
  const done = once(ws, 'close');
  ws.on('error', () => {}); // the server may close while it is still sent to
  ws.send(Buffer.alloc((32 << 20) + 1));
  assert.equal((await done)[0], 1009);
}

for (const test of [messages, offersDeflate, fragments, pings, burst, foreignOrigin, tooLarge]) {
  await test();
  console.log('ok', test.name);
}
