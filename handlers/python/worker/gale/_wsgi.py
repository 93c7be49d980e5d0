"""Serves a WSGI application with threads, which take requests in batches.

There is no event loop. One thread at a time leads: it waits for gale and reads what
comes. Then it runs the application, as every other thread that finds a request in
the queue. Nobody waits for a lock while requests are there, and a worker of one
thread never switches threads.
"""
import gc
import select
import socket
import sys
import threading
from collections import deque
from time import monotonic

from . import _client, _jobs
from ._gateway import Environ, Exchange
from ._monitor import Monitor
from ._wire import CREDIT, GONE, READY, STOPPED, TAKEN, VERSION, WSGI, Inbox, Outbox

# Finished replies of a batch leave after this, if the batch is not done. In seconds.
TURN = 0.002
# A request that takes longer than this may block: another thread leads meanwhile. In seconds.
QUICK = 0.001


class Link:
    """A socket to one event loop of gale. The thread that leads reads; any thread writes."""

    def __init__(self, sock, window):
        sock.setblocking(False)
        self.sock = sock
        self.window = window
        self.inbox = Inbox()
        self.outbox = Outbox(sock)
        self.append = self.outbox.frames.append
        self.streams = {}
        self.due = 0.0  # when what waits must leave, 0 if nothing waits
        self.closed = False

    def push(self, frame):
        self.append(frame)
        if not self.due:
            self.due = monotonic() + TURN

    def flush(self, wait=True):
        """Writes all that waits. While the socket is full the thread waits, if it may."""
        self.due = 0.0
        try:
            while not self.outbox.write():
                if not wait:
                    self.due = monotonic()
                    return
                poller = select.poll()
                poller.register(self.sock, select.POLLOUT)
                poller.poll()
        except (OSError, ValueError):  # gale has closed it, and we may have
            self.closed = True


