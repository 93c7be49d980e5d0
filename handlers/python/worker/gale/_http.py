"""The http protocol of ASGI: receive and send of one request."""
import os

from ._errors import ClientDisconnected
from ._stream import Stream, fields, number, octets, status_of, text
from ._wire import CHUNK, FILE, HINT, PIECE, RESPONSE, START, TRAILERS

# Phases of a response. Each accepts the message that follows from it.
HEAD, BODY, TRAILER, DONE = range(4)
EXPECTED = ("http.response.start", "http.response.body", "http.response.trailers", "nothing")


class HTTPStream(Stream):
    """A request. The head is held until the first piece of the body: most responses are one frame."""

    __slots__ = ("body", "more", "phase", "head", "trailers", "taken")

    def __init__(self, link, sid, body, more):
        Stream.__init__(self, link, sid)
        self.body = None if more and not body else body  # bytes that came: None, bytes, or a list of them
        self.more = more  # more will come
        self.phase = HEAD
        self.head = None  # (status, headers) that is held
        self.trailers = False  # they follow the body
        self.taken = None  # a future: gale's answer to a file

    # What gale says.

    def incoming(self, data, more):
        if self.body is None:
            self.body = data
        elif type(self.body) is list:
            self.body.append(data)
        else:
            self.body = [self.body, data]
        self.more = more
        self.wake()

    def left(self, code, reason):
        self.gone = True
        self.file_taken(False)
        self.wake()

    def file_taken(self, ok):
        if self.taken is not None and not self.taken.done():
            self.taken.set_result(ok)

    # What the application calls.

    async def receive(self):
        while True:
            if self.phase == DONE:
                return {"type": "http.disconnect"}
            body = self.body
            if body is not None:
                self.body = None
                if type(body) is list:
                    body = b"".join(body)
                if body:
                    self.took(len(body))
                return {"type": "http.request", "body": body, "more_body": self.more}
            if self.gone:
                return {"type": "http.disconnect"}
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
        if kind == "http.response.body" and phase == BODY:
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = octets(body, "body")
            more = message.get("more_body", False)
            head = self.head
            if head is None or more or self.trailers or len(body) > PIECE:
                await self.flow(body, bool(more))
            elif self.gone:
                raise ClientDisconnected
            else:  # all of it
                self.head = None
                self.done()
                self.link.push((RESPONSE, self.sid, head[0], head[1], body), len(body))
                if self.link.full:
                    await self.link.room(len(body))
        elif phase == DONE:
            pass  # messages after completion are ignored
        elif self.gone:
            raise ClientDisconnected
        elif kind == "http.response.start" and phase == HEAD:
            self.head = (status_of(message), fields(message.get("headers", ())))
            self.trailers = bool(message.get("trailers", False))
            self.phase = BODY
            self.link.hold(self)
        else:
            await self.rare(kind, message)

    async def rare(self, kind, message):
        """Extensions, and what is out of order or unknown."""
        extension = self.EXTENSIONS.get(kind)
        if extension is None or kind not in self.link.offered:
            if kind in EXPECTED:
                raise RuntimeError("%s came where %s is expected" % (kind, EXPECTED[self.phase]))
            raise ValueError("unknown message type %r" % (kind,))
        await extension(self, message)

    async def drain_wanted(self, message):
        self.ask_drain()

    # How it goes out.

    def done(self):
        self.phase = DONE
        self.over = True
        if self.waiters is not None:
            self.wake()

    def release(self):
        """Sends the head that is held: the application takes its time with the body."""
        if self.begin():
            self.link.push((CHUNK, self.sid, b"", True))

    def begin(self):
        """Sends the head without a body, which gale holds until the next frame."""
        head, self.head = self.head, None
        if head is None or self.gone:
            return False
        self.link.push((START, self.sid, head[0], head[1], self.trailers, b""))
        return True

    async def flow(self, body, more):
        """Sends a piece of the body, in as many frames as it takes."""
        size = len(body)
        rest = memoryview(body) if size > PIECE else body
        while True:
            n = await self.allowance(size)
            piece = rest if n == size else rest[:n]
            last = n == size and not more
            self.window -= n
            head, self.head = self.head, None
            if head is not None:
                self.link.push((START, self.sid, head[0], head[1], self.trailers, piece), n)
                piece = b""
            if last:
                self.phase = TRAILER
                self.link.push((CHUNK, self.sid, piece, False), n)
                if not self.trailers:
                    self.done()
            elif piece or not n:
                self.link.push((CHUNK, self.sid, piece, True), n)
            size -= n
            if not size:
                return
            rest = rest[n:]

    async def trailer(self, message):
        self.expect(TRAILER)
        more = bool(message.get("more_trailers", False))
        self.link.push((TRAILERS, self.sid, fields(message.get("headers", ())), more))
        if not more:
            self.done()

    async def hint(self, message):
        """103 (Early Hints): before the final status line, which is held until the body begins."""
        if self.phase != HEAD and self.head is None:
            raise RuntimeError("http.response.early_hint came after the head of the response was sent")
        self.link.push((HINT, self.sid, [octets(link, "a link") for link in message["links"]]))

    async def path(self, message):
        path = text(message["path"], "path")
        self.expect(BODY)
        if self.head is None:
            raise RuntimeError("http.response.pathsend came after http.response.body")
        if not os.path.isabs(path):
            raise ValueError("http.response.pathsend needs an absolute path")
        self.begin()
        self.link.push((FILE, self.sid, path, 0, -1, False))
        self.done()

    async def zero_copy(self, message):
        """A piece of a file. gale sends it; what gale cannot, goes as any piece."""
        file = message["file"]
        fd = file if type(file) is int else file.fileno()
        offset = message.get("offset")
        count = message.get("count")
        more = bool(message.get("more_body", False))
        self.expect(BODY)
        at = os.lseek(fd, 0, os.SEEK_CUR) if offset is None else number(offset, "offset")
        size = max(os.fstat(fd).st_size - at, 0)
        if count is not None:
            size = min(size, number(count, "count"))
        self.begin()
        self.taken = self.link.loop.create_future()
        self.link.push((FILE, self.sid, fd, at, size, True))
        ok = await self.taken
        self.taken = None
        if self.gone:
            raise ClientDisconnected
        if offset is None:
            os.lseek(fd, at + size, os.SEEK_SET)  # as sendfile(2) does
        if not ok:
            await self.copy(fd, at, size)
        if not more:
            await self.flow(b"", False)

    async def copy(self, fd, at, size):
        end = at + size
        while at < end:
            piece = await self.link.loop.run_in_executor(None, os.pread, fd, min(PIECE, end - at), at)
            if not piece:
                raise OSError("the file has become shorter while it was sent")
            at += len(piece)
            await self.flow(piece, True)

    def expect(self, phase):
        if self.phase != phase:
            raise RuntimeError("a message came where %s is expected" % EXPECTED[self.phase])

    EXTENSIONS = {
        "http.response.trailers": trailer,
        "http.response.early_hint": hint,
        "http.response.pathsend": path,
        "http.response.zerocopysend": zero_copy,
        "gale.drain": drain_wanted,
    }
