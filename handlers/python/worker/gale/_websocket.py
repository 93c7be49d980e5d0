"""The websocket protocol of ASGI: receive and send of one WebSocket."""
from collections import deque

from ._errors import ClientDisconnected
from ._stream import Stream, fields, number, octets, status_of, text
from ._wire import ACCEPT, CHUNK, CLOSE, DENY, PIECE, SEND

# Phases. DENYING has the head of a response in place of the WebSocket, DENIED has begun to send it.
CONNECTING, OPEN, DENYING, DENIED, CLOSED = range(5)
NAMES = ("connecting", "open", "being denied", "being denied", "closed")


class WebSocketStream(Stream):
    """A WebSocket. Messages come and go in parts; the application sees whole ones."""

    __slots__ = ("phase", "connected", "messages", "parts", "held", "farewell", "head")

    def __init__(self, link, sid):
        Stream.__init__(self, link, sid)
        self.phase = CONNECTING
        self.connected = False  # the application has received websocket.connect
        self.messages = None  # a deque of messages that it has not received, with the bytes to give credit for
        self.parts = None  # of a message that is not complete
        self.held = 0  # bytes of these parts that gale has no credit for, because whole messages wait
        self.farewell = None  # (code, reason): it is over
        self.head = None  # (status, headers) of a denial

    # What gale says.

    def incoming(self, data, more):
        n = len(data) if type(data) is bytes or data.isascii() else size_of(data)
        if more or self.parts is not None:
            self.held += n
            if self.parts is None:
                self.parts = []
            self.parts.append(data)
            if more:
                self.release()
                return
            data = (b"" if type(data) is bytes else "").join(self.parts)
            self.parts = None
            n, self.held = self.held, 0
        if self.messages is None:
            self.messages = deque()
        self.messages.append((data, n))
        if self.waiters is not None:
            self.wake()

    def release(self):
        """Gives credit for parts: a large message flows although nobody can take it yet."""
        if self.held and not self.messages:
            held, self.held = self.held, 0
            self.took(held)

    def left(self, code, reason):
        self.gone = True
        if self.farewell is None:
            self.farewell = code, reason
        self.wake()

    def file_taken(self, ok):
        """Only requests have files."""

    # What the application calls.

    async def receive(self):
        if not self.connected:
            self.connected = True
            return {"type": "websocket.connect"}
        while True:
            if self.messages:
                data, n = self.messages.popleft()
                self.took(n)
                if self.held:
                    self.release()
                if type(data) is bytes:
                    return {"type": "websocket.receive", "bytes": data}
                return {"type": "websocket.receive", "text": data}
            if self.farewell is not None:
                return {"type": "websocket.disconnect", "code": self.farewell[0], "reason": self.farewell[1]}
            if self.drain == 2:
                self.drain = 3
                return {"type": "gale.drain"}
            future = self.waiter()
            try:
                await future
            finally:
                self.leave(future)

    async def send(self, message):
        kind = message["type"]
        phase = self.phase
        if phase == OPEN and kind == "websocket.send":
            data = payload(message)
            n = len(data) if type(data) is bytes or data.isascii() else size_of(data)
            if n <= PIECE and n <= self.window and not (self.gone or self.link.full):
                self.window -= n
                self.link.push((SEND, self.sid, data, False), n)
            else:
                await self.flow(data, n)
        elif phase == CLOSED:
            pass  # messages after completion are ignored
        elif self.gone:
            raise ClientDisconnected
        elif phase == CONNECTING and kind == "websocket.accept":
            subprotocol = message.get("subprotocol")
            if subprotocol is not None:
                subprotocol = text(subprotocol, "subprotocol")
            headers = fields(message.get("headers") or ())
            if any(name.lower() == b"sec-websocket-protocol" for name, _ in headers):
                raise ValueError("websocket.accept: subprotocol says what a sec-websocket-protocol header may not")
            self.phase = OPEN
            self.link.push((ACCEPT, self.sid, subprotocol, headers))
        elif phase in (CONNECTING, OPEN) and kind == "websocket.close":
            code = message.get("code")
            code = 1000 if code is None else int(number(code, "code"))
            reason = text(message.get("reason") or "", "reason")
            self.finish(code, reason)
            self.link.push((CLOSE, self.sid, code, reason))
        elif kind == "gale.drain" and kind in self.link.offered:
            self.ask_drain()
        elif kind.startswith("websocket.http.response.") and "websocket.http.response" in self.link.offered:
            await self.deny(kind, message)
        elif kind in ("websocket.accept", "websocket.send", "websocket.close"):
            raise RuntimeError("%s came while the WebSocket is %s" % (kind, NAMES[phase]))
        else:
            raise ValueError("unknown message type %r" % (kind,))

    async def flow(self, data, n):
        """Sends a message in parts."""
        wide = type(data) is str and len(data) != n  # a character has up to 4 bytes
        at, size = 0, len(data)
        while True:
            room = await self.allowance(4 * (size - at) if wide else size - at, 4 if wide else 1)
            part = data[at : at + (room // 4 if wide else room)]
            at += len(part)
            n = size_of(part)
            self.window -= n
            self.link.push((SEND, self.sid, part, at < size), n)
            if at == size:
                return

    async def deny(self, kind, message):
        """A response in place of the WebSocket. Its head waits for the first piece of its body."""
        if kind == "websocket.http.response.start" and self.phase == CONNECTING:
            self.head = status_of(message), fields(message.get("headers", ()))
            self.phase = DENYING
        elif kind == "websocket.http.response.body" and self.phase in (DENYING, DENIED):
            body = octets(message.get("body", b""), "body")
            more = bool(message.get("more_body", False))
            at, size = 0, len(body)
            while True:
                n = await self.allowance(size - at)
                piece = body[at : at + n]
                at += n
                self.window -= n
                more_frames = more or at < size
                if self.phase == DENYING:
                    self.phase = DENIED
                    self.link.push((DENY, self.sid, self.head[0], self.head[1], piece, more_frames), n)
                else:
                    self.link.push((CHUNK, self.sid, piece, more_frames), n)
                if at == size:
                    break
            if not more:
                self.finish(1006, "")
        else:
            raise RuntimeError("%s came while the WebSocket is %s" % (kind, NAMES[self.phase]))

    def finish(self, code, reason):
        self.phase = CLOSED
        self.over = True
        if self.farewell is None:
            self.farewell = code, reason
        self.wake()


def payload(message):
    """Returns the one of bytes and text that a websocket.send has."""
    data = message.get("bytes")
    other = message.get("text")
    if (data is None) == (other is None):
        raise ValueError("websocket.send needs one of bytes and text")
    if data is None:
        return text(other, "text")
    return data if type(data) is bytes else octets(data, "bytes")


def size_of(data):
    """Returns the bytes that a part of a message has on the wire."""
    return len(data) if type(data) is bytes or data.isascii() else len(data.encode())
