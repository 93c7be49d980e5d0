"""The worker's own lines, on stderr, which gale makes lines of its log."""
import logging
import sys

logger = logging.getLogger("gale")


def setup(level):
    """Prepares the logger. Applications configure logging as they like: ours goes on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(getattr(logging, str(level or "info").upper(), logging.INFO))


def error(message, *args, exc=None):
    _log(logging.ERROR, message, args, exc)


def warning(message, *args):
    _log(logging.WARNING, message, args)


def info(message, *args):
    _log(logging.INFO, message, args)


def _log(level, message, args, exc=None):
    logger.disabled = False  # logging.config disables the loggers that it does not name
    logger.log(level, message, *args, exc_info=(type(exc), exc, trim(exc.__traceback__)) if exc else None)


def trim(tb):
    """Returns the traceback from the application's first frame on, or all of it."""
    inner = tb
    while inner is not None and ours(inner.tb_frame.f_code.co_filename):
        inner = inner.tb_next
    return inner or tb


def ours(filename):
    return filename.startswith(("<gale>/", "<frozen importlib"))
