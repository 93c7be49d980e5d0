// undici against gale conform: node http_undici.mjs http://127.0.0.1:9001
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Client, request, fetch, FormData } from 'undici';

const base = process.argv[2];

async function plain() {
  for (const method of ['GET', 'HEAD']) {
    const r = await request(base + '/', { method });
    assert.equal(r.statusCode, 200);
    assert.equal(await r.body.text(), method === 'GET' ? 'OK' : '');
    assert.ok(r.headers.date && r.headers.server);
  }
}

async function echo() {
  for (const size of [0, 1, 1000, 65536, 1 << 20, 8 << 20]) {
    const body = randomBytes(size);
    const r = await request(base + '/upload', { method: 'POST', body });
    assert.equal(r.statusCode, 200);
    const got = Buffer.from(await r.body.arrayBuffer());
    assert.ok(got.equals(body), `echo of ${size} bytes`);
  }
}

async function chunked() {
  const hash = createHash('sha256');
  async function* pieces() {
    for (let i = 0; i < 200; i++) {
      const piece = randomBytes(1 + ((i * 7919) % 20000));
      hash.update(piece);
      yield piece;
    }
  }
  const r = await request(base + '/', { method: 'PUT', body: pieces() });
  assert.equal(r.statusCode, 200);
  const got = createHash('sha256');
  for await (const piece of r.body) got.update(piece);
  assert.equal(got.digest('hex'), hash.digest('hex'));
}

async function pipelined() {
  const client = new Client(base, { pipelining: 16 });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
    client.request({ path: '/' + i, method: 'PUT', body: 'n' + i, idempotent: true, blocking: false }).then((r) => r.body.text())));
  answers.forEach((text, i) => assert.equal(text, 'n' + i));
  await client.close();
}

async function headers() {
  const r = await request(base + '/echo', { headers: { 'X-Mixed-Case': 'a  b', cookie: 'a=1; b=2' } });
  const text = await r.body.text();
  assert.match(text, /^x-mixed-case: a {2}b$/m);
  const c = await request(base + '/cookie', { headers: { cookie: 'a=1; b=2' } });
  assert.equal(await c.body.text(), 'a=1\nb=2\n');
}

async function form() {
  const form = new FormData();
  form.append('text', 'grüße');
  form.append('file', new Blob([randomBytes(100000)]), 'a.bin');
  const r = await fetch(base + '/', { method: 'POST', body: form });
  assert.equal(r.status, 200);
  assert.ok((await r.arrayBuffer()).byteLength > 100000);
}

async function aborted() {
  for (let i = 0; i < 20; i++) {
    const abort = new AbortController();
    const body = (async function* () {
      yield randomBytes(1000);
      abort.abort();
      yield randomBytes(1000);
    })();
    await assert.rejects(request(base + '/', { method: 'POST', body, signal: abort.signal }));
  }
  await plain();
}

for (const test of [plain, echo, chunked, pipelined, headers, form, aborted]) {
  await test();
  console.log('ok', test.name);
}
