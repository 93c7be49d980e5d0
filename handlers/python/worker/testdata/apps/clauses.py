"""An ASGI application that plays one clause of the specification for each path, and notes what it saw.

The job "notes" returns the notes of a path as JSON.
"""
import asyncio
import contextvars
import enum
import http
import json
import os
import sys
import tempfile
import time

import gale

notes = {}
gates = {}
var = contextvars.ContextVar("var", default=None)


@gale.job("notes")
def read_notes(payload):
    return json.dumps(notes.get(payload.decode(), []))


@gale.job("open")
async def open_gate(payload):
    gate(payload.decode()).set()


def gate(name):
    if name not in gates:
        gates[name] = asyncio.Event()
    return gates[name]


def plain(value):
    """Returns a message as JSON has it."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, bytes):
        return value.decode("latin-1") if len(value) < 100 else len(value)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


class Exchange:
    """receive and send that note what they return and raise."""

    def __init__(self, scope, receive, send):
        self.scope, self._receive, self._send = scope, receive, send
        self.notes = notes.setdefault(scope["path"], [])

    def note(self, value):
        self.notes.append(plain(value))

    async def receive(self):
        message = await self._receive()
        self.note(message)
        return message

    async def send(self, message):
        await self._send(message)

    async def attempt(self, message):
        try:
            await self._send(message)
            self.note("sent")
        except Exception as e:
            self.note([type(e).__name__, isinstance(e, OSError)])

    async def start(self, status=200, headers=(), **more):
        await self._send({"type": "http.response.start", "status": status, "headers": headers, **more})

    async def body(self, body=b"", **more):
        await self._send({"type": "http.response.body", "body": body, **more})

    async def answer(self, body=b"ok"):
        await self.start()
        await self.body(body)


async def app(scope, receive, send):
    if scope["type"] not in ("http", "websocket"):
        raise ValueError("unknown scope")
    x = Exchange(scope, receive, send)
    await CLAUSES[scope["path"].split("/")[1]](x)


async def scope(x):
    s = dict(x.scope)
    s["exact"] = [type(x.scope) is dict, all(type(n) is bytes and type(v) is bytes for n, v in s["headers"])]
    s["state"] = dict(s["state"], seen=var.get())
    x.scope["state"]["mine"] = 1
    var.set(x.scope["path"])
    await x.answer(json.dumps(plain(s)).encode())


async def echo(x):
    parts = []
    while True:
        message = await x.receive()
        parts.append(message["body"])
        if not message["more_body"]:
            break
    await x.answer(b"".join(parts))


async def wait_disconnect(x):
    """After the body receive blocks, then says http.disconnect on every call."""
    await x.receive()
    await x.receive()
    await x.receive()
    await x.attempt({"type": "http.response.start", "status": 200})
    x.note("end")


async def cancelled_receive(x):
    await x.receive()
    for _ in range(3):
        try:
            await asyncio.wait_for(x.receive(), 0.01)
        except asyncio.TimeoutError:
            x.note("timeout")
    task = asyncio.ensure_future(x.receive())
    other = asyncio.ensure_future(x.receive())
    await asyncio.sleep(0)
    task.cancel()
    await x.start()
    await x.body(b"go", more_body=True)
    await other
    await x.body(b"done")


async def after_completion(x):
    await x.answer()
    await x.attempt({"type": "http.response.body", "body": b"more"})
    await x.attempt({"type": "http.response.start", "status": 500})
    await x.receive()
    await x.receive()


async def background(x):
    await x.answer()
    await gate(x.scope["path"]).wait()
    x.note("background")


async def wakes_during_send(x):
    """A send that waits for credit ends when the client leaves; so does a receive beside it."""

    async def listen():
        await x.receive()
        await x.receive()

    listener = asyncio.ensure_future(listen())
    await x.start()
    try:
        await x.body(b"x" * (1 << 20))
    except OSError as e:
        x.note(type(e).__name__)
    await listener
    raise gale.ClientDisconnected  # bubbles up, and is not logged


async def faults(x):
    """Messages that must raise out of send."""
    for message in (
        {"type": "http.response.body", "body": b""},
        {"type": "http.response.start"},
        {"type": "http.response.start", "status": "200"},
        {"type": "http.response.start", "status": 101},
        {"type": "http.response.start", "status": 200, "headers": [("name", b"value")]},
        {"type": "http.response.start", "status": 200, "headers": [(b"name", "value")]},
        {"type": "http.response.start", "status": 200, "headers": [b"name"]},
        {"type": "http.response.start", "status": 200, "headers": 5},
        {"type": "websocket.accept"},
        {"type": "http.response.push", "path": "/"},
        {"type": "unknown"},
        {"no type": 1},
        {"type": 5},
    ):
        await x.attempt(message)
    await x.start()
    await x.attempt({"type": "http.response.start", "status": 200})
    await x.attempt({"type": "http.response.body", "body": "text"})
    await x.attempt({"type": "http.response.trailers", "headers": []})
    await x.attempt({"type": "http.response.body", "body": b"ok", "extra": 1})


class Status(enum.IntEnum):
    TEAPOT = 418


class Name(bytes):
    pass


async def odd_types(x):
    """Subclasses of the builtins and buffers are taken, and copied."""
    body = bytearray(b"first")
    await x.start(Status.TEAPOT, [[Name(b"name"), memoryview(b"value")]])
    await x.body(body, more_body=True)
    body[:] = b"xxxxx"
    await x.body(memoryview(b"second"))


async def http_status(x):
    await x.start(http.HTTPStatus.NOT_FOUND, ((n, v) for n, v in [(b"a", b"b")]))
    await x.body(Name(b"gone"))


async def huge_headers(x):
    await x.start(200, [(b"x", b"y" * 1000)] * 2000)
    await x.body(b"")


async def returns(x):
    pass


async def returns_early(x):
    await x.start()
    await x.body(b"part", more_body=True)


async def raises(x):
    raise KeyError("before the head")


async def raises_held(x):
    await x.start()
    raise KeyError("the head is still held")


async def raises_late(x):
    await x.start()
    await x.body(b"part", more_body=True)
    raise KeyError("after the head")


async def exits(x):
    sys.exit("no")


async def slow_head(x):
    """The head leaves although the body is late."""
    await x.start()
    await gate(x.scope["path"]).wait()
    await x.body(b"late")


async def stream(x):
    await x.start(200, [(b"content-type", b"text/plain")])
    await x.body(b"", more_body=True)
    for part in (b"one", b"", b"two"):
        await x.body(part, more_body=True)
    await x.body(b"")


async def large(x):
    await x.start()
    for i in range(4):
        await x.body(bytes([65 + i]) * (100 << 10), more_body=True)
        x.note(i)
    await x.body()
    x.note("end")


async def one_large(x):
    await x.answer(b"x" * (100 << 10))


async def trailers(x):
    await x.start(200, [(b"trailer", b"sum")], trailers=True)
    await x.body(b"body")
    await x.send({"type": "http.response.trailers", "headers": [(b"sum", b"1")], "more_trailers": True})
    await x.send({"type": "http.response.trailers", "headers": [(b"sum", b"2")]})
    await x.attempt({"type": "http.response.trailers", "headers": []})


async def hint(x):
    await x.send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await x.start()
    await x.send({"type": "http.response.early_hint", "links": [b"</b.css>; rel=preload"]})
    await x.body(b"1", more_body=True)
    await x.attempt({"type": "http.response.early_hint", "links": []})
    await x.body(b"2")


async def path(x):
    await x.start(200, [(b"content-length", b"5")])
    await x.attempt({"type": "http.response.pathsend", "path": "relative"})
    await x.send({"type": "http.response.pathsend", "path": "/etc/hostname"})
    await x.receive()


async def zero_copy(x):
    with tempfile.TemporaryFile() as f:
        f.write(b"0123456789")
        f.seek(2)
        await x.start()
        await x.send({"type": "http.response.zerocopysend", "file": f, "count": 3, "more_body": True})
        await x.body(b"-", more_body=True)
        await x.send({"type": "http.response.zerocopysend", "file": f, "more_body": True})
        await x.send({"type": "http.response.zerocopysend", "file": f, "offset": 0, "count": 2})


async def drain(x):
    await x.send({"type": "gale.drain"})
    await x.receive()
    await x.receive()
    x.note([gale.is_draining(), await gale.draining()])
    await x.answer()


async def block(x):
    time.sleep(float(x.scope["query_string"]))
    await x.answer()


async def fork(x):
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    await x.answer(b"parent" if pid else b"child")


async def close3(x):
    try:
        os.close(3)
    except OSError:
        pass
    await x.answer()


# WebSockets.


async def ws_echo(x):
    assert (await x.receive()) == {"type": "websocket.connect"}
    await x.send({"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-a", b"b")]})
    while True:
        message = await x.receive()
        if message["type"] == "websocket.disconnect":
            await x.receive()
            await x.attempt({"type": "websocket.send", "text": "late"})
            return
        await x.send({**message, "type": "websocket.send"})


async def ws_close(x):
    await x.receive()
    await x.send({"type": "websocket.accept"})
    await x.send({"type": "websocket.close", "code": 4000, "reason": "bye"})
    await x.attempt({"type": "websocket.send", "text": "ignored"})
    await x.receive()


async def ws_refuse(x):
    await x.receive()
    await x.send({"type": "websocket.close"})
    await x.receive()


async def ws_deny(x):
    await x.receive()
    await x.send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"a", b"b")]})
    await x.attempt({"type": "websocket.accept"})
    await x.send({"type": "websocket.http.response.body", "body": b"no", "more_body": True})
    await x.send({"type": "websocket.http.response.body", "body": b"!"})


async def ws_faults(x):
    await x.receive()
    for message in (
        {"type": "websocket.send", "text": "early"},
        {"type": "websocket.accept", "headers": [(b"Sec-WebSocket-Protocol", b"x")]},
        {"type": "websocket.accept", "subprotocol": 5},
        {"type": "websocket.http.response.body", "body": b""},
        {"type": "http.response.start", "status": 200},
    ):
        await x.attempt(message)
    await x.send({"type": "websocket.accept"})
    for message in (
        {"type": "websocket.accept"},
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": "a", "bytes": b"b"},
        {"type": "websocket.send", "text": b"bytes"},
        {"type": "websocket.send", "bytes": "text"},
        {"type": "websocket.send", "text": "\ud800"},
        {"type": "websocket.close", "code": "1000"},
        {"type": "websocket.http.response.start", "status": 200},
    ):
        await x.attempt(message)


async def ws_large(x):
    await x.receive()
    await x.send({"type": "websocket.accept"})
    await x.send({"type": "websocket.send", "text": "\u00e9\U0001f600" * 50000})
    await x.send({"type": "websocket.send", "bytes": b"z" * 300000})
    await x.receive()


async def ws_raises(x):
    await x.receive()
    await x.send({"type": "websocket.accept"})
    raise KeyError("in a WebSocket")


async def ws_slow(x):
    await x.receive()
    await x.send({"type": "websocket.accept"})
    await gate(x.scope["path"]).wait()
    while (await x.receive())["type"] == "websocket.receive":
        pass


CLAUSES = {name: f for name, f in list(globals().items()) if asyncio.iscoroutinefunction(f) and name != "app"}
