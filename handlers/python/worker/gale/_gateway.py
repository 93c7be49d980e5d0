"""One request of a WSGI application, as PEP 3333 has it."""
import io
import os
import re
import stat
import sys
import threading
from time import monotonic

from . import _log
from ._errors import ClientDisconnected
from ._stream import octets, printable
from ._wire import CHUNK, END, FILE, PIECE, RESPONSE, START

HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailers transfer-encoding upgrade".split()
)
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# A first piece is held this long for a second: a body of one piece is one frame. In seconds.
HOLD = 0.003


class FileWrapper:
    """wsgi.file_wrapper: gale sends a regular file itself; of others, the pieces."""

    def __init__(self, filelike, blksize=8192):
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration


class Environ:
    """Adds to the environ of a request what gale cannot say: the keys wsgi.*."""

    def __init__(self, config, threads):
        self.base = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": bool(config.get("multiprocess")),
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }

    def complete(self, environ, body):
        environ.update(self.base)
        environ["wsgi.url_scheme"] = "https" if environ.get("HTTPS") == "on" else "http"
        environ["wsgi.input"] = source = io.BytesIO(body) if type(body) is bytes else open(body, "rb", PIECE)
        return source


_lower = {}  # the names of header fields that are known to be right, and how they are sent


def field_name(name):
    """Returns the name of a header field in lower case. Raises if an application may not set it."""
    if type(name) is not str:
        raise AssertionError("a header's name must be str, not %s" % type(name).__name__)
    if not TOKEN.fullmatch(name):
        raise ValueError("%r cannot be the name of a header" % name)
    lower = name.lower()
    if lower in HOP_BY_HOP:
        raise AssertionError("%s is a hop-by-hop header, which is the server's to set (PEP 3333)" % name)
    if lower == "status":
        raise AssertionError("Status cannot be a header of a WSGI application")
    if len(_lower) < 1000:
        _lower[name] = lower
    return lower


def field_value(value):
    if type(value) is not str:
        raise AssertionError("a header's value must be str, not %s" % type(value).__name__)
    if CONTROLS.search(value):
        raise ValueError("a header's value has a control character: %r" % value)
    value.encode("latin-1")  # raises if it has other characters
    return value


