"""A worker of a gale process pool, in Python. Standard library only.

    from gale_worker import Blob, job, progress, run

    @job("shout")                       # payload and result are JSON
    def shout(text):
        return text.upper()

    @job("thumbnail", payload=Blob)     # bytes with JSON about them
    def thumbnail(picture):
        progress(0.5)
        return Blob({"width": 64}, make_thumbnail(picture.data, picture.meta))

    if __name__ == "__main__":
        run()

A job runs on the main thread, one at a time. It gets its payload as `payload`
says: "json" (the default), bytes or Blob. What it returns travels as what it is:
bytes and Blob as they are, everything else as JSON. An exception fails the job
and no other; a MemoryError says that the job wanted more than its limit.

When the caller does not want the result any more, Canceled is raised in the job,
wherever it is; a job that has to tidy up does so in a `finally` or an `except
Canceled`. A job that goes on is killed, with the whole process group.

What is printed goes to stderr, from the import of this module on, so import it
early. stdin is empty. Signals that ask a process to end
are ignored: the pool decides.

The protocol is described in PROTOCOL.md of the Go package executor/process.
"""

import faulthandler
import hashlib
import json
import os
import platform
import queue
import runpy
import signal
import struct
import sys
import threading
import traceback

__all__ = ["Blob", "Canceled", "job", "progress", "run"]

VERSION = 1
MAGIC = 0xA7
HEADER = struct.Struct(">BBBBII")  # magic, type, flags, zero, number, length
IN_MEMORY = 0x01
HELLO, JOB, CANCEL, PING, RESULT, PROGRESS, ERROR, PONG = range(1, 9)
MAX_PROGRESS = 64 << 10
MAX_TEXT = 16 << 10


class Canceled(BaseException):
    """Raised in a job whose result is not wanted any more."""


class Blob:
    """Bytes (`data`) with something about them that JSON can say (`meta`)."""

    def __init__(self, meta, data):
        self.meta, self.data = meta, data

    @classmethod
    def decode(cls, payload):
        (length,) = struct.unpack_from(">I", payload)
        if len(payload) - 4 < length:
            raise ValueError("a blob that is cut off")
        return cls(json.loads(payload[4 : 4 + length]), payload[4 + length :])

    def encode(self):
        meta = json.dumps(self.meta).encode()
        return b"".join((struct.pack(">I", len(meta)), meta, self.data))


DECODERS = {"json": json.loads, bytes: lambda payload: payload, Blob: Blob.decode}


def encode(value):
    if isinstance(value, Blob):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return json.dumps(value).encode()


_jobs = {}
_worker = None
_streams = None  # of the protocol


def job(name, payload="json"):
    """Decorator: the pool can run this function as the job `name`."""
    if not 0 < len(name.encode()) <= 255 or name in _jobs:
        raise ValueError("a job needs a name of its own, of 1 to 255 bytes: %r" % name)
    decode = DECODERS[payload]

    def register(function):
        _jobs[name] = (decode, function)
        return function

    return register


def progress(value):
    """Tell the caller how far the job is. Waits while the caller is far behind."""
    if _worker is not None:
        data = encode(value)
        if len(data) > MAX_PROGRESS:
            raise ValueError("%d bytes of progress, more than %d" % (len(data), MAX_PROGRESS))
        _worker.report(data)


def run(initializer=None):
    """Run jobs until the pool has no more, then exit. Call it on the main thread.

    `initializer` is called first; if it raises, the pool's callers get the text."""
    global _worker
    _worker = _Worker()
    _worker.run(initializer)


def _detach():
    """Take stdin and stdout away, so that nothing but the protocol uses them."""
    global _streams
    _close_inherited()
    _streams = os.dup(0), os.dup(1)  # not inheritable
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    sys.stdout.reconfigure(line_buffering=True)


def _read_all(fd, size):
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        n = os.readv(fd, [view[at:]])
        if n == 0:
            raise EOFError
        at += n
    return bytes(data)


