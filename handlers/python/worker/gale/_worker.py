"""The life of a worker: from the greeting to the exit code."""
import os
import signal
import sys

from . import _app, _client, _log
from ._control import Control
from ._wire import FAILED, VERSION


class Guard:
    """Keeps children that the application forks from speaking on our sockets."""

    def __init__(self, control):
        self.control = control
        self.server = None
        self.child = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forked)

    def forked(self):
        self.child = True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.control.after_fork()
        if self.server is not None:
            self.server.after_fork()


def main(sock, version, config):
    _log.setup(config.get("log_level", "info"))
    streams()
    control = Control(sock)
    if version != VERSION:
        control.last((FAILED, "version", "gale speaks version %s, this worker %d" % (version, VERSION), "", ""))
        sys.exit(3)
    # A terminal and a service manager signal everybody: gale says stop. A handler, and
    # not SIG_IGN, which children would inherit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    guard = Guard(control)
    _client.control = control
    control.start()
    sys.path[:0] = config.get("path", [])
    sys.argv[:] = [config.get("app", "gale")]
    try:
        app, mode = _app.load(config)
    except _app.LoadError as e:
        control.last((FAILED, e.kind, e.message, e.trace, e.advice))
        sys.exit(3)
    if mode == "wsgi":
        from . import _wsgi as server
    else:
        from . import _asgi as server
    sys.exit(server.serve(app, config, control, guard))


def streams():
    """Lines of stdout and stderr become lines of gale's log: each leaves when it is complete."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.reconfigure(line_buffering=True)
        except (AttributeError, ValueError):
            pass
