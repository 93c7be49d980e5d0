"""Jobs that gale gives to the worker, and the handlers that take them."""
import asyncio
import inspect
import json
import threading
from concurrent.futures import ThreadPoolExecutor

from . import _client, _log
from ._stream import printable
from ._wire import RESULT

SUBSCRIBE = "gale.subscribe"  # the job that asks whether a client may subscribe
THREADS = 8  # that run the handlers that are no coroutine functions

handlers = {}  # by name


def names():
    return sorted(name for name in handlers if name != SUBSCRIBE)


def register(name, handler):
    """Has the handler take the jobs of this name. The last one registered does."""
    handlers[name] = handler
    if Jobs.current is not None:
        announce()


def announce():
    """Tells gale what this worker answers."""
    if handlers and _client.control is not None:
        payload = {"subscribe": SUBSCRIBE in handlers, "jobs": names()}
        _client.control.call("handlers", payload, lambda ok, value: None)


class Jobs:
    """Runs the handlers: coroutine functions on the loop, others in threads."""

    current = None  # of this worker

    def __init__(self, control, loop):
        self.control = control
        self.loop = loop  # None: one of its own, when there is a coroutine function
        self.threads = ThreadPoolExecutor(THREADS, "gale-job")
        self.running = {}
        self.mutex = threading.Lock()

    def begin(self):
        Jobs.current = self
        announce()

    def start(self, number, name, payload):
        """Starts a job. Called by the control thread."""
        handler = handlers.get(name)
        if handler is None:
            self.refuse(number, "rejected", "this worker has no handler of the job %s" % name)
            return
        if is_coroutine(handler):
            future = asyncio.run_coroutine_threadsafe(awaited(handler, payload), self.any_loop())
        else:
            future = self.threads.submit(handler, payload)
        with self.mutex:
            self.running[number] = future
        future.add_done_callback(lambda f: self.ended(number, name, f))

    def any_loop(self):
        with self.mutex:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                threading.Thread(target=self.loop.run_forever, name="gale-jobs", daemon=True).start()
            return self.loop

    def cancel(self, number):
        with self.mutex:
            future = self.running.pop(number, None)
        if future is not None:
            future.cancel()

    def ended(self, number, name, future):
        with self.mutex:
            if self.running.pop(number, None) is None:
                return  # nobody waits
        if future.cancelled():
            self.refuse(number, "failed", "the job was cancelled in the worker")
            return
        error = future.exception()
        if error is not None:
            _log.error("job %s: the handler raised %s", name, type(error).__name__, exc=error)
            self.refuse(number, "failed", "%s: %s" % (type(error).__name__, error))
            return
        value = future.result()
        if value is None:
            value = b""
        elif isinstance(value, str):
            value = value.encode()
        elif not isinstance(value, (bytes, bytearray, memoryview)):
            self.refuse(number, "failed", "the handler of %s returned %s, not bytes" % (name, type(value).__name__))
            return
        self.answer((RESULT, number, True, bytes(value)))

    def refuse(self, number, kind, message):
        self.answer((RESULT, number, False, (kind, printable(message))))

    def answer(self, frame):
        try:
            self.control.send(frame)
        except OSError:
            pass  # gale is gone


def is_coroutine(handler):
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))


async def awaited(handler, payload):
    return await handler(payload)


def authoriser(callback, request):
    """Returns the handler of SUBSCRIBE that asks callback about a request of this type."""

    def asked(payload):
        known = json.loads(payload)
        return request(*(known.get(name) for name in request._fields))

    def answered(allowed):
        return json.dumps({"allow": bool(allowed)}).encode()

    if is_coroutine(callback):

        async def ask(payload):
            return answered(await callback(asked(payload)))

    else:

        def ask(payload):
            return answered(callback(asked(payload)))

    return ask