class Server:
    """The application, its threads and links."""

    def __init__(self, app, config, control):
        self.app = app
        self.config = config
        self.control = control
        self.count = max(int(config.get("threads") or 1), 1)
        self.window = config.get("window", 256 << 10)
        self.environ = Environ(config, self.count)
        self.sendfile = bool(config.get("sendfile"))
        self.links = {}  # by descriptor
        self.queue = deque()
        self.mutex = threading.Lock()
        self.work = threading.Condition(self.mutex)  # for idle threads
        self.change = threading.Condition(self.mutex)  # for threads whose streams wait
        self.leading = False
        self.idle = 0
        self.waiting = 0
        self.pace = 0.0  # seconds that requests took lately
        self.looked = 0.0
        self.stopped = threading.Event()
        self.deadline = 0.0  # until which running requests may go on, once stopped
        self.ours, self.theirs = socket.socketpair()  # wakes the thread that leads
        self.ours.setblocking(False)
        self.poller = select.poll()
        self.poller.register(self.ours, select.POLLIN)
        self.jobs = _jobs.Jobs(control, None)
        self.monitor = Monitor(self)

    def run(self):
        """Serves until gale says stop. Returns the exit code."""
        self.control.serve(self)  # before gale knows: a stop that follows at once is one of ours
        self.control.send((READY, VERSION, self.info()))
        self.jobs.begin()
        self.monitor.start()
        gc.collect()
        gc.freeze()  # what startup made stays: do not look through it again and again
        if self.count == 1:
            self.thread()  # the main thread: what older applications expect
        else:
            names = ["gale-wsgi-%d" % i for i in range(self.count)]
            threads = [threading.Thread(target=self.thread, name=name, daemon=True) for name in names]
            for t in threads:
                t.start()
            self.stopped.wait()
            for t in threads:
                t.join(max(self.deadline - monotonic(), 0))
        for link in list(self.links.values()):
            link.flush(wait=False)
        self.control.last((STOPPED, ""))
        return 0

    def info(self):
        return {
            "python": "%d.%d.%d" % sys.version_info[:3],
            "implementation": sys.implementation.name,
            "mode": "wsgi",
            "loop": "",
            "lifespan": False,
            "jobs": _jobs.names(),
        }

    # By the control thread.

    def link(self, sock):
        link = Link(sock, self.window)
        self.links[sock.fileno()] = link
        self.poller.register(sock, select.POLLIN)
        self.wake()

    def stop(self, seconds):
        self.deadline = monotonic() + seconds
        self.stopped.set()
        with self.mutex:
            self.work.notify_all()
            self.change.notify_all()
        self.wake()

    def drain(self, seconds):
        _client.drain()

    def job(self, number, name, payload):
        self.jobs.start(number, name, payload)

    def cancel(self, number):
        self.jobs.cancel(number)

    def running(self):
        return sum(len(link.streams) for link in list(self.links.values()))

    def blocked(self):
        return 0.0  # a thread that is busy for long is what threads are for

    def wake(self):
        self.theirs.send(b"\0")

    def after_fork(self):
        """In a child that the application forked, on its only thread."""
        for link in self.links.values():
            link.sock.close()

    # The threads.

    def thread(self):
        queue = self.queue
        while True:
            try:
                exchange = queue.popleft()
            except IndexError:
                if not self.take_lead():
                    return
                continue
            began = monotonic()
            exchange.run()
            now = monotonic()
            self.pace += (now - began - self.pace) / 8
            link = exchange.link
            if not queue or (link.due and now > link.due):
                self.flush()

    def flush(self):
        for link in list(self.links.values()):
            if link.due:
                link.flush()

    def take_lead(self):
        """Reads once, or waits until there is something to do. Returns whether to go on."""
        with self.mutex:
            while not self.queue:
                if self.stopped.is_set() and not self.running():
                    self.work.notify_all()
                    self.wake()
                    return False
                if not self.leading:
                    self.leading = True
                    break
                self.idle += 1
                self.work.wait()
                self.idle -= 1
            else:
                return True
        self.lead(None)
        return True

    def lead(self, timeout):
        """Waits for gale and takes what comes, as the thread that leads."""
        try:
            for fd, _ in self.poller.poll(timeout):
                if fd == self.ours.fileno():
                    self.ours.recv(4096)
                else:
                    self.read(fd)
        except InterruptedError:
            pass
        finally:
            with self.mutex:
                self.leading = False
                self.hand_over()

    def hand_over(self):
        """Wakes the threads that have something to do now. The caller has the mutex."""
        others = len(self.queue) - 1
        if self.idle and (others > 0 or self.pace > QUICK):
            self.work.notify(max(others, 1))
        if self.waiting:
            self.change.notify_all()

    def read(self, fd):
        link = self.links[fd]
        try:
            messages = link.inbox.read(link.sock)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, EOFError):
            self.close(fd, link)
            return
        for frames in messages:
            link.outbox.seen += 1
            for f in frames:
                kind = f[0]
                if kind == WSGI:
                    exchange = Exchange(self, link, f[1], f[2], f[3])
                    link.streams[f[1]] = exchange
                    self.queue.append(exchange)
                    continue
                exchange = link.streams.get(f[1])
                if exchange is None:
                    continue  # it is over
                if kind == CREDIT:
                    exchange.granted += f[2]
                elif kind == GONE:
                    exchange.gone = True
                elif kind == TAKEN:
                    exchange.taken = f[2]
        if messages and not link.due:
            link.due = monotonic() + TURN  # seen goes with the first reply
        self.monitor.look()

    def close(self, fd, link):
        """gale has closed the socket: all clients of the link are gone."""
        self.poller.unregister(fd)
        del self.links[fd]
        link.closed = True
        for exchange in list(link.streams.values()):
            exchange.gone = True
        link.sock.close()

    # What a request that streams calls.

    def wait(self, link, ready):
        """Blocks until ready() or gale has closed the link. Leads, if nobody else does."""
        link.flush()
        while not ready() and not link.closed:
            with self.mutex:
                if self.leading:
                    self.waiting += 1
                    if not ready():
                        self.change.wait(1.0)
                    self.waiting -= 1
                    continue
                self.leading = True
            self.lead(None)

    def glance(self):
        """Learns of clients that left, when all threads are busy and none leads."""
        now = monotonic()
        if self.leading or now - self.looked < 0.02:
            return
        self.looked = now
        with self.mutex:
            if self.leading:
                return
            self.leading = True
        self.lead(0)


def serve(app, config, control, guard):
    server = Server(app, config, control)
    guard.server = server
    server.guard = guard
    return server.run()
