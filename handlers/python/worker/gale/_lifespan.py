"""The lifespan protocol of ASGI 2.0: startup and shutdown of the application on one loop."""
import asyncio

from . import _log


class Lifespan:
    """The conversation with the application. Without its support (mode auto), there is none."""

    def __init__(self, app, mode, loop):
        self.app = app
        self.mode = mode
        self.state = {}
        self.supported = mode != "off"
        self.events = asyncio.Queue() if self.supported else None
        self.started = loop.create_future()  # None, or why it failed
        self.stopped = loop.create_future()
        self.task = None

    async def startup(self):
        """Returns why the application cannot start, or None."""
        if not self.supported:
            return None
        self.task = asyncio.ensure_future(self._run())
        self.events.put_nowait({"type": "lifespan.startup"})
        return await self.started

    async def shutdown(self):
        """Returns why the application failed to shut down, or ''."""
        if not self.supported or self.task is None or self.task.done():
            return ""
        self.events.put_nowait({"type": "lifespan.shutdown"})
        return await self.stopped

    async def _run(self):
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        error = None
        try:
            await self.app(scope, self.events.get, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            error = e
        if not self.started.done():
            self._unsupported(error)
        elif not self.stopped.done():
            if error is not None:
                _log.error("lifespan: the application raised %s", type(error).__name__, exc=error)
            self.supported = False
            self.stopped.set_result("%s: %s" % (type(error).__name__, error) if error is not None else "")

    def _unsupported(self, error):
        """The application raised, or returned, before it answered lifespan.startup."""
        self.supported = False
        if self.mode != "on":
            _log.logger.debug("lifespan: the application does not support it")
            self.started.set_result(None)
        elif error is None:
            self.started.set_result("the application returned before it answered lifespan.startup")
        else:
            _log.error("lifespan: the application raised %s", type(error).__name__, exc=error)
            self.started.set_result("%s: %s" % (type(error).__name__, error))

    async def _send(self, message):
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self.started.done():
            self.started.set_result(None)
        elif kind == "lifespan.startup.failed" and not self.started.done():
            self.started.set_result(str(message.get("message") or "lifespan.startup.failed without a message"))
        elif kind == "lifespan.shutdown.complete" and not self.stopped.done():
            self.stopped.set_result("")
        elif kind == "lifespan.shutdown.failed" and not self.stopped.done():
            self.stopped.set_result(str(message.get("message") or "lifespan.shutdown.failed without a message"))
        elif kind.startswith("lifespan."):
            raise RuntimeError("%s came where it is not expected" % kind)
        else:
            raise ValueError("unknown message type %r" % (kind,))
