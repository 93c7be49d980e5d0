"""Discovery: which application a target names, of which kind, and what is said where there is none."""
import functools
import sys
import types
import unittest
from unittest import mock

from gale import _app


async def asgi(scope, receive, send):
    pass


def asgi_plain(scope, receive, send):
    return asgi(scope, receive, send)


def wsgi(environ, start_response):
    pass


class ASGI:
    async def __call__(self, scope, receive, send):
        pass


class WSGI:
    def __call__(self, environ, start_response):
        pass


class Double:
    """ASGI 2: called twice."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        return self.scope, receive, send


class WSGIClass:
    """PEP 3333's example of a class as the application."""

    def __init__(self, environ, start_response):
        pass


class Anything:
    def __call__(self, *args):
        pass


def double(scope):
    return Double(scope)


def factory():
    return ASGI()


def factory_with_defaults(config=None):
    return WSGI()


async def coroutine_factory():
    return ASGI()


def broken_factory():
    raise KeyError("in the factory")


def empty_factory():
    pass


nothing = 5
nested = types.SimpleNamespace(deep=types.SimpleNamespace(app=asgi))
partial = functools.partial(lambda extra, environ, start_response: None, 1)


def load(target, **config):
    return _app.load(dict({"app": target, "mode": "auto"}, **config))


class Found(unittest.TestCase):
    def test_kinds(self):
        for name, mode in {
            "asgi": "asgi", "asgi_plain": "asgi", "wsgi": "wsgi", "Double": "asgi", "double": "asgi", "WSGIClass": "wsgi",
            "factory": "asgi", "factory_with_defaults": "wsgi", "factory()": "asgi", "nested.deep.app": "asgi", "partial": "wsgi",
        }.items():  # fmt: skip
            with self.subTest(name):
                self.assertEqual(load(__name__ + ":" + name)[1], mode)
        for app, mode in ((ASGI(), "asgi"), (WSGI(), "wsgi"), (Anything(), None), (ASGI, None), (5, None)):
            self.assertEqual(_app.mode_of(app), mode, app)

    def test_asgi_2_is_called_twice(self):
        for name in ("Double", "double"):
            app, _ = load(__name__ + ":" + name)
            with self.assertRaises(StopIteration) as end:
                app("scope", "receive", "send").send(None)
            self.assertEqual(end.exception.value, ("scope", "receive", "send"))

    def test_bare_module(self):
        for names, want in (({"app": asgi}, "asgi"), ({"application": wsgi, "other": asgi}, "wsgi"), ({"create_app": factory}, "asgi")):
            module = types.ModuleType("bare")
            vars(module).update(names)
            with mock.patch.dict(sys.modules, bare=module):
                self.assertEqual(load("bare")[1], want)

    def test_mode_that_is_named(self):
        self.assertEqual(load(__name__ + ":wsgi", mode="asgi")[1], "asgi")


class Missing(unittest.TestCase):
    def missing(self, target, kind, advice, **config):
        with self.assertRaises(_app.LoadError) as raised:
            load(target, **config)
        e = raised.exception
        self.assertEqual(e.kind, kind, e.message)
        self.assertIn(advice, e.advice)
        self.assertNotIn("\n", e.advice)
        self.assertNotIn("frozen importlib", e.trace)
        return e

    def test_no_application(self):
        self.missing("no_such_module:app", "import", "--app-dir")
        self.missing("app.py", "import", "write the name that import would use: app")
        self.missing(__name__ + ":asgy", "attribute", "did you mean %s:asgi" % __name__)
        self.missing(__name__ + ":nested.wrong", "attribute", "did you mean")
        self.missing(__name__ + ":nothing", "attribute", "(scope, receive, send)")
        self.missing("types", "attribute", "types:")

    def test_factories(self):
        e = self.missing(__name__ + ":broken_factory", "factory", "broken_factory")
        self.assertIn("KeyError: 'in the factory'", e.trace)
        self.missing(__name__ + ":empty_factory", "factory", "return")
        self.missing(__name__ + ":coroutine_factory", "factory", "remove async", factory=True)

    def test_module_that_fails(self):
        for error, advice in (
            (ModuleNotFoundError("No module named 'other'", name="other"), "pip install"),
            (SyntaxError("bad"), "mend line"),
            (KeyError("x"), "raised this"),
            (SystemExit(1), "__main__"),
            (type("ImproperlyConfigured", (Exception,), {})("settings"), "DJANGO_SETTINGS_MODULE"),
        ):
            with self.subTest(error), mock.patch("importlib.import_module", side_effect=error):
                self.missing("module:app", "import", advice)


if __name__ == "__main__":
    unittest.main()
