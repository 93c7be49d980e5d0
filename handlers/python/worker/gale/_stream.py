"""One request or WebSocket of an ASGI application: what both kinds share."""
import asyncio
import os

from . import _log
from ._errors import ClientDisconnected
from ._wire import END, PIECE, TOOK

# Credit below this is not worth a frame: it goes with more.
LEAST_CREDIT = 4 << 10


class Stream:
    """A stream of a link. All of it runs on the loop's thread."""

    __slots__ = ("link", "sid", "task", "waiters", "window", "owed", "gone", "over", "drain", "name")

    def __init__(self, link, sid):
        self.link = link
        self.sid = sid
        self.waiters = None  # futures of receive and send that wait for something to change
        self.window = link.window  # bytes that may be on their way to gale
        self.owed = 0  # bytes that the application has taken and gale does not know of
        self.gone = False  # the client
        self.over = False  # the last frame has been sent
        self.drain = 0  # 1: the application asked, 2: gale drains, 3: the application knows

    async def run(self, app, scope):
        """Runs the application to its end, which is the end of the stream."""
        self.name = scope.get("method", "WebSocket"), scope["path"]
        try:
            await app(scope, self.receive, self.send)
        except GeneratorExit:
            raise  # the loop goes away
        except BaseException as e:  # SystemExit too: it ends a request, not the worker
            self.end("%s: %s" % (type(e).__name__, e))
            if not (self.gone and of_disconnect(e)):
                _log.error("%s %s: the application raised %s", *self.name, type(e).__name__, exc=e)
        else:
            if not self.over:
                self.end("")
        finally:
            if self.link.server.forked:
                os._exit(0)  # a fork of the application's, that came here
            self.link.forget(self.sid)

    def end(self, reason):
        if not self.over:
            self.over = True
            self.link.push((END, self.sid, printable(reason)))

    def wake(self):
        waiters = self.waiters
        if waiters is not None:
            self.waiters = None
            for future in waiters:
                if not future.done():
                    future.set_result(None)

    def waiter(self):
        """Returns a future that is done when something has changed."""
        future = self.link.loop.create_future()
        if self.waiters is None:
            self.waiters = [future]
        else:
            self.waiters.append(future)
        return future

    def leave(self, future):
        """Forgets a waiter. One that was cancelled has taken nothing with it."""
        if self.waiters is not None and future in self.waiters:
            self.waiters.remove(future)

    def took(self, n):
        """The application has taken n bytes, for which gale gets credit."""
        self.owed += n
        if self.owed >= LEAST_CREDIT and not self.over:
            self.link.push((TOOK, self.sid, self.owed))
            self.owed = 0

    def credit(self, n):
        self.window += n
        self.wake()

    def ask_drain(self):
        """The application wants to receive gale.drain."""
        if self.drain == 0:
            self.drain = 1
            if self.link.draining:
                self.draining()

    def draining(self):
        if self.drain == 1:
            self.drain = 2
            self.wake()

    async def allowance(self, size, least=1):
        """Waits until gale has room, and returns how many of size bytes may go in one piece."""
        least = min(least, size)
        while not self.gone:
            if self.link.full:
                await self.link.room()
            elif self.window < least:
                future = self.waiter()
                try:
                    await future
                finally:
                    self.leave(future)
            else:
                return min(size, self.window, PIECE)
        raise ClientDisconnected


def octets(value, what):
    """Returns value as bytes that do not change any more."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError("%s must be bytes, not %s" % (what, type(value).__name__))


def fields(headers):
    """Returns header fields as the wire has them: a list of pairs of bytes."""
    out = []
    for name, value in headers:
        if type(name) is bytes and type(value) is bytes:
            out.append((name, value))
        else:
            out.append((octets(name, "a header's name"), octets(value, "a header's value")))
    return out


def number(value, what):
    if type(value) is int:
        return value
    if isinstance(value, int) or hasattr(value, "__index__"):
        return value.__index__().__int__()
    raise TypeError("%s must be int, not %s" % (what, type(value).__name__))


def status_of(message):
    status = number(message["status"], "status")
    if 200 <= status <= 999:
        return int(status)
    raise ValueError("status %d: a response has one from 200 to 999" % status)


def text(value, what):
    """Returns value as str that has an encoding in UTF-8."""
    if not isinstance(value, str):
        raise TypeError("%s must be str, not %s" % (what, type(value).__name__))
    if type(value) is not str:
        value = str.__str__(value)
    if not value.isascii():
        value.encode()  # raises on lone surrogates
    return value


def printable(reason):
    """Returns what is left of a reason when it must be short, and valid UTF-8."""
    return reason[:500].encode("utf-8", "replace").decode()


def of_disconnect(e):
    """Says whether an exception is only what a client that left causes."""
    if isinstance(e, (ClientDisconnected, asyncio.CancelledError)):
        return True
    inner = getattr(e, "exceptions", None)  # of an ExceptionGroup, also that of older Pythons
    return isinstance(inner, (tuple, list)) and bool(inner) and all(of_disconnect(i) for i in inner)
