"""Serves an ASGI application on one event loop: asyncio of the standard library, or uvloop."""
import asyncio
import gc
import os
import sys

from . import _client, _jobs, _log
from ._lifespan import Lifespan
from ._link import Link
from ._watchdog import Watchdog
from ._wire import FAILED, READY, STOPPED, VERSION

# Extensions of both kinds of scopes. Others belong to the scope whose name they begin with.
COMMON = ("gale.drain",)


class Server:
    """The application, its links and its end. Methods marked so are called by the control thread."""

    def __init__(self, app, config, control, loop):
        self.app = app
        self.config = config
        self.control = control
        self.loop = loop
        self.links = []
        self.window = config.get("window", 256 << 10)
        self.offered = frozenset(config.get("extensions", ()))
        self.http_extensions = self.extensions("http.")
        self.websocket_extensions = self.extensions("websocket.")
        self.watchdog = Watchdog(self, control, config.get("block_seconds", 1.0))
        self.jobs = _jobs.Jobs(control, loop)
        self.forked = False  # this is a child of the worker
        self.stopping = None  # a future, while the last streams end
        self.finished = loop.create_future()
        self.draining = False
        self.state = {}

    def extensions(self, prefix):
        return {name: {} for name in self.offered if name.startswith(prefix) or name in COMMON}

    async def main(self):
        """Serves until gale says stop. Returns the exit code."""
        self.lifespan = Lifespan(self.app, self.config.get("lifespan", "auto"), self.loop)
        failure = await self.lifespan.startup()
        if failure is not None:
            advice = "the application refused to start: see what it logged"
            self.control.last((FAILED, "lifespan", failure, "", advice))
            return 3
        self.state = self.lifespan.state
        self.task = self.tasks()
        gc.collect()
        gc.freeze()  # what startup made stays: do not look through it again and again
        self.watchdog.start()
        self.control.serve(self)  # before gale knows: a stop that follows at once is one of ours
        self.control.send((READY, VERSION, self.info()))
        self.jobs.begin()
        seconds = await self.finished
        reason = await self.end(seconds)
        self.control.last((STOPPED, reason))
        return 0

    def info(self):
        return {
            "python": "%d.%d.%d" % sys.version_info[:3],
            "implementation": sys.implementation.name,
            "mode": "asgi",
            "loop": type(self.loop).__module__.split(".")[0],
            "lifespan": self.lifespan.supported,
            "jobs": _jobs.names(),
        }

    def tasks(self):
        """Returns what makes a task of a coroutine: eager from Python 3.12 on."""
        loop = self.loop
        if loop.get_task_factory() is not None:
            return loop.create_task
        if sys.version_info >= (3, 12):
            return lambda coroutine: asyncio.Task(coroutine, loop=loop, eager_start=True)
        return lambda coroutine: asyncio.Task(coroutine, loop=loop)

    # By the control thread.

    def link(self, sock):
        self.loop.call_soon_threadsafe(self.add, sock)

    def stop(self, seconds):
        self.loop.call_soon_threadsafe(self.finish, seconds)

    def drain(self, seconds):
        self.loop.call_soon_threadsafe(self.begin_drain)

    def job(self, number, name, payload):
        self.jobs.start(number, name, payload)

    def cancel(self, number):
        self.jobs.cancel(number)

    def running(self):
        self.watchdog.look()
        return sum(len(link.streams) for link in list(self.links))

    def blocked(self):
        return self.watchdog.blocked()

    def after_fork(self):
        """In a child that the application forked: it may not come back to the loop, which is the parent's."""
        self.forked = True
        for link in self.links:
            link.closed = True
            link.sock.close()
        leave = self.loop.call_soon(os._exit, 0)
        ready = getattr(self.loop, "_ready", ())  # of asyncio: what would run before it, for a second time
        for i in range(len(ready)):
            ready[i] = leave

    # On the loop.

    def add(self, sock):
        self.links.append(Link(self, sock))

    def begin_drain(self):
        self.draining = True
        _client.drain()
        for link in list(self.links):
            link.drain()

    def finish(self, seconds):
        if not self.finished.done():
            self.finished.set_result(seconds)

    def one_less(self):
        """An application has returned while we stop."""
        if not self.stopping.done() and not any(link.streams for link in self.links):
            self.stopping.set_result(None)

    async def end(self, seconds):
        """Waits for the streams until the deadline, cancels the rest, and ends lifespan."""
        self.begin_drain()
        self.stopping = self.loop.create_future()
        self.one_less()
        await asyncio.wait([self.stopping], timeout=seconds)
        late = [s.task for link in self.links for s in list(link.streams.values())]
        if late:
            _log.warning("%d requests or WebSockets did not end in time", len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=1.0)
        reason = await self.lifespan.shutdown()
        for link in list(self.links):
            link.flush()
        return reason


def serve(app, config, control, guard):
    """Runs the worker's loop in this thread, and returns the exit code."""
    loop = new_loop(config.get("loop", "auto"))
    asyncio.set_event_loop(loop)
    try:
        server = Server(app, config, control, loop)
        guard.server = server
        return loop.run_until_complete(server.main())
    finally:
        try:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)


def new_loop(name):
    if name in ("auto", "uvloop"):
        try:
            import uvloop

            return uvloop.new_event_loop()
        except ImportError:
            if name == "uvloop":
                _log.warning("uvloop is not installed: asyncio of the standard library serves")
    return asyncio.new_event_loop()
