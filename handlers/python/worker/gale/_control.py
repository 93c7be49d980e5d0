"""The control socket: gale's orders and our answers, on a thread that no application blocks."""
import array
import fcntl
import itertools
import marshal
import os
import socket
import threading
from collections import deque

from . import _log, _wire
from ._wire import CALL, CANCEL, DRAIN, JOB, LINK, PING, PONG, REPLY, STOP

CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
ANCILLARY = socket.CMSG_SPACE(16 * array.array("i").itemsize)


class Control:
    """Speaks with gale. Its methods may be called on any thread."""

    def __init__(self, sock):
        # 3 is the first number that an application closes by mistake, or on purpose: it
        # stays open on nothing, so that no socket of ours gets it.
        self.sock = socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 64))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, sock.detach(), inheritable=False)
        os.close(null)
        self.lock = threading.Lock()
        self.calls = {}
        self.ids = itertools.count(1)
        self.server = None  # with the methods link, stop, drain, job, cancel, running, blocked
        self.early = []  # orders that came before there was a server
        self.ended = False  # we have said stopped, or failed
        self.descriptors = deque()

    def start(self):
        threading.Thread(target=self._run, name="gale-control", daemon=True).start()

    def serve(self, server):
        """Has the server obey from now on, on the control thread."""
        with self.lock:
            early, self.early = self.early, None
            self.server = server
        for name, args in early:
            getattr(server, name)(*args)

    def send(self, *frames):
        data = _wire.encode(list(frames), _refuse)
        with self.lock:
            self.sock.sendall(data)

    def last(self, *frames):
        """Sends the last frames: after them gale may close the socket."""
        self.ended = True
        try:
            self.send(*frames)
        except OSError:
            pass  # gale is gone

    def call(self, method, payload, done):
        """Calls gale; done(ok, value) is called on the control thread."""
        number = next(self.ids)
        self.calls[number] = done
        try:
            self.send((CALL, number, method, payload))
        except OSError as e:
            self.calls.pop(number, None)
            done(False, ("unavailable", "gale is gone: %s" % e))
        return number

    def forget(self, number):
        self.calls.pop(number, None)

    def after_fork(self):
        """In a child that the application forked: it must not speak for us."""
        self.sock.close()
        self.lock = threading.Lock()

    def _run(self):
        try:
            for frame in self._frames():
                self._take(frame)
        except OSError:
            pass
        except Exception as e:  # a fault of ours: a worker that obeys no more must not go on
            _log.error("the control thread failed", exc=e)
        if not self.ended:
            os._exit(1)  # gale is gone, and with it the reason to be

    def _frames(self):
        buffer = b""
        while True:
            data, ancillary, _, _ = self.sock.recvmsg(1 << 18, ANCILLARY, CLOEXEC)
            if not data:
                return
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(value[: len(value) - len(value) % fds.itemsize])
                    self.descriptors.extend(fds)
            buffer += data
            while len(buffer) >= 4:
                end = 4 + int.from_bytes(buffer[:4], "little")
                if len(buffer) < end:
                    break
                frames = marshal.loads(buffer[4:end])
                buffer = buffer[end:]
                for frame in frames:
                    yield frame

    def _take(self, frame):
        kind = frame[0]
        if kind == PING:
            server = self.server
            if server is None:
                self.send((PONG, frame[1], 0, 0.0))
            else:
                self.send((PONG, frame[1], server.running(), server.blocked()))
        elif kind == REPLY:
            done = self.calls.pop(frame[1], None)
            if done is not None:
                done(frame[2], frame[3])
        elif kind == LINK:
            sock = socket.socket(fileno=self.descriptors.popleft())
            sock.set_inheritable(False)
            self._order("link", sock)
        elif kind == STOP:
            if self.server is None:
                os._exit(0)
            self._order("stop", frame[1])
        elif kind == DRAIN:
            self._order("drain", frame[1])
        elif kind == JOB:
            self._order("job", *frame[1:4])
        elif kind == CANCEL:
            self._order("cancel", frame[1])

    def _order(self, name, *args):
        with self.lock:
            if self.early is not None:
                self.early.append((name, args))
                return
        getattr(self.server, name)(*args)


def _refuse(frame, reason):
    """What goes in place of a frame that cannot go: who waits for it learns why."""
    if frame[0] == _wire.RESULT:
        return (_wire.RESULT, frame[1], False, ("failed", reason))
    raise TypeError(reason)
