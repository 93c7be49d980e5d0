"""Calls of the application to gale, and what gale has told it. The public module gale offers them."""
import asyncio
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from . import _errors

control = None  # of the worker; None elsewhere
is_draining = False
_waiters = []
_mutex = threading.Lock()


def call(method, payload, timeout=None):
    """Calls gale and blocks until it answers."""
    future = Future()
    number = _start(method, payload, lambda ok, value: _settle(future, ok, value))
    try:
        return future.result(timeout)
    except FutureTimeout:
        control.forget(number)
        raise _errors.Expired("gale did not answer %s in %s s" % (method, timeout)) from None


async def call_async(method, payload, timeout=None):
    """Calls gale and waits until it answers, on any loop of asyncio."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def done(ok, value):
        try:
            loop.call_soon_threadsafe(_settle, future, ok, value)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    number = _start(method, payload, done)
    try:
        return await asyncio.wait_for(future, timeout)
    except asyncio.TimeoutError:
        raise _errors.Expired("gale did not answer %s in %s s" % (method, timeout)) from None
    finally:
        control.forget(number)


def _start(method, payload, done):
    if control is None:
        raise _errors.Unavailable("this program does not run in a worker of gale")
    return control.call(method, payload, done)


def _settle(future, ok, value):
    if future.done():
        return
    if ok:
        future.set_result(value)
    else:
        future.set_exception(_errors.of_kind(*value))


def drain():
    """gale is about to stop: wakes those who wait to know."""
    global is_draining
    with _mutex:
        is_draining = True
        waiters, _waiters[:] = _waiters[:], []
    for loop, future in waiters:
        try:
            loop.call_soon_threadsafe(_wake, future)
        except RuntimeError:
            pass  # the loop is closed


async def draining():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    with _mutex:
        if is_draining:
            return
        _waiters.append((loop, future))
    try:
        await future
    finally:
        with _mutex:
            if (loop, future) in _waiters:
                _waiters.remove((loop, future))


def _wake(future):
    if not future.done():
        future.set_result(None)
