"""A WSGI application that plays one clause of PEP 3333 for each path, under wsgiref's validator."""
import io
import json
import sys
import tempfile
import threading
from wsgiref.validate import validator

import gale

closed = []
gates = {}


@gale.job("closed")
def read_closed(payload):
    return json.dumps(closed)


@gale.job("open")
def open_gate(payload):
    gates[payload.decode()].set()


class Body:
    """An iterable without a length that notes its close()."""

    def __init__(self, path, parts):
        self.path, self.parts = path, iter(parts)

    def __iter__(self):
        return self.parts

    def close(self):
        closed.append(self.path)


def clause(environ, start_response):
    return globals()["do_" + environ["PATH_INFO"].split("/")[1]](environ, start_response)


checked = validator(clause)


def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/raw"):
        return clause(environ, start_response)
    return checked(environ, start_response)


PLAIN = [("Content-Type", "text/plain")]


def do_hello(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"hello"]


def do_environ(environ, start_response):
    start_response("200 OK", PLAIN)
    shown = {k: v for k, v in environ.items() if isinstance(v, (str, bool, tuple))}
    shown["dict"] = type(environ) is dict
    return [json.dumps(shown).encode()]


def do_read(environ, start_response):
    source = environ["wsgi.input"]
    parts = [source.read(3), source.readline(), source.read(1 << 20), source.read(10)]
    start_response("200 OK", PLAIN)
    return [repr([p if len(p) < 20 else len(p) for p in parts]).encode()]


def do_rawlazy(environ, start_response):
    """start_response is called when the first element is pulled."""
    start_response("200 OK", PLAIN)
    yield b""
    yield b"lazy"


def do_one(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body("/one", [b"", b"only"])


def do_declared(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "4")])
    return Body("/declared", [b"four"])


def do_write(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"one")
    write(b"two")
    return Body("/write", [b"three"])


def do_raises(environ, start_response):
    raise KeyError("before the head")


def do_raiseslate(environ, start_response):
    start_response("200 OK", PLAIN)

    def parts():
        yield b"x" * 70000
        raise KeyError("after the head")

    return Body("/raiseslate", parts())


def do_rawexcinfo(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise KeyError
    except KeyError:
        start_response("500 Oops", PLAIN, sys.exc_info())
    return [b"replaced"]


def do_rawexcinfolate(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"begun")
    try:
        raise KeyError("late")
    except KeyError:
        start_response("500 Oops", PLAIN, sys.exc_info())
    return [b"never"]


FAULTS = {
    "twice": [("200 OK", []), ("200 OK", [])],
    "hop": [("200 OK", [("Connection", "close")])],
    "chunked": [("200 OK", [("Transfer-Encoding", "chunked")])],
    "name": [("200 OK", [("Bad name", "x")])],
    "newline": [("200 OK", [("Name", "a\r\nb: c")])],
    "snowman": [("200 OK", [("Name", "\u2603")])],
    "bytes": [("200 OK", [("Name", b"x")])],
    "tuple": [("200 OK", ())],
    "status": [("OK", [])],
    "statusline": [("200 OK\r\nX: y", [])],
    "interim": [("101 Switching", [])],
    "length": [("200 OK", [("Content-Length", "-1")])],
    "none": [],
}


def do_rawfault(environ, start_response):
    for args in FAULTS[environ["QUERY_STRING"]]:
        start_response(*args)
    return [b"body"]


def do_rawstr(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


def do_rawlong(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"abcdef"]


def do_rawshort(environ, start_response):
    start_response("200 OK", [("Content-Length", "30")])
    return Body("/rawshort", [b"abc"])


def do_stream(environ, start_response):
    start_response("200 OK", PLAIN)
    return Body(environ["PATH_INFO"], (b"s" * 50000 for _ in range(20)))


def do_slow(environ, start_response):
    gate = gates.setdefault(environ["PATH_INFO"], threading.Event())
    start_response("200 OK", PLAIN)

    def parts():
        yield b"first"
        gate.wait()
        yield b"second"

    return Body(environ["PATH_INFO"], parts())


def do_rawfile(environ, start_response):
    f = tempfile.NamedTemporaryFile()
    f.write(b"0123456789")
    f.flush()
    f.seek(2)
    start_response("200 OK", [("Content-Length", "5")])
    return environ["wsgi.file_wrapper"](f)


def do_rawmemory(environ, start_response):
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](io.BytesIO(b"memory"), 3)


def do_rawsendfile(environ, start_response):
    start_response("200 OK", [("X-Sendfile", "/etc/hostname"), ("Content-Length", "0")])
    return []
