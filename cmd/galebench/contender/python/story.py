"""The applications that are compared: the same answers by ASGI and by WSGI, and by
the frameworks that people use."""

import os

BODY = b"Hello, World!"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"13")]


class Park:
    """Requests that wait: /park until /release, /parked counts them."""

    def __init__(self, event):
        self.event = event
        self.count = 0


_park = None


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        body = BODY
        if scope["path"] != "/":
            body = await park_asgi(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [
            (b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "bytes": message["bytes"]})
    else:
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def park_asgi(path):
    global _park
    import asyncio

    if _park is None:
        _park = Park(asyncio.Event())
    if path == "/parked":
        return b"%d" % _park.count
    if path == "/release":
        _park.event.set()
    else:
        _park.count += 1
        await _park.event.wait()
    return BODY


def wsgi(environ, start_response):
    body = BODY
    if environ["PATH_INFO"] != "/":
        body = park_wsgi(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def park_wsgi(path):
    global _park
    import threading

    if _park is None:
        _park = Park(threading.Event())
    if path == "/parked":
        return b"%d" % _park.count
    if path == "/release":
        _park.event.set()
    else:
        _park.count += 1
        _park.event.wait()
    return BODY


def _starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(request):
        return PlainTextResponse(BODY)

    return Starlette(routes=[Route("/", hello)])


def _flask():
    from flask import Flask

    app = Flask("story")

    @app.route("/")
    def hello():
        return BODY, {"Content-Type": "text/plain"}

    return app


def _django():
    import django
    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    def hello(request):
        return HttpResponse(BODY, content_type="text/plain")

    async def hello_async(request):
        return HttpResponse(BODY, content_type="text/plain")

    settings.configure(
        DEBUG=False,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="story",
        MIDDLEWARE=[],
        ROOT_URLCONF=type("Urls", (), {"urlpatterns": [path("", hello), path("async", hello_async)]}),
    )
    django.setup()


def __getattr__(name):
    if name == "starlette_app":
        return _starlette()
    if name == "flask_app":
        return _flask()
    if name == "django_wsgi":
        _django()
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()
    if name == "django_asgi":
        _django()
        from django.core.asgi import get_asgi_application

        return get_asgi_application()
    raise AttributeError(name)


if "STORY" in os.environ:  # for servers that do not ask the module
    application = globals().get(os.environ["STORY"]) or __getattr__(os.environ["STORY"])