def _close_inherited():
    """Close what came from the pool's process without being meant for a worker.
    What Python opens is not inheritable."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(directory):
            for fd in [int(name) for name in os.listdir(directory) if int(name) > 4]:
                try:
                    if os.get_inheritable(fd):
                        os.close(fd)
                except OSError:
                    pass  # it was the one of the listing
            return


def _read_at_start(fd, size):
    data = os.pread(fd, size, 0)
    while len(data) < size:  # of more than 2 GiB
        data += os.pread(fd, size - len(data), len(data))
    return data


def _write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class _Worker:
    def __init__(self):
        if _streams is None:
            sys.exit("gale_worker: run: this process was not started by a gale process pool")
        self.input, self.output = _streams
        self.writing = threading.Lock()
        self.memory = None  # of the host's hello
        self.inline = self.limit = 0
        self.number = 0  # of the last job
        self.running = 0  # of the job that may be canceled, 0 is none
        self.canceled = 0  # of the last job that was
        self.holding = False  # Canceled has to wait
        self.queue = queue.SimpleQueue()

    def write(self, kind, number, body=b"", flags=0):
        frame = HEADER.pack(MAGIC, kind, flags, 0, number, len(body))
        with self.writing:
            if len(body) > 4096:
                _write_all(self.output, frame)
                _write_all(self.output, body)
            else:
                _write_all(self.output, frame + body)

    def report(self, data):
        if threading.current_thread() is not threading.main_thread():
            return self.write(PROGRESS, self.number, data)
        self.holding = True  # Canceled must not cut a frame in two
        try:
            self.write(PROGRESS, self.number, data)
        finally:
            self.holding = False
            self.interrupt()

    def read(self):
        magic, kind, flags, zero, number, length = HEADER.unpack(_read_all(self.input, HEADER.size))
        if magic != MAGIC or zero != 0:
            raise ValueError("what was read is not a frame")
        return kind, flags, number, _read_all(self.input, length)

    def run(self, initializer):
        faulthandler.enable()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, lambda *_: None)
        signal.signal(signal.SIGUSR1, self.interrupt)
        self.greet(initializer)
        main = threading.get_ident()
        threading.Thread(target=self.listen, args=(main,), daemon=True).start()
        while True:
            self.work(*self.queue.get())

    def greet(self, initializer):
        kind, _, _, body = self.read()
        hello = json.loads(body)
        if kind != HELLO or hello["protocol"] != VERSION:
            sys.exit("gale_worker: version %s of the protocol, not %d" % (hello.get("protocol"), VERSION))
        self.inline, self.limit = hello["inline_bytes"], hello["max_payload_bytes"]
        self.memory = hello.get("memory")
        if self.memory:
            os.set_inheritable(self.memory["input_fd"], False)
            os.set_inheritable(self.memory["output_fd"], False)
        try:
            if initializer is not None:
                initializer()
        except Exception as err:
            self.fail(0, "error", err)
            raise
        names = sorted(_jobs)
        self.write(HELLO, 0, encode({
            "protocol": VERSION,
            "jobs": names,
            "registry": hashlib.sha256("\n".join(names).encode()).hexdigest()[:32],
            "program": "Python " + platform.python_version(),
            "memory": bool(self.memory),
        }))

    def listen(self, main):
        """The thread that listens to the pool, whatever the job does."""
        try:
            while True:
                kind, flags, number, body = self.read()
                if kind == PING:
                    self.write(PONG, number)
                elif kind == JOB:
                    self.queue.put((number, flags, body))
                elif kind == CANCEL:
                    self.canceled = number
                    signal.pthread_kill(main, signal.SIGUSR1)
                else:
                    raise ValueError("a frame of type %d" % kind)
        except EOFError:
            if self.running and os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)  # the pool is gone: nor may anything else stay
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def interrupt(self, *_):
        """On the main thread: end the job, if it is still the one that was meant."""
        if self.running and self.running == self.canceled and not self.holding:
            self.running = 0  # once
            raise Canceled()

    def work(self, number, flags, body):
        self.number = number
        try:
            kind, message = self.interruptible(flags, body)
        except Canceled as err:
            kind, message = "canceled", err
        del body
        if kind == "result":
            self.result(number, message)
        else:
            self.fail(number, kind, message)

    def interruptible(self, flags, body):
        """Run a job where Canceled may be raised, and nowhere but in here."""
        try:
            self.running = self.number
            if self.canceled == self.number:
                self.interrupt()
            return self.attempt(flags, body)
        finally:
            self.running = 0

    def attempt(self, flags, body):
        """Run a job: ("result", bytes) or (kind of failure, exception)."""
        end = 1 + body[0]
        name, payload = body[1:end].decode("utf-8", "replace"), body[end:]
        del body
        if name not in _jobs:
            return "unknown_job", KeyError(name)
        decode, function = _jobs[name]
        try:
            if flags & IN_MEMORY:
                (size,) = struct.unpack(">Q", payload)
                payload = _read_at_start(self.memory["input_fd"], size)
            value = decode(payload)
        except MemoryError as err:
            return "memory", err
        except Exception as err:
            return "bad_input", err
        del payload
        try:
            result = encode(function(value))
            if len(result) > self.limit:
                raise ValueError("a result of %d bytes is longer than %d" % (len(result), self.limit))
            return "result", result
        except MemoryError as err:
            return "memory", err
        except Exception as err:
            return "error", err
        except SystemExit as err:
            return "panic", err

    def result(self, number, data):
        if self.memory and len(data) > self.inline:
            at, view = 0, memoryview(data)
            while at < len(view):
                at += os.pwrite(self.memory["output_fd"], view[at:], at)
            self.write(RESULT, number, struct.pack(">Q", len(data)), IN_MEMORY)
        else:
            self.write(RESULT, number, data)

    def fail(self, number, kind, err):
        text = "".join(traceback.format_exception_only(type(err), err)).strip()
        stack = "".join(traceback.format_exception(type(err), err, err.__traceback__))
        self.write(ERROR, number, encode({
            "kind": kind, "message": text[:MAX_TEXT], "stack": stack[-MAX_TEXT:],
        }))


if os.environ.pop("GALE_WORKER", None):
    _detach()  # at import, before the jobs are loaded, which may print

if __name__ == "__main__":
    # python3 gale_worker.py jobs.py: run the jobs of a file, which imports
    # gale_worker without having it installed.
    if len(sys.argv) < 2:
        sys.exit("usage: gale_worker.py FILE [ARGUMENT...]")
    sys.modules["gale_worker"] = sys.modules["__main__"]
    del sys.argv[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
    runpy.run_path(sys.argv[0], run_name="gale_jobs")
    run()
