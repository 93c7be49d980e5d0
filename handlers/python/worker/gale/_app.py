"""Finds the application that the target names, and says what kind it is."""
import asyncio
import importlib
import importlib.util
import inspect
import os
import sys
import traceback

from . import _log

# What a bare module is searched for, in this order.
NAMES = ("application", "app", "asgi", "wsgi", "create_app", "make_app")
MODULES = ("asgi", "wsgi", "app", "main")


class LoadError(Exception):
    """Why there is no application: what failed, and one line of advice."""

    def __init__(self, kind, message, advice, error=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice
        self.trace = trace_of(error) if error is not None else ""


def load(config):
    """Returns the application as a server calls it, and its mode, asgi or wsgi."""
    target = config["app"]
    name, _, attribute = target.partition(":")
    called = attribute.endswith("()")  # as gunicorn has it
    module = load_module(name.strip())
    if attribute:
        app = find(module, attribute[:-2] if called else attribute)
    else:
        app, attribute = search(module)
    mode = config.get("mode", "auto")
    if config.get("factory") or called or is_factory(app):
        app = make(app, attribute)
    if mode == "auto":
        mode = mode_of(app)
        if mode is None:
            raise LoadError(
                "attribute",
                "%s is no application: %s" % (target, describe(app)),
                "an ASGI application takes (scope, receive, send), a WSGI application (environ, start_response); "
                "if it is one of them, say which with --asgi or --wsgi",
            )
    if not callable(app):
        raise LoadError("attribute", "%s cannot be called: %s" % (target, describe(app)), candidates(module))
    if mode == "asgi":
        app = single_callable(app)
    return app, mode


def load_module(name):
    if name.endswith(".py") or "/" in name:
        module = name[: -len(".py")] if name.endswith(".py") else name
        raise LoadError(
            "import",
            "%s is a file, where a module is expected" % name,
            "write the name that import would use: %s" % module.strip("./").replace("/", "."),
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        missing = e.name or name
        if name == missing or name.startswith(missing + "."):
            advice = "there is no %s in %s: start gale in the directory of your project, or name it with --app-dir" % (
                missing,
                os.getcwd(),
            )
        else:
            advice = "install what has the module %s for this interpreter: %s -m pip install ..." % (missing, sys.executable)
        raise LoadError("import", str(e), advice, e)
    except SyntaxError as e:
        advice = "mend line %s of %s (this is Python %d.%d)" % (e.lineno, e.filename, *sys.version_info[:2])
        raise LoadError("import", "%s: %s" % (type(e).__name__, e), advice, e)
    except BaseException as e:
        raise LoadError("import", "%s: %s" % (type(e).__name__, e), advice_of(e, "importing %s" % name), e)


def advice_of(e, what):
    if type(e).__name__ == "ImproperlyConfigured":
        return "name Django's settings in the environment variable DJANGO_SETTINGS_MODULE"
    if type(e).__name__ == "AppRegistryNotReady":
        return "use the application of project.asgi or project.wsgi, which calls django.setup()"
    if isinstance(e, SystemExit):
        return "%s called sys.exit: put what runs the program under if __name__ == '__main__'" % what
    if isinstance(e, ImportError):
        return "the module exists, and has no such name: is a package of another version installed?"
    return "%s raised this: the last line of the traceback says where" % what


def find(module, attribute):
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as e:
            message = "%s has no attribute %s" % (module.__name__, attribute)
            raise LoadError("attribute", message, candidates(module), e if found is not module else None)
    return found


def search(module):
    """Finds the application of a module that was named alone."""
    for name in NAMES:
        found = getattr(module, name, None)
        if callable(found):
            return found, name
    own = [(n, v) for n, v in vars(module).items() if is_framework(v)]
    if len(own) == 1:
        return own[0][1], own[0][0]
    if hasattr(module, "__path__"):
        for name in MODULES:
            full = module.__name__ + "." + name
            if importlib.util.find_spec(full) is not None:
                return search(load_module(full))
    raise LoadError("attribute", "found no application in %s" % module.__name__, candidates(module))


def is_framework(value):
    """Says whether value is the application object of a framework."""
    return not inspect.isclass(value) and any(
        c.__name__ in ("Flask", "FastAPI", "Starlette", "Bottle", "Quart", "Sanic", "Litestar", "WSGIHandler", "ASGIHandler")
        for c in type(value).__mro__
    )


def candidates(module):
    """Returns advice that names what the module has."""
    names = [n for n, v in vars(module).items() if not n.startswith("_") and callable(v) and mode_of(v) is not None]
    if names:
        return "did you mean %s?" % " or ".join("%s:%s" % (module.__name__, n) for n in names[:3])
    return "name the application as module:attribute, such as %s:app" % module.__name__


def is_factory(app):
    """Says whether app is a plain function that only makes an application."""
    if not inspect.isfunction(app) or asyncio.iscoroutinefunction(app):
        return False
    return required(app) == 0 and accepted(app) not in (2, 3)


def make(factory, name):
    try:
        app = factory()
    except BaseException as e:
        raise LoadError("factory", "%s: %s" % (type(e).__name__, e), advice_of(e, "calling %s" % name), e)
    if inspect.iscoroutine(app):
        app.close()
        raise LoadError("factory", "%s is a coroutine function" % name, "a factory must be a plain function: remove async")
    if app is None:
        raise LoadError("factory", "%s returned None" % name, "does it return the application that it makes?")
    return app


def parameters(app):
    target = app
    try:
        return [
            p
            for p in inspect.signature(target).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        ]
    except (TypeError, ValueError):
        return None


def required(app):
    ps = parameters(app) or []
    return sum(1 for p in ps if p.default is p.empty and p.kind != p.VAR_POSITIONAL)


def accepted(app):
    """Returns how many positional arguments app takes at most: -1 for any number or an unknown one."""
    ps = parameters(app)
    if ps is None or any(p.kind == p.VAR_POSITIONAL for p in ps):
        return -1
    return len(ps)


def is_coroutine_callable(app):
    return asyncio.iscoroutinefunction(app) or (
        not inspect.isclass(app) and asyncio.iscoroutinefunction(getattr(type(app), "__call__", None))
    )


def mode_of(app):
    """Returns asgi, wsgi, or None if app can be neither."""
    if not callable(app):
        return None
    if is_coroutine_callable(app) or hasattr(app, "_asgi_single_callable") or hasattr(app, "_asgi_double_callable"):
        return "asgi"
    if hasattr(app, "wsgi_app"):
        return "wsgi"
    ps = parameters(app)
    if not ps:
        return None
    first = ps[0].name.lstrip("_")
    if first in ("environ", "env"):
        return "wsgi"
    if first == "scope":
        return "asgi"
    needs, most = required(app), accepted(app)
    if needs == 2 and most in (2, -1):
        return "wsgi"
    if needs == 3 and most in (3, -1):
        return "asgi"
    return None


def single_callable(app):
    """Returns app as ASGI 3 has it: ASGI 2 calls twice, app(scope)(receive, send)."""
    if not is_double_callable(app):
        return app

    async def single(scope, receive, send):
        return await app(scope)(receive, send)

    return single


def is_double_callable(app):
    if hasattr(app, "_asgi_single_callable"):
        return False
    if hasattr(app, "_asgi_double_callable"):
        return True
    if is_coroutine_callable(app):
        return False
    return required(app) <= 1 and accepted(app) in (1, -1) or (inspect.isclass(app) and accepted(app) != 3)


def describe(app):
    return "a %s of %s" % (type(app).__name__, type(app).__module__) if not inspect.isclass(app) else "the class %s" % app.__name__


def trace_of(error):
    """Returns the traceback as text, without our own frames and those of the import machinery."""
    whole = trace = traceback.TracebackException.from_exception(error)
    while trace is not None:
        trace.stack[:] = [f for f in trace.stack if not _log.ours(f.filename)]
        trace = trace.__cause__ or (None if trace.__suppress_context__ else trace.__context__)
    return "".join(whole.format()).encode("utf-8", "replace").decode()