class Exchange:
    """A request and its response. The thread that runs it owns it, but for what gale says."""

    __slots__ = (
        "server", "link", "sid", "environ", "body", "status", "headers", "length", "begun", "sent", "over",
        "held", "held_at", "granted", "used", "gone", "taken",
    )  # fmt: skip

    def __init__(self, server, link, sid, environ, body):
        self.server = server
        self.link = link
        self.sid = sid
        self.environ = environ
        self.body = body
        self.status = 0
        self.headers = None
        self.length = -1  # that the application declared
        self.begun = False  # the head has been sent
        self.sent = 0  # bytes of the body
        self.over = False  # the last frame has been sent
        self.held = None  # the first piece of the body, which waits for the second
        self.held_at = 0.0
        self.granted = link.window  # credit: written by the thread that leads
        self.used = 0  # of it: written by this thread
        self.gone = False
        self.taken = None

    def run(self):
        """Runs the application and sends its response. Raises nothing."""
        environ = self.environ
        source = result = None
        try:
            source = self.server.environ.complete(environ, self.body)
            try:
                result = self.server.app(environ, self.start_response)
                self.respond(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except BaseException as e:  # SystemExit too: it ends a request, not the worker
            self.end("%s: %s" % (type(e).__name__, e))
            if not (self.gone and isinstance(e, ClientDisconnected)):
                method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")
                _log.error("%s %s: the application raised %s", method, path, type(e).__name__, exc=e)
        finally:
            self.held = None
            self.link.streams.pop(self.sid, None)
            if source is not None and type(self.body) is not bytes:
                source.close()
            if self.server.guard.child:
                os._exit(0)  # a fork of the application's, that came here

    def end(self, reason):
        if not self.over:
            self.over = True
            self.held = None
            self.link.push((END, self.sid, printable(reason)))

    # What the application calls.

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise AssertionError("start_response was called a second time without exc_info")
        if type(status) is not str:
            raise AssertionError("status must be str, not %s" % type(status).__name__)
        code = status[:3]
        if not (code.isascii() and code.isdigit() and status[3:4] in (" ", "")) or not status.isprintable():
            raise ValueError("%r is no status: three digits, a space and a reason" % status)
        number = int(code)
        if number < 200:
            raise AssertionError("status %d: a WSGI application cannot send an interim response" % number)
        if type(headers) is not list:
            raise AssertionError("headers must be a list, not %s" % type(headers).__name__)
        out = []
        length = -1
        for name, value in headers:
            lower = _lower.get(name) or field_name(name)
            if not (type(value) is str and value.isascii() and value.isprintable()):
                field_value(value)
            if lower == "content-length":
                length = self.declared(value)
            out.append((lower, value))
        self.status, self.headers, self.length = number, out, length
        return self.write

    @staticmethod
    def declared(value):
        if not (value.isascii() and value.isdigit()):
            raise ValueError("%r is no Content-Length" % value)
        return int(value)

    def write(self, data):
        if type(data) is not bytes:
            data = octets(data, "what is written")
        if data:
            self.piece(data)
            self.release(None)

    # How the response goes out.

    def respond(self, result):
        kind = type(result)
        if self.server.sendfile and self.sends_file():
            return
        if kind is FileWrapper and not self.begun and self.send_file(result):
            return
        if kind is list or kind is tuple:
            body = result[0] if len(result) == 1 else b"".join(result)
            if type(body) is not bytes:
                body = octets(body, "the body")
            if not self.begun and len(body) <= PIECE:
                self.whole(body)
                return
            result = (body,)
        for data in result:
            if type(data) is not bytes:
                data = octets(data, "the body")
            if data and not self.over:
                self.piece(data)
                if len(data) == self.length and self.held is not None:
                    self.finish()  # the iterable may do more, of which the client sees nothing
        self.finish()

    def whole(self, body):
        """Sends a response of one frame."""
        if not self.status:
            raise AssertionError("the application has not called start_response")
        declared = self.length
        if declared >= 0 and declared != len(body) and self.has_body():
            if len(body) < declared:
                self.begin(body)
                self.too_short(len(body))
                return
            _log.error("the application sent %d bytes of a body of Content-Length %d", len(body), declared)
            body = body[:declared]
        self.over = self.begun = True
        self.link.push((RESPONSE, self.sid, self.status, self.headers, body))

    def has_body(self):
        return self.status not in (204, 304) and self.environ.get("REQUEST_METHOD") != "HEAD"

    def piece(self, data):
        """Sends a piece of the body. The first is held until a second comes, or the monitor looks."""
        if not self.status:
            raise AssertionError("the application sent a body before it called start_response")
        if self.gone or self.link.closed:
            raise ClientDisconnected
        if self.length >= 0 and self.has_body():
            left = self.length - self.sent
            if len(data) > left:
                if not left:
                    return
                _log.error("the application sends more than its Content-Length of %d", self.length)
                data = data[:left]
        self.sent += len(data)
        if not self.begun and self.held is None and len(data) <= PIECE:
            self.held_at = monotonic()
            self.held = data
            return
        self.release(None)
        self.flow(data)
        if self.link.due and monotonic() > self.link.due:
            self.link.flush()
        self.server.glance()

    def release(self, now):
        """Sends the piece that is held. The monitor calls it too, with the time."""
        if now is not None and now - self.held_at < HOLD:
            return
        with holding:
            held, self.held = self.held, None
            if held is not None and not self.over:
                self.begin(held)

    def begin(self, data):
        self.begun = True
        self.used += len(data)
        self.link.push((START, self.sid, self.status, self.headers, False, data))

    def flow(self, data):
        """Sends data in as many frames as it takes, and waits for credit."""
        rest = memoryview(data) if len(data) > PIECE else data
        while len(rest):
            if self.used >= self.granted:
                self.server.wait(self.link, lambda: self.gone or self.used < self.granted)
            if self.gone or self.link.closed:
                raise ClientDisconnected
            n = min(len(rest), PIECE, self.granted - self.used)
            part, rest = rest[:n], rest[n:]
            if not self.begun:
                self.begin(part)
            else:
                self.used += n
                self.link.push((CHUNK, self.sid, part, True))
            if self.used - self.granted > PIECE or len(rest):
                self.link.flush()

    def finish(self):
        """Ends the response: what is held is all of it, or the last piece has gone."""
        if self.over:
            return
        with holding:
            held, self.held = self.held, None
            if not self.begun:
                self.whole(held if held is not None else b"")
                return
        if 0 <= self.sent < self.length and self.has_body():
            self.too_short(self.sent)
            return
        self.over = True
        self.link.push((CHUNK, self.sid, b"", False))

    def too_short(self, sent):
        reason = "the body has %d bytes where Content-Length says %d" % (sent, self.length)
        _log.error("%s %s: %s", self.environ.get("REQUEST_METHOD"), self.environ.get("PATH_INFO"), reason)
        self.end(reason)

    def send_file(self, wrapper):
        """Has gale send the file itself. Returns whether it did."""
        fd, at = descriptor(wrapper.filelike)
        if fd is None or not self.status:
            return False
        size = max(os.fstat(fd).st_size - at, 0)
        if 0 <= self.length < size:
            size = self.length
        self.begin(b"")
        self.taken = None
        self.link.push((FILE, self.sid, fd, at, size, True))
        self.server.wait(self.link, lambda: self.gone or self.taken is not None)
        if self.gone or self.link.closed:
            raise ClientDisconnected
        if not self.taken:
            self.copy(fd, at, size)
        self.sent = size
        self.finish()
        return True

    def copy(self, fd, at, size):
        end = at + size
        while at < end:
            data = os.pread(fd, min(PIECE, end - at), at)
            if not data:
                raise OSError("the file has become shorter while it was sent")
            at += len(data)
            self.flow(data)

    def sends_file(self):
        """Obeys a header x-sendfile, which names a file in place of a body."""
        for i, (name, path) in enumerate(self.headers or ()):
            if name == "x-sendfile":
                break
        else:
            return False
        path = os.fsencode(path.encode("latin-1")).decode("utf-8")
        if self.begun or not os.path.isabs(path):
            raise ValueError("x-sendfile needs an absolute path, and no body before it")
        size = os.stat(path).st_size
        self.headers = [f for f in self.headers if f[0] not in ("x-sendfile", "content-length")]
        self.headers.append(("content-length", str(size)))
        self.begin(b"")
        self.over = True
        self.link.push((FILE, self.sid, path, 0, -1, False))
        return True


holding = threading.Lock()  # between a thread and the monitor: who sends a piece that is held


def descriptor(file):
    """Returns the descriptor and position of an open regular file, or None.

    Only of objects that read what the descriptor has: gzip's have one too, of
    other data.
    """
    for _ in range(2):  # a file of Django's, and of tempfile, has the real one inside
        if isinstance(file, (io.BufferedReader, io.BufferedRandom, io.FileIO)):
            break
        file = getattr(file, "file", None)
    else:
        return None, 0
    if isinstance(file, (io.BufferedReader, io.BufferedRandom)) and not isinstance(file.raw, io.FileIO):
        return None, 0
    try:
        fd = file.fileno()
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None, 0
        return fd, file.tell()
    except (OSError, ValueError):
        return None, 0
