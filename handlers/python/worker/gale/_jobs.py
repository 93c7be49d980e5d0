"""Jobs that gale gives to the worker, and the handlers that take them."""
import asyncio
import inspect
import threading

from . import _log
from ._wire import RESULT

handlers = {}


def names():
    return sorted(handlers)


def announce_drain(loop):
    pass


class Jobs:
    def __init__(self, control, loop):
        self.control = control
        self.loop = loop

    def start(self, number, name, payload):
        self.control.send((RESULT, number, False, ("rejected", "no handler")))

    def cancel(self, number):
        pass
