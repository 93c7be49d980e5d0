"""A front for tests of the worker: plays gale's part against one worker process."""
import array
import json
import marshal
import os
import pathlib
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
NULL = os.open(os.devnull, os.O_RDWR)
os.dup2(NULL, 3)  # no socket of ours is to be descriptor 3
DEADLINE = float(os.environ.get("GALE_TEST_DEADLINE", "60"))

BOOT = (HERE.parent / "boot.py").read_text()
SOURCES = {
    "gale" if p.stem == "__init__" else "gale." + p.stem: p.read_text() for p in (HERE.parent / "gale").glob("*.py")
}
EXTENSIONS = [
    "http.response.pathsend",
    "http.response.zerocopysend",
    "http.response.trailers",
    "http.response.early_hint",
    "websocket.http.response",
    "gale.drain",
]


class Peer:
    """One socket to the worker, and what has come from it."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.buffer = b""
        self.frames = []
        self.on_frame = None

    def send(self, *frames, fds=()):
        data = marshal.dumps(list(frames), 2)
        data = len(data).to_bytes(4, "little") + data
        if fds:
            rights = socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds)
            self.sock.sendmsg([data[:1]], [rights])
            data = data[1:]
        self.sock.sendall(data)

    def fill(self):
        """Reads once."""
        data = self.sock.recv(1 << 20)
        if not data:
            raise EOFError("the worker closed the socket")
        self.buffer += data
        while len(self.buffer) >= 4:
            end = 4 + int.from_bytes(self.buffer[:4], "little")
            assert end <= 4 + (1 << 20), "a message of more than 1 MiB"
            if len(self.buffer) < end:
                break
            self.frames.extend(marshal.loads(self.buffer[4:end]))
            self.buffer = self.buffer[end:]

    def next(self, *kinds, sid=None):
        """Returns the next frame that is one of kinds, of the stream if one is named."""
        while True:
            for i, f in enumerate(self.frames):
                if f[0] in kinds and (sid is None or f[1] == sid):
                    return self.frames.pop(i)
            self.fill()

    def closed(self):
        """Waits until the worker has closed the socket."""
        try:
            while True:
                self.fill()
        except (EOFError, ConnectionResetError):
            return True


class Worker:
    def __init__(self, app, python=sys.executable, start=True, env=None, **config):
        control, theirs = socket.socketpair()
        os.dup2(theirs.fileno(), 3, inheritable=True)
        theirs.close()
        self.process = subprocess.Popen(
            [python, "-c", BOOT],
            pass_fds=[3],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        os.dup2(NULL, 3)
        self.control = Peer(control)
        base = {"app": app, "mode": "auto", "path": [str(HERE / "apps")], "window": 256 << 10, "extensions": EXTENSIONS,
                "block_seconds": 0.2, "loop": "asyncio"}
        base.update(config)
        data = marshal.dumps([(1, 1, base, SOURCES)], 2)
        control.sendall(len(data).to_bytes(4, "little") + data)
        self.sid = 0
        self.jobs = 0
        self.links = []
        if start:
            self.ready = self.control.next(1, 2)
            if self.ready[0] == 2:
                raise AssertionError(self.ready)
            self.link = self.add_link()

    def add_link(self):
        ours, theirs = socket.socketpair()
        self.control.send((2, 0), fds=[theirs.fileno()])
        theirs.close()
        self.links.append(Peer(ours))
        return self.links[-1]

    def get(self, path="/", method="GET", body=b"", more=False, headers=(), link=None, query=b""):
        self.sid += 1
        (link or self.link).send((1, self.sid, method, path, path.encode(), query, "1.1", "http", "", list(headers) or [(b"host", b"x")],
                       ("127.0.0.1", 5), ("127.0.0.1", 80), None, body, more))
        return self.sid

    def websocket(self, path="/", subprotocols=()):
        self.sid += 1
        self.link.send((2, self.sid, path, path.encode(), b"", "1.1", "ws", "", [(b"host", b"x")],
                       ("127.0.0.1", 5), ("127.0.0.1", 80), None, list(subprotocols)))
        return self.sid

    def job(self, name, payload=b""):
        """Gives the worker a job, and returns (ok, value)."""
        self.jobs += 1
        self.control.send((5, self.jobs, name, payload))
        return self.control.next(6, sid=self.jobs)[2:]

    def notes(self, path):
        ok, value = self.job("notes", path.encode())
        assert ok, value
        return json.loads(value)

    def noted(self, path, note):
        """Waits until the application has noted this, and returns all that it noted."""
        until = time.monotonic() + DEADLINE
        while note not in (notes := self.notes(path)):
            assert time.monotonic() < until, notes
            time.sleep(0.005)
        return notes

    def log(self):
        """Ends the worker and returns what it wrote to stderr."""
        if self.process.poll() is None:
            self.stop()
        return self.process.stdout.read().decode()

    def wait(self):
        return self.process.wait(DEADLINE)

    def stop(self, seconds=5.0):
        self.control.send((4, seconds))
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.control.sock.close()
        for link in self.links:
            link.sock.close()
