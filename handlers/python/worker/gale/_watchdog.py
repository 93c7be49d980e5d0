"""A thread that looks after a loop that an application blocks: it lets finished replies
leave, and tells gale where the loop stands. It sleeps while the loop is idle."""
import sys
import threading
import traceback
from time import monotonic

from . import _log
from ._wire import BLOCKED

PERIOD = 0.025  # seconds between two looks


class Watchdog:
    def __init__(self, server, control, block_seconds):
        self.server = server
        self.control = control
        self.block_seconds = block_seconds
        self.owner = threading.get_ident()  # the thread of the loop
        self.asleep = False
        self.alarm = threading.Event()
        self.beat = self.answered = 0  # callbacks that the loop was asked for, and those that it made
        self.since = 0.0  # when the last one was asked for
        self.told = False

    def start(self):
        threading.Thread(target=self.run, name="gale-watchdog", daemon=True).start()

    def look(self):
        """Something happens on the loop. Called for each message, hence cheap."""
        if self.asleep:
            self.asleep = False
            self.alarm.set()

    def run(self):
        loop = self.server.loop
        turns = -1
        while True:
            self.alarm.wait(PERIOD)
            now = monotonic()
            for link in self.server.links[:]:
                link.overdue(now)
            before, turns = turns, sum(link.turns for link in self.server.links[:])
            if self.answered != self.beat:  # the loop has not run since
                if before == turns:
                    self.stands_still(now - self.since)
                continue
            self.told = False
            if before == turns and self.since:  # it ran, and nothing happened
                self.asleep = True
                self.since = 0.0
                self.alarm.clear()
                if turns == sum(link.turns for link in self.server.links[:]):
                    self.alarm.wait()
                self.asleep = False
                self.alarm.clear()
                continue
            self.since = now
            self.beat += 1
            try:
                loop.call_soon_threadsafe(self.answer, self.beat)
            except RuntimeError:
                return  # the loop is closed

    def blocked(self):
        """Returns for how many seconds the loop has stood still, else 0."""
        since = self.since  # first: it is 0 while the thread sleeps
        return monotonic() - since if since and self.answered != self.beat else 0.0

    def answer(self, beat):
        self.answered = beat

    def stands_still(self, seconds):
        if self.told or seconds < self.block_seconds:
            return
        self.told = True
        frame = sys._current_frames().get(self.owner)
        stack = application_stack(frame) if frame else ""
        try:
            self.control.send((BLOCKED, seconds, stack, path_of(frame)))
        except OSError:
            pass


def application_stack(frame):
    """Returns the stack as tracebacks are written, from the application's outermost frame on."""
    summary = traceback.extract_stack(frame)
    for i, f in enumerate(summary):
        if _log.ours(f.filename) and f.name == "run" and f.filename.endswith("/_stream.py"):
            summary = summary[i + 1 :] or summary
            break
    return "".join(traceback.format_list(summary)).encode("utf-8", "replace").decode()


def path_of(frame):
    """Returns the path of the request whose application runs on this stack, or ''."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "run" and code.co_filename.endswith("<gale>/gale/_stream.py"):
            scope = frame.f_locals.get("scope")
            if scope:
                return scope.get("path", "").encode("utf-8", "replace").decode()
        frame = frame.f_back
    return ""
